"""The texts of a corpus, and the columns that axes name, out of any source of rows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.data import row_stream
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.same_text import plain
from mlx_metaembed.errors import CallError, nearest

NO_VALUE = (None, "")


@dataclass(frozen=True)
class Corpus:
    """Distinct texts in the source's order, each with its values in the columns asked for, None for none."""

    texts: list[str]
    columns: dict[str, list[object]]
    notes: tuple[str, ...] = ()

    def rows(self, numbers: Sequence[int]) -> "Corpus":
        """Some of the texts."""
        columns = {name: [values[at] for at in numbers] for name, values in self.columns.items()}
        return Corpus([self.texts[at] for at in numbers], columns, self.notes)


def read(
    source: str | Path,
    names: Sequence[str] = (),
    *,
    mapped: str = "",
    no_header: bool = False,
    max_characters: int = 100_000,
) -> Corpus:
    """The corpus of a source, whose texts stand in the column `text`.

    Raises CallError where a column is not there (with those that are), or with all the rows that have no text.
    """
    texts, columns = [], {name: [] for name in names}
    found: dict[str, None] = {}
    seen: set[str] = set()
    wrong = Faults(source, max_characters)

    def take(where: str, row: dict[str, object]) -> None:
        found.update(dict.fromkeys(row))
        if "text" not in row:
            return
        text = row["text"]
        wrong.text(where, "text", text)
        if isinstance(text, str) and (same := plain(text)) not in seen:
            seen.add(same)
            texts.append(text)
            for name in names:
                value = row.get(name)
                columns[name].append(None if value in NO_VALUE else value)

    notes = row_stream.fill(source, take, mapped=mapped, no_header=no_header, max_characters=max_characters)
    if missing := [name for name in ("text", *names) if name not in found]:
        listed, names = ", ".join(map(repr, list(found)[:20])), " and no column ".join(map(repr, missing))
        hint = ". Say which is the text: --columns text=COLUMN" if "text" in missing else ""
        raise CallError(f"{source} has no column {names}{nearest(missing[0], found)}; its columns: {listed}{hint}")
    wrong.raise_any()
    if len(texts) < 2:
        raise CallError(f"{source} has {len(texts)} distinct texts; expected many, a hundred or more")
    return Corpus(texts, columns, notes)


LEAST = 2
"""Texts of a value that are fitted on before any is held out."""


def split(found: Corpus, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the texts to fit on, and of about a share that is held out, each in order.

    A text is not held out where fewer than LEAST of one of its values would be left.
    """
    order = np.random.default_rng(seed).permutation(len(found.texts))
    left = {name: Counter(map(str, values)) for name, values in found.columns.items()}
    held: list[int] = []
    for at in order[: round(len(order) * share)]:
        own = [(name, str(values[at])) for name, values in found.columns.items() if values[at] is not None]
        if all(left[name][value] > LEAST for name, value in own):
            held.append(int(at))
            for name, value in own:
                left[name][value] -= 1
    return np.setdiff1d(order, held), np.sort(np.array(held, np.int64))
