"""A search index as a folder: a usearch graph, the texts beside it, and index.json that says how both were made.

Up to 10,000 rows every one is compared, which takes under a millisecond a query and misses nothing; above, the HNSW
graph is walked. The folder is written whole or not at all, and its files are checked before usearch sees them:
a damaged graph would end the process, not raise.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.codes import binary
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.search import about as declared
from mlx_metaembed.search import corpus, fingerprint, scalars
from mlx_metaembed.search.about import GRAPH, About
from mlx_metaembed.search.library import usearch

EXPANSION = 128
CANDIDATES = 200
"""Rows that a float query puts in order after the graph of signs has found them."""
STEP = 2_000
SAME = {"f32": 0.98, "f16": 0.98, "i8": 0.98, "b1": 0.9}
"""Least cosine between a stored vector and the model's own today; other engines and dtypes stay above."""


@dataclass(frozen=True)
class Hit:
    """One row found: its score (larger is nearer), its place in the corpus, its id and text."""

    score: float
    row: int
    id: str
    text: str
    path: str | None = None
    line: int | None = None


def build(
    vectors: np.ndarray,
    texts: Sequence[str],
    ids: Sequence[str],
    out: str | Path,
    *,
    model: str,
    dtype: str = "f16",
    metric: str = "cosine",
    prompts: Mapping[str, str] | None = None,
    max_seq_length: int = 512,
    fingerprint: Mapping[str, str] | None = None,
    lines: Sequence[tuple[str, int]] = (),
    progress: Callable[[int], object] = lambda rows: None,
) -> About:
    """Write an index of vectors [N, D] with their texts and ids into the folder `out`, which must be new or empty.

    `fingerprint` is the model's, `lines` are the file and line of each text that is a note's part; `progress` hears of
    each step how many rows it added. Raises CallError for input that does not fit together, JobError where the folder
    can't be written; `out` is then as it was.
    """
    out, vectors = Path(out), np.asarray(vectors, np.float32)
    scalars.check(dtype, metric)
    _check_rows(vectors, texts, ids)
    disk.require_vacant(out)
    graph = usearch().Index(ndim=vectors.shape[1], dtype=_kind(dtype), metric=_distance(dtype, metric))
    for start in range(0, len(vectors), STEP):
        block = scalars.stored(vectors[start : start + STEP], dtype)
        graph.add(np.arange(start, start + len(block)), block, dtype=_input(dtype))
        progress(len(block))
    with disk.replacing(out) as partial:
        try:
            graph.save(str(partial / GRAPH))
        except RuntimeError as error:
            raise OSError(f"usearch could not save the graph ({error}); probably the disk is full") from error
        corpus.write(partial, ids, texts, lines)
        about = About(
            model,
            vectors.shape[1],
            dtype,
            metric,
            len(texts),
            dict(prompts or {}),
            max_seq_length,
            dict(fingerprint or {}),
        )
        declared.write(about, partial)
    return about


def open(path: str | Path) -> "Index":
    """Open an index folder. Raises CallError where it is none, is damaged, or its files contradict each other."""
    return Index(Path(path), declared.read(Path(path)))


class Index:
    """An index opened for search; the graph stays on the disk and is mapped into memory."""

    def __init__(self, path: Path, about: About) -> None:
        self.path, self.about = path, about
        self.corpus = corpus.Corpus(path, about.count)
        self._graph = usearch().Index(
            ndim=about.dims,
            dtype=_kind(about.dtype),
            metric=_distance(about.dtype, about.metric),
            expansion_search=EXPANSION,
        )
        try:
            self._graph.view(str(path / GRAPH))
        except RuntimeError as error:
            raise CallError(f"{path / GRAPH} can't be read ({error}); build the index again") from None
        found = (len(self._graph), self._graph.ndim, self._graph.dtype)
        if found != (about.count, about.dims, _kind(about.dtype)):
            raise CallError(f"{path / GRAPH} holds {found}, index.json says otherwise; build the index again")

    def search(self, vectors: np.ndarray, k: int = 10) -> list[list[Hit]]:
        """The k best rows for each query [Q, D], best first, equal scores by row. Raises CallError for other widths."""
        rows, scores = zip(*(self.nearest(query, k) for query in self._checked(vectors, k)), strict=True)
        found = []
        for line, values in zip(rows, scores, strict=True):
            texts = self.corpus[line]
            found.append([Hit(float(s), int(row), *pair) for row, s, pair in zip(line, values, texts, strict=True)])
        return found

    def require_model(self, dimensions: int, prompts: Mapping[str, str]) -> None:
        """Raise CallError for a model whose width or prompts can't be those that the index was built with."""
        about = self.about
        if dimensions < about.dims:
            raise CallError(f"{self.path} holds {about.dims} dimensions, the model gives {dimensions}: another model?")
        if dict(prompts) != about.prompts:
            raise CallError(
                f"{self.path} was built with the prompts {about.prompts}, the model has {dict(prompts)} now. "
                "Build the index again."
            )

    def require_fingerprint(self, found: Mapping[str, str], model: str) -> None:
        """Raise CallError for a model that is not the one of the index; without a fingerprint nothing can be told."""
        advice = "Search with the model that it was built with (--model), or build the index again with this one."
        made = {"kept": self.about.fingerprint, "maker": self.about.model, "what": "index", "where": self.path}
        fingerprint.require(found, model, **made, advice=advice)

    def require_same(self, text_vector: np.ndarray) -> None:
        """Raise CallError where the model's vector [D] of `probe()` is no longer the one that stands in the index."""
        here = self.vectors([self.corpus.shortest()])
        now = text_vector[None]
        if self.about.dtype == "b1":
            now = binary.signs(binary.pack(now), self.about.dims)
        cosine = float((unit(now) * unit(here)).sum())
        if not cosine >= SAME[self.about.dtype]:
            raise CallError(
                f"The model gives other vectors than those in {self.path} (cosine {cosine:.2f} for the same text): "
                "it was trained further, or it is another one. Build the index again."
            )

    def probe(self) -> str:
        """A short text of the corpus, for `require_same`."""
        return self.corpus[[self.corpus.shortest()]][0].text

    def vectors(self, rows: Sequence[int]) -> np.ndarray:
        """What the index holds of some rows, float32 [n, D]; of i8 and b1 at length 1."""
        found = np.stack(self._graph.get(np.asarray(rows, np.uint64)))
        return scalars.restored(found, self.about.dtype, self.about.dims)

    def nearest(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [k] and scores float32 [k] for one query [D], best first, equal scores by row."""
        about = self.about
        count = min(max(k, CANDIDATES) if about.dtype == "b1" else k, about.count)
        asked = scalars.stored(query[None], about.dtype)
        # One query at a time: a batch pads its short results with garbage.
        matches = self._graph.search(asked, count, exact=about.exact, dtype=_input(about.dtype))
        rows = matches.keys.astype(np.int64)
        if about.dtype == "b1":
            scores = (self.vectors(rows) @ unit(query[None])[0]).astype(np.float32)
        else:
            scores = scalars.scores(matches.distances, about.metric)
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], scores[order]

    def _checked(self, vectors: np.ndarray, k: int) -> np.ndarray:
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.about.dims or not len(vectors):
            raise CallError(f"Expected queries [Q, {self.about.dims}]; found an array of shape {list(vectors.shape)}")
        if k < 1:
            raise CallError(f"k = {k}: expected 1 or more hits")
        if not np.isfinite(vectors).all():
            raise CallError("A query's vector holds NaN or infinity")
        return vectors


def _kind(dtype: str) -> object:
    return getattr(usearch().ScalarKind, dtype.upper())


def _input(dtype: str) -> object:
    """The kind of what `scalars.stored` hands over: named, for usearch guesses bits from some arrays of bytes."""
    return _kind("f32" if dtype == "f16" else dtype)


def _distance(dtype: str, metric: str) -> str:
    return "hamming" if dtype == "b1" else scalars.METRICS[metric]


def _check_rows(vectors: np.ndarray, texts: Sequence[str], ids: Sequence[str]) -> None:
    if vectors.ndim != 2 or not vectors.size:
        raise CallError(f"Expected vectors [N, D] of at least one row; found an array of shape {list(vectors.shape)}")
    if not len(vectors) == len(texts) == len(ids):
        raise CallError(f"Found {len(vectors):,} vectors, {len(texts):,} texts and {len(ids):,} ids; expected one each")
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(name for name in ids if name in seen or seen.add(name))
        raise CallError(f"The id {twice!r} comes more than once; expected one row an id")
    wrong = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(wrong):
        raise CallError(f"{len(wrong):,} vectors hold NaN or infinity, the first at row {wrong[0]}")
