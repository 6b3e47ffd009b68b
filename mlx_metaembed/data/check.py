"""What a file of rows is like, and which texts of a second file stand in it too, or nearly.

The first file is read a row at a time, with a hash held of each text; the texts of the second one are held.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlx_metaembed.data import row_stream
from mlx_metaembed.data.minhash import NearDuplicates
from mlx_metaembed.data.same_text import number
from mlx_metaembed.data.text_counts import Column, Lengths, Sample

EXAMPLES, CHARACTERS = 5, 200
Told = Callable[[str, Mapping[str, list[str]]], None]


def count(
    source: str | Path,
    *,
    lengths: Lengths = lambda texts: list(map(len, texts)),
    limit: int | None = None,
    told: Told = lambda where, texts: None,
    mapped: str = "",
    no_header: bool = False,
) -> dict:
    """Counts of a file's rows and of each column's texts; `told` hears of every row's texts.

    A text is over the limit where it has more than `limit` of what `lengths` counts. Raises CallError where a row can't
    be read or no column holds texts.
    """
    columns: dict[str, Column] = {}
    rows: set[int] = set()
    targets: dict[int, int] = {}
    sample, names, total, repeated, contradicted = Sample(), (), 0, 0, 0

    def take(where: str, row: dict[str, object]) -> None:
        nonlocal names, total, repeated, contradicted
        names, total = names or tuple(row), total + 1
        found = row_stream.texts_of(row)
        own = number("\0\0".join(f"{name}\0{text}" for name, texts in found.items() for text in texts))
        target = number("\0\0".join(f"{name}\0{row[name]}" for name in sorted(row_stream.TARGETS & row.keys())))
        rows.add(own ^ target)
        contradicted += targets.setdefault(own, target) != target
        alone = [text.strip() for name, texts in found.items() if name in row_stream.NAMES for text in texts]
        repeated += len(set(alone)) < len(alone)
        for name, texts in found.items():
            columns.setdefault(name, Column(lengths, limit)).add(texts)
            for text in texts:
                sample.add(text)
        told(where, found)

    notes = row_stream.fill(source, take, mapped=mapped, no_header=no_header)
    row_stream.require_texts(source, columns, names)
    return {
        "file": str(source),
        "rows": total,
        "duplicate_rows": total - len(rows),
        "same_texts_other_target": contradicted,
        "rows_with_a_text_twice": repeated,
        "columns": {name: column.result(total) for name, column in columns.items()},
        "scripts": sample.scripts(),
        "languages": sample.languages(),
        "notes": list(notes),
    }


class Leaks:
    """The texts of one file that another one shows too: `held` takes those of the one, `shown` those of the other."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._columns: dict[str, dict[int, str]] = {}
        self._near: NearDuplicates | None = None
        self._seen: set[int] = set()
        self._examples: dict[int, tuple[str, str]] = {}

    def held(self, where: str, texts: Mapping[str, list[str]]) -> None:
        """Take the texts of a row that is to stand in this file alone."""
        for name, each in texts.items():
            for text in filter(str.strip, each):
                own = number(text)
                self._texts.setdefault(own, text)
                self._columns.setdefault(name, {})[own] = where

    def shown(self, where: str, texts: Mapping[str, list[str]]) -> None:
        """Compare the texts of a row of the other file."""
        if self._near is None:
            self._keys = list(self._texts)
            self._near = NearDuplicates(list(self._texts.values()))
        for text in filter(str.strip, (text for each in texts.values() for text in each)):
            if (own := number(text)) not in self._seen:
                self._seen.add(own)
                for row in [] if own in self._texts else self._near.show(text):
                    self._examples[self._keys[row]] = (where, text)

    def result(self) -> dict[str, dict]:
        """By column: distinct texts, those equal to one of the other file, those only near to one, and examples."""
        answer = {}
        for name, places in self._columns.items():
            equal = [own for own in places if own in self._seen]
            near = [own for own in places if own in self._examples and own not in self._seen]
            answer[name] = {
                "texts": len(places),
                "equal": len(equal),
                "near": len(near),
                "equal_examples": [
                    {"where": places[own], "text": self._texts[own][:CHARACTERS]} for own in equal[:EXAMPLES]
                ],
                "near_examples": [
                    {
                        "where": places[own],
                        "text": self._texts[own][:CHARACTERS],
                        "in_file": self._examples[own][0],
                        "near_to": self._examples[own][1][:CHARACTERS],
                    }
                    for own in near[:EXAMPLES]
                ],
            }
        return answer
