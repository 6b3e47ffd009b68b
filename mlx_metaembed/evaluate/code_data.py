"""What codes are fitted and judged on: texts to fit on, queries, and texts that are searched, no text in two of them.

Of rows with judgements some documents are held out to fit on, of plain texts (or a .npy of vectors) queries as well.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed import data
from mlx_metaembed.codes.codec import checked
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Pairs, Retrieval
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.npy import Rows
from mlx_metaembed.search import source

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

Advance = Callable[[str, int, int, str], object]
"""Hears of a job by name how much more of it is done, of how much, and the unit."""


def unheard(what: str, done: int, of: int, unit: str) -> None:
    """No progress."""


LEAST_QUERIES, LEAST_SEARCHED = 5, 20


@dataclass(frozen=True)
class Side:
    """Texts under a prompt, or vectors as they lie in a file."""

    texts: Sequence[str] = ()
    prompt: str = "document"
    vectors: np.ndarray | Rows | None = None

    def __len__(self) -> int:
        return len(self.texts) if self.vectors is None else len(self.vectors)

    def some(self, rows: Sequence[int]) -> "Side":
        """Those of some rows."""
        if self.vectors is None:
            return Side([self.texts[row] for row in rows], self.prompt)
        return Side((), self.prompt, self.vectors[np.asarray(rows, np.int64)])

    def encoded(self, embedder: "Embedder", advance: Callable[[int], object]) -> np.ndarray:
        """Vectors float32 [n, D] as the model compares them: at length 1 where that is by cosine."""
        alone = embedder.compares_by_cosine
        if self.vectors is not None:
            found = np.asarray(self.vectors, np.float32)
            return unit(found) if alone else found
        settings = {"prompt_name": self.prompt, "normalize_embeddings": alone, "progress": advance}
        return embedder.encode(list(self.texts), **settings)


@dataclass(frozen=True)
class Parts:
    """The three sides; `relevant` has each query's documents with their grade, and is None where nobody judged."""

    fit: Side
    queries: Side
    searched: Side
    relevant: list[dict[int, float]] | None = None
    itself: Mapping[int, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Judged:
    """Queries, each with the rows of some texts that answer it and their grade; `itself` as in `Parts`."""

    queries: Side
    relevant: list[dict[int, float]]
    itself: Mapping[int, int] = field(default_factory=dict)

    def among(self, rows: Sequence[int], most: int, seed: int) -> "Judged":
        """At most `most` queries that some of these rows answer, with the places of the rows for their numbers."""
        place = {int(row): at for at, row in enumerate(rows)}
        grades = [{place[row]: grade for row, grade in each.items() if row in place} for each in self.relevant]
        left = [at for at, each in enumerate(grades) if any(grade > 0 for grade in each.values())]
        chosen = [left[at] for at in _drawn(len(left), most, seed)]
        itself = {new: place[self.itself[at]] for new, at in enumerate(chosen) if self.itself.get(at) in place}
        return Judged(self.queries.some(chosen), [grades[at] for at in chosen], itself)


def to_fit(path: str | Path, dimensions: int, most: int, seed: int, **reading: object) -> tuple[Side, Judged | None]:
    """At most `most` distinct texts of a source, or vectors of a .npy, drawn by the seed, each in its own order; and
    the queries that they answer where the source has judgements."""
    whole, _ = _read(path, dimensions, reading)
    if not isinstance(whole, Retrieval):
        return whole.some(_drawn(len(whole), most, seed)), None
    rows = _drawn(len(whole.corpus), most, seed)
    judged = Judged(Side(whole.queries, "query"), whole.relevant, whole.itself)
    return Side(whole.corpus).some(rows), judged.among(rows, len(whole.queries), seed)


def parts(
    path: str | Path,
    dimensions: int,
    *,
    fit: str | Path | None = None,
    most_fit: int = 20_000,
    most_queries: int = 1_000,
    most_searched: int = 20_000,
    seed: int = 0,
    **reading: object,
) -> Parts:
    """The parts of a source; `fit` is a source of texts to fit on, and then nothing is held out for that.

    Raises CallError as `data.read` does, and where too little is left to judge a code by.
    """
    whole, notes = _read(path, dimensions, reading)
    other, fit_notes = _read(fit, dimensions, reading) if fit is not None else (None, ())
    notes = [*notes, *fit_notes]
    made = _judged if isinstance(whole, Retrieval) else _unjudged
    found = made(path, whole, other is not None, (most_fit, most_queries, most_searched), seed, notes)
    if other is not None:
        side = Side(other.corpus) if isinstance(other, Retrieval) else other
        taken = {text.strip() for part in (found.queries, found.searched) for text in part.texts}
        alone = [row for row in range(len(side)) if not (side.texts and side.texts[row].strip() in taken)]
        if lost := len(side) - len(alone):
            notes.append(f"{lost:,} texts of {fit} are queries or searched as well; no code is fitted on them")
        chosen = [alone[at] for at in _drawn(len(alone), most_fit, seed)]
        found = Parts(side.some(chosen), found.queries, found.searched, found.relevant, found.itself)
    if len(found.queries) < LEAST_QUERIES or len(found.searched) < LEAST_SEARCHED or len(found.fit) < 2:
        raise CallError(
            f"{path} leaves {len(found.fit):,} texts to fit codes on, {len(found.queries):,} queries and "
            f"{len(found.searched):,} texts to search; expected some thousand, {LEAST_QUERIES} and {LEAST_SEARCHED} at "
            "least. Give more rows, or texts to fit on: --fit-data FILE"
        )
    return Parts(found.fit, found.queries, found.searched, found.relevant, found.itself, tuple(notes))


def _judged(
    path: object, whole: Retrieval, is_fitted: bool, most: tuple[int, int, int], seed: int, notes: list[str]
) -> Parts:
    """Documents held out to fit on, first those that answer no query; queries without an answer left go."""
    most_fit, most_queries, most_searched = most
    random = np.random.default_rng(seed)
    answers = {row for grades in whole.relevant for row in grades}
    order = sorted(random.permutation(len(whole.corpus)).tolist(), key=lambda row: row in answers)
    held = 0 if is_fitted else min(most_fit, len(order) // 2)
    # What is searched is cut from those that answer nothing too: the last of the order answer something.
    kept = sorted(order[held:][-most_searched:])
    judged = Judged(Side(whole.queries, "query"), whole.relevant, whole.itself).among(kept, most_queries, seed)
    if held:
        notes.append(
            f"{held:,} of {len(order):,} documents are held out to fit codes on, {len(kept):,} are searched by "
            f"{len(judged.queries):,} queries; with --fit-data FILE none is held out"
        )
    elif len(kept) < len(order) or len(judged.queries) < len(whole.queries):
        notes.append(f"{len(kept):,} of {len(order):,} documents are searched by {len(judged.queries):,} queries")
    return Parts(
        Side([whole.corpus[row] for row in order[:held]]),
        judged.queries,
        Side([whole.corpus[row] for row in kept]),
        judged.relevant,
        judged.itself,
    )


def _unjudged(
    path: object, whole: Side, is_fitted: bool, most: tuple[int, int, int], seed: int, notes: list[str]
) -> Parts:
    """A tenth asks, and of the rest one half is fitted on and the other searched."""
    most_fit, most_queries, most_searched = most
    order = np.random.default_rng(seed).permutation(len(whole)).tolist()
    asking = min(most_queries, len(order) // 10)
    held = 0 if is_fitted else min(most_fit, (len(order) - asking) // 2)
    queries, fit = order[:asking], order[asking : asking + held]
    searched = order[asking + held :][:most_searched]
    notes.append(
        f"{path} has no queries: {asking:,} of its {len(order):,} rows ask, {len(searched):,} are searched"
        + (f", {held:,} are fitted on" if held else "")
        + "; without judgements there is no nDCG"
    )
    return Parts(whole.some(sorted(fit)), whole.some(sorted(queries)), whole.some(sorted(searched)))


def _read(path: str | Path, dimensions: int, reading: Mapping) -> tuple[Side | Retrieval, list[str]]:
    """A source's distinct texts, its rows with judgements, or the vectors of a .npy; and what its reader has to say."""
    if Path(path).suffix == ".npy":
        return Side((), "document", vectors(Path(path), dimensions)), []
    rows = data.read_texts(path, **reading)
    if isinstance(rows, Pairs):
        rows = rows.retrieval()
    if isinstance(rows, Retrieval):
        return rows, list(rows.notes)
    found = source.read(path, **reading)
    return Side(found.texts), list(found.notes)


def vectors(path: Path, dimensions: int) -> Rows:
    """The vectors [n, D] of a .npy, read as they are asked for.

    Raises CallError where they are not, or hold NaN (the rows).
    """
    try:
        found = Rows(path)
    except FileNotFoundError:
        raise CallError(f"There is no file {path}") from None
    except (OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError) as error:
        raise CallError(f"{path} can't be read as an array of NumPy's: {error}") from None
    if found.ndim != 2 or found.dtype.kind != "f" or found.shape[1] != dimensions:
        raise CallError(
            f"{path}: expected vectors [n, {dimensions}] of floats; found {found.dtype} {list(found.shape)}"
        )
    try:
        return checked(found, dimensions)
    except CallError as error:
        raise CallError(f"{path}: {error}") from None


def _drawn(count: int, most: int, seed: int) -> list[int]:
    """At most `most` of so many rows, in their order."""
    if count <= most:
        return list(range(count))
    return np.sort(np.random.default_rng(seed).permutation(count)[:most]).tolist()
