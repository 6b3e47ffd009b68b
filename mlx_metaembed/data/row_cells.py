"""What one row gives to train on: its texts, its negatives and its targets, and what is wrong with their values."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from mlx_metaembed.data import shapes
from mlx_metaembed.data.cells import Cells, Row
from mlx_metaembed.data.faults import kind

BINARY = {"0": 0.0, "0.0": 0.0, "false": 0.0, "1": 1.0, "1.0": 1.0, "true": 1.0}
LARGEST = 3.4028234e38
"""What float32 holds."""
NO_LABEL = "-"
"""SNLI's word for a pair whose judges did not agree."""


@dataclass(frozen=True)
class RowCells(Cells):
    """Cells of the shapes that training asks for: texts, then negatives beside a pair, then targets."""

    def _rows(self, where: str, row: Row) -> Iterator[tuple]:
        first, *second = self.shape.texts
        good = self._text(where, first, row[first])
        positives = self._texts(where, second[0], row[second[0]]) if second else [""]
        lists = [self._texts(where, name, row[name]) for name in self._negatives]
        if self._left_out(row):
            return
        fixed = {name: self._target(where, name, column, row[column]) for name, column in self.shape.targets if column}
        near, far = self._scores(where, shapes.positive_scores_of, row), None
        if "negative_score" in dict(self.shape.targets):
            far = self._scores(where, shapes.negative_scores_of, row)
            if far is None:
                return
        if not good or positives is None or None in lists or None in fixed.values() or near is None:
            return
        hard = tuple(text for each in lists for text in each)
        if not self._agree(where, positives, hard, near, far):
            return
        for at, text in enumerate(positives):
            found = fixed | {"positive_score": near[at] if near else None, "negative_score": tuple(far or ())}
            targets = [found[name] for name, _ in self.shape.targets]
            yield (row[first], text, hard, *targets) if second else (row[first], *targets)

    def _left_out(self, row: Row) -> bool:
        if row.get("gold_label") != NO_LABEL:
            return False
        self.faults.note("Rows whose gold_label is - have no class and are left out")
        return True

    def _agree(self, where: str, positives: list, hard: tuple, near: list, far: list | None) -> bool:
        """Whether there are as many scores as texts; what is wrong is noted."""
        said = []
        if "positive_score" in dict(self.shape.targets) and len(near) != len(positives):
            said.append(f"{_count(near, 'score')} of {_count(positives, 'positive')}; expected one of each")
        if far is not None and not hard:
            said.append("no negative; expected one or more, each with its score")
        elif far is not None and len(far) != len(hard):
            said.append(f"{_count(far, 'score')} of {_count(hard, 'negative')}; expected one of each")
        for what in said:
            self.faults.add(where, None, what)
        return not said

    def _target(self, where: str, name: str, column: str, value: object) -> object:
        """A score or the name of a class; None with its fault noted."""
        source = self.columns.source(column)
        if name == "label":
            return self.faults.label(where, source, value)
        if column == "score":
            return self._number(where, source, value)
        number = BINARY.get(str(value).strip().lower()) if isinstance(value, str | int | float) else None
        if number is None:
            shown = repr(value[:40]) if isinstance(value, str) else kind(value)
            numbers = "" if isinstance(value, str) else f"; --columns score={source} reads any number"
            what = f"{shown}; expected 1 or 0 as a score{numbers}"
            self.faults.add(where, source, what, group=("label", shown))
        self.faults.note(f"The scores are the labels in {source!r}, 1 or 0")
        return number

    def _number(self, where: str, source: str, value: object) -> float | None:
        number = self.faults.number(where, source, value, as_text=self.as_text)
        if number is not None and abs(number) > LARGEST:
            self.faults.add(where, source, f"{number:g}; expected a number of at most {LARGEST:g}, which float32 holds")
            return None
        return number

    def _scores(self, where: str, columns_of: object, row: Row) -> list[float] | None:
        """The numbers of the used columns that `columns_of` picks, lists and single ones joined; None where one is
        at fault."""
        found: list[float | None] = []
        for name in columns_of(self.used):
            source, value = self.columns.source(name), row[name]
            if isinstance(value, str) and value.lstrip().startswith("["):
                try:
                    value = json.loads(value)
                except (ValueError, RecursionError):
                    self.faults.add(where, source, "not a list in JSON")
                    return None
            if isinstance(value, list):
                found += [self._number(f"{where}, item {at}", source, each) for at, each in enumerate(value, 1)]
            else:
                found.append(self._number(where, source, value))
        return None if None in found else found


def _count(values: list | tuple, noun: str) -> str:
    return f"{len(values)} {noun}{'' if len(values) == 1 else 's'}"
