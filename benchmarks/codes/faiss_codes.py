"""Faiss's quantizers as codecs: fitted on the same sample, scored by the same float queries."""

from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np

from mlx_metaembed.codes.prefix import unit

BEAM = 8
OPQ_ROWS = 6_000


@dataclass(frozen=True)
class Peer:
    """An index's own codes; a query's score is the product with what they stand for, at length 1 as the kit's."""

    kind: str
    bytes_per_vector: int
    index: Any
    turn: Any = None

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        vectors = np.ascontiguousarray(vectors)
        return self.index.sa_encode(self.turn.apply(vectors) if self.turn else vectors)

    def score(self, queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
        queries = np.ascontiguousarray(queries)
        return (self.turn.apply(queries) if self.turn else queries) @ unit(self.index.sa_decode(codes)).T


def residual(sample: np.ndarray, size: int) -> Peer:
    """ResidualQuantizer, a byte a stage."""
    index = faiss.IndexResidualQuantizer(sample.shape[1], size, 8, faiss.METRIC_INNER_PRODUCT)
    index.rq.max_beam_size = BEAM
    index.train(sample)
    return Peer("faiss-rq", index.sa_code_size(), index)


def opq(sample: np.ndarray, size: int) -> Peer:
    """OPQ to the nearest width that so many parts divide, then a ProductQuantizer."""
    width = sample.shape[1] // size * size
    turn = faiss.OPQMatrix(sample.shape[1], size, width)
    turn.train(np.ascontiguousarray(sample[:OPQ_ROWS]))
    index = faiss.IndexPQ(width, size, 8, faiss.METRIC_INNER_PRODUCT)
    index.train(turn.apply(sample))
    return Peer("faiss-opq", index.sa_code_size(), index, turn)


@dataclass(frozen=True)
class RaBitQ:
    """IndexRaBitQ behind a random rotation; it gives no decoded vectors, so it is searched whole."""

    index: Any
    bytes_per_vector: int
    kind: str = "faiss-rabitq"

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        self.index.reset()
        self.index.add(np.ascontiguousarray(vectors))
        return np.zeros((len(vectors), 1), np.uint8)

    def score(self, queries: np.ndarray, codes: np.ndarray) -> np.ndarray:
        found = np.empty((len(queries), len(codes)), np.float32)
        products, rows = self.index.search(np.ascontiguousarray(queries), len(codes))
        np.put_along_axis(found, rows, products, axis=1)
        return found


def rabitq(sample: np.ndarray, size: int) -> RaBitQ:
    """One bit a dimension."""
    width = sample.shape[1]
    inner = faiss.IndexRaBitQ(width, faiss.METRIC_INNER_PRODUCT)
    # Queries as floats, as the others' are.
    inner.qb = 0
    index = faiss.IndexPreTransform(faiss.RandomRotationMatrix(width, width), inner)
    index.train(sample)
    return RaBitQ(index, inner.code_size)
