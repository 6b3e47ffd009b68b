"""What one row of a shape gives, and what is wrong with its values."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mlx_metaembed.data import shapes
from mlx_metaembed.data.columns import Columns
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.shapes import Shape
from mlx_metaembed.data.verdicts import EXPECTED, verdict

Row = Mapping[str, object]


@dataclass(frozen=True)
class Cells:
    """A shape, the columns of it that are `used`, and where faults go. `as_text` where a number comes as text (CSV)."""

    shape: Shape
    used: tuple[str, ...]
    columns: Columns
    faults: Faults
    as_text: bool

    @cached_property
    def _converted(self) -> list[str]:
        """The columns whose values may come in another form than they are kept in."""
        return [name for name in self.used if shapes.is_list(name) or self.columns.chosen.get(name)]

    @cached_property
    def _negatives(self) -> list[str]:
        return [name for name in self.used if shapes.is_negative(name)]

    @cached_property
    def _label(self) -> str | None:
        return next((name for name in ("label", "gold_label") if name in self.used), None)

    def taken(self, where: str, row: dict[str, object]) -> list[tuple]:
        """The fields of the row class, once for each positive of a pair; none where a value is at fault: noted.

        Of pairs with a label, what it says comes last.
        """
        for name in self._converted:
            if name in row:
                row[name] = self._plain(name, row[name])
        return list(getattr(self, f"_{self.shape.kind}")(where, row))

    def _plain(self, name: str, found: object) -> object:
        """A value as its column is read: a list in JSON as that list, several texts that were mapped to one joined."""
        listed = shapes.is_list(name)
        if listed and isinstance(found, str) and found.lstrip().startswith("["):
            try:
                return json.loads(found)
            except (ValueError, RecursionError):
                return found
        several = isinstance(found, list) and found and all(isinstance(each, str) for each in found)
        if several and not listed and self.columns.chosen.get(name):
            self.faults.note(
                f"Column {self.columns.source(name)!r} holds lists; the texts of each are joined by spaces"
            )
            return " ".join(each.strip() for each in found if each.strip())
        return found

    def _text(self, where: str, name: str, value: object) -> bool:
        return self.faults.text(where, self.columns.source(name), value)

    def _pairs(self, where: str, row: Row) -> Iterator[tuple]:
        anchor, positive = self.shape.required[:2]
        negatives, label = self._negatives, self._label
        good = self._text(where, anchor, row[anchor])
        texts = {name: self._texts(where, name, row[name]) for name in (positive, *negatives)}
        said = self._verdict(where, label, row[label]) if label else ""
        if good and None not in texts.values() and said is not None:
            hard = tuple(text for name in negatives for text in texts[name])
            for text in texts[positive]:
                yield (row[anchor], text, hard, said) if label else (row[anchor], text, hard)

    def _texts(self, where: str, name: str, value: object) -> list[str] | None:
        """The texts of a column that may hold a list, or None with the fault noted."""
        source, optional, listed = self.columns.source(name), shapes.is_negative(name), shapes.is_list(name)
        if isinstance(value, list) and (optional or listed):
            if not value and not optional:
                self.faults.add(where, source, "an empty list; expected at least one text")
                return None
            good = [self.faults.text(f"{where}, item {at}", source, text) for at, text in enumerate(value, 1)]
            return value if all(good) else None
        one = optional and isinstance(value, str) and not value.lstrip().startswith("[")
        if listed and not one:
            advice = "; write [] where there are none" if value is None and optional else ""
            self.faults.add(where, source, f"{kind(value)}; expected a list of texts{advice}")
            return None
        return [value] if self.faults.text(where, source, value) else None

    def _verdict(self, where: str, name: str, label: object) -> str | None:
        words = self.shape.required[0] == "premise" or name == "gold_label"
        said = verdict(label, numbers=not words)
        if said is None:
            shown = repr(label[:40]) if isinstance(label, str) else kind(label)
            expected = "expected the words entailment, neutral or contradiction" if words else EXPECTED
            self.faults.add(where, self.columns.source(name), f"{shown}; {expected}", group=("label", shown))
        return said

    def _scored(self, where: str, row: Row) -> Iterator[tuple]:
        good = [self._text(where, name, row[name]) for name in self.used[:2]]
        score = self.faults.number(where, self.columns.source("score"), row["score"], as_text=self.as_text)
        if all(good) and score is not None:
            yield row["sentence1"], row["sentence2"], score

    def _labelled(self, where: str, row: Row) -> Iterator[tuple]:
        good = self._text(where, "text", row["text"])
        label = self.faults.label(where, self.columns.source("label"), row["label"])
        if good and label is not None:
            yield row["text"], label

    def _text_alone(self, where: str, row: Row) -> Iterator[tuple]:
        """A text's id, which is its row's number where it has none, and the text after its title, as in BEIR."""
        column = next((name for name in ("id", "_id") if name in row), None)
        identifier = _name(row[column]) if column else where.rpartition(" ")[2]
        title, text = row.get("title"), row["text"]
        if isinstance(title, str) and title.strip() and isinstance(text, str):
            text = f"{title} {text}".strip()
        if all([self._text(where, "text", text), self._text(where, column or "id", identifier)]):
            yield identifier, text


def _name(value: object) -> object:
    """A whole number as a name; Python refuses to print one of more than 4,300 digits."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40 else value
