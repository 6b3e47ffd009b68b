"""A search index as a folder: a usearch graph, the texts beside it, and index.json that says how both were made.

Up to 10,000 rows every one is compared, which takes under a millisecond a query and misses nothing; above, the HNSW
graph is walked. The folder is written whole or not at all, and its files are checked before usearch sees them:
a damaged graph would end the process, not raise.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mlx_metaembed.codes import binary
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.search import about as declared
from mlx_metaembed.search import corpus, scalars
from mlx_metaembed.search.about import GRAPH, About
from mlx_metaembed.search.code_index import CodeIndex
from mlx_metaembed.search.library import usearch
from mlx_metaembed.search.opened import Opened, check_rows

EXPANSION = 128
CANDIDATES = 200
"""Rows that a float query puts in order after the graph of signs has found them."""
STEP = 2_000
SAME = {"f32": 0.98, "f16": 0.98, "i8": 0.98, "b1": 0.9}
"""Least cosine between a stored vector and the model's own today; other engines and dtypes stay above."""


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
    check_rows(vectors, texts, ids)
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


def open(path: str | Path) -> Opened:
    """Open an index folder. Raises CallError where it is none, is damaged, or its files contradict each other."""
    path = Path(path)
    about = declared.read(path)
    return CodeIndex(path, about) if about.code else Index(path, about)


class Index(Opened):
    """An index opened for search; the graph stays on the disk and is mapped into memory."""

    def __init__(self, path: Path, about: About) -> None:
        super().__init__(path, about)
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

    def require_same(self, text_vector: np.ndarray) -> None:
        """Raise CallError where the model's vector [D] of `probe()` is no longer the one that stands in the index."""
        here = self.vectors([self.corpus.shortest()])
        now = text_vector[None]
        if self.about.dtype == "b1":
            now = binary.signs(binary.pack(now), self.about.dims)
        cosine = float((unit(now) * unit(here)).sum())
        self.require_alike(cosine, SAME[self.about.dtype])

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


def _kind(dtype: str) -> object:
    return getattr(usearch().ScalarKind, dtype.upper())


def _input(dtype: str) -> object:
    """The kind of what `scalars.stored` hands over: named, for usearch guesses bits from some arrays of bytes."""
    return _kind("f32" if dtype == "f16" else dtype)


def _distance(dtype: str, metric: str) -> str:
    return "hamming" if dtype == "b1" else scalars.METRICS[metric]
