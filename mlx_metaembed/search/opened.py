"""What every index has, whatever holds its vectors: hits with their texts, and a look at whose vectors it holds."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.search import corpus, fingerprint
from mlx_metaembed.search.about import About


@dataclass(frozen=True)
class Hit:
    """One row found: its score (larger is nearer), its place in the corpus, its id and text."""

    score: float
    row: int
    id: str
    text: str
    path: str | None = None
    line: int | None = None


class Opened(ABC):
    """An index opened for search."""

    def __init__(self, path: Path, about: About) -> None:
        self.path, self.about = path, about
        self.corpus = corpus.Corpus(path, about.count)

    def ranked(self, queries: np.ndarray, k: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """What `nearest` gives for each of some queries [Q, D]."""
        return [self.nearest(query, k) for query in queries]

    @abstractmethod
    def nearest(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [k] and scores float32 [k] for one query [D], best first, equal scores by row."""

    @abstractmethod
    def vectors(self, rows: Sequence[int]) -> np.ndarray:
        """What the index holds of some rows, float32 [n, D]."""

    @abstractmethod
    def require_same(self, text_vector: np.ndarray) -> None:
        """Raise CallError where the model's vector [D] of `probe()` is no longer the one that stands in the index."""

    def require_alike(self, cosine: float, least: float) -> None:
        """Raise CallError where the cosine of a text's vector, now and in the index, is below `least`."""
        if not cosine >= least:
            raise CallError(
                f"The model gives other vectors than those in {self.path} (cosine {cosine:.2f} for the same text): "
                "it was trained further, or it is another one. Build the index again."
            )

    def search(self, vectors: np.ndarray, k: int = 10) -> list[list[Hit]]:
        """The k best rows for each query [Q, D], best first, equal scores by row. Raises CallError for other widths."""
        rows, scores = zip(*self.ranked(self._checked(vectors, k), k), strict=True)
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

    def probe(self) -> str:
        """A short text of the corpus, for `require_same`."""
        return self.corpus[[self.corpus.shortest()]][0].text

    def _checked(self, vectors: np.ndarray, k: int) -> np.ndarray:
        vectors = np.asarray(vectors, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.about.dims or not len(vectors):
            raise CallError(f"Expected queries [Q, {self.about.dims}]; found an array of shape {list(vectors.shape)}")
        if k < 1:
            raise CallError(f"k = {k}: expected 1 or more hits")
        if not np.isfinite(vectors).all():
            raise CallError("A query's vector holds NaN or infinity")
        return vectors


def check_rows(vectors: np.ndarray, texts: Sequence[str], ids: Sequence[str]) -> None:
    """Raise CallError for vectors, texts and ids that do not fit together."""
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
