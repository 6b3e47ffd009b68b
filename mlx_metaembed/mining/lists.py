"""A corpus in lists of like vectors, of which a query looks through those nearest to it, and in them compares all.

What is found is exact in its scores and lacks what lies in other lists: how many are looked through is chosen on some
queries so that 95 % of their nearest rows are found, and told on others. An inverted file: arXiv:1702.08734, section 2.
Q queries, N rows, D features, L lists.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.files import disk
from mlx_metaembed.mining.nearest import block_rows, nearest
from mlx_metaembed.mining.vectors import Vectors
from mlx_metaembed.search import exact

RECALL = 0.95
"""Of a query's nearest rows, on the average."""
LOOKED_AT = 512
"""Queries that are compared with every row: one half chooses, the other one tells."""
A_LIST, STEPS = 64, 6
"""Rows of a sample for each list, and Lloyd's steps on them: more change little."""
MOST_LISTS = 4_096
SHARE = 0.25
"""Of the lists: where more have to be looked through, little is gained over comparing every row."""
READ = 65_536
"""Rows of the corpus that are put into lists together."""


@dataclass(frozen=True)
class Lists:
    """The vectors list after list, what rows of the corpus they are int64 [N], where lists begin int64 [L + 1], and
    centres float32 [L, D].
    """

    vectors: Vectors
    rows: np.ndarray
    starts: np.ndarray
    centres: np.ndarray
    similarity: str

    def __len__(self) -> int:
        return len(self.centres)

    def order(self, queries: np.ndarray, most: int) -> np.ndarray:
        """The lists nearest to each query, nearest first, int64 [Q, most]."""
        return exact.rankings(exact.score_blocks(queries, self.centres, similarity=self.similarity), most)[0]

    def nearest(self, queries: np.ndarray, k: int, looked: int, memory: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows int64 [Q, k] and scores float32 [Q, k] of the best in so many lists a query, best first.

        -1 and -infinity where the lists have fewer rows. Equal scores are ordered by row.
        """
        # Of each list the best k of a query wait for the other lists: rows and scores.
        step = max(1, memory // 16 // (12 * looked * k))
        parts = [self._of(queries[at : at + step], k, looked) for at in range(0, len(queries), step)]
        rows, scores = zip(*parts, strict=True)
        return np.concatenate(rows), np.concatenate(scores)

    def _of(self, queries: np.ndarray, k: int, looked: int) -> tuple[np.ndarray, np.ndarray]:
        order = self.order(queries, looked)
        rows = np.full((len(queries), looked, k), -1, np.int64)
        scores = np.full((len(queries), looked, k), -np.inf, np.float32)
        by_list = np.argsort(order, axis=None, kind="stable")
        starts = np.searchsorted(order.reshape(-1)[by_list], np.arange(len(self) + 1))
        for at in np.flatnonzero(np.diff(starts)):
            asked, places = np.divmod(by_list[starts[at] : starts[at + 1]], looked)
            first, last = int(self.starts[at]), int(self.starts[at + 1])
            if first == last:
                continue
            block = self.vectors.block(first, last)
            settings = {"similarity": self.similarity, "floats": len(asked) * len(block)}
            found = next(exact.score_blocks(queries[asked], block, **settings))
            # No order yet: the best of all lists are sorted once.
            best = np.argpartition(-found, k - 1, axis=1)[:, :k] if len(block) > k else np.arange(len(block))[None]
            rows[asked, places, : best.shape[1]] = self.rows[first + best]
            scores[asked, places, : best.shape[1]] = np.take_along_axis(found, best, axis=1)
        rows, scores = rows.reshape(len(queries), -1), scores.reshape(len(queries), -1)
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        rows, scores = np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)
        best = np.lexsort((rows, -scores))
        return np.take_along_axis(rows, best, axis=1), np.take_along_axis(scores, best, axis=1)


def count(rows: int) -> int:
    """How many lists a corpus of so many rows has."""
    return int(min(MOST_LISTS, max(1, 2 * rows**0.5)))


def stored(path: Path, vectors: Vectors, similarity: str, advance: Callable[[int], None]) -> Lists:
    """The lists of a corpus, in files beside `path`; made where they are not there whole."""
    about, listed = path.with_suffix(".npz"), path.with_suffix(".f32")
    if not about.is_file():
        centres = _centres(vectors, count(len(vectors)))
        members = _members(vectors, centres, advance)
        rows = np.argsort(members, kind="stable")
        starts = np.searchsorted(members[rows], np.arange(len(centres) + 1))
        with disk.replacing_file(listed) as partial:
            _write(partial, vectors, members, starts)
        # Last: what says that the other is whole.
        with disk.replacing_file(about) as partial, partial.open("wb") as file:
            np.savez(file, rows=rows, starts=starts, centres=centres)
    else:
        advance(len(vectors))
    with np.load(about, allow_pickle=False) as found:
        rows, starts, centres = found["rows"], found["starts"], found["centres"]
    return Lists(Vectors(listed, len(vectors), vectors.width), rows, starts, centres, similarity)


def looked_through(lists: Lists, queries: Vectors, corpus: Vectors, k: int, memory: int) -> tuple[int, float]:
    """How many lists a query looks through, and what share of its k nearest rows it finds in them, on the average.

    The number is the least by which one half of some queries finds 95 %; the share is the other half's.
    """
    found = queries.rows(sample(len(queries)))
    near, _ = nearest(found, corpus.blocks(block_rows(len(found), memory)), k, lists.similarity)
    order, members = lists.order(found, len(lists)), np.empty(len(corpus), np.int64)
    members[lists.rows] = np.repeat(np.arange(len(lists)), np.diff(lists.starts))
    # Where in each query's order the list of each of its nearest rows stands.
    places = np.empty_like(order)
    np.put_along_axis(places, order, np.arange(len(lists))[None], axis=1)
    needed = np.take_along_axis(places, members[near], axis=1)
    chooses, tells = needed[::2], needed[1::2] if len(needed) > 1 else needed
    looked = int(np.quantile(chooses, RECALL, method="higher")) + 1
    return looked, float((tells < looked).mean())


def sample(queries: int) -> np.ndarray:
    """Some queries, of all parts of so many."""
    return np.unique(np.linspace(0, queries - 1, LOOKED_AT).astype(np.int64))


def _centres(vectors: Vectors, lists: int) -> np.ndarray:
    """Means of like vectors by some of Lloyd's steps on a sample, float32 [L, D]; the sample's order is the start."""
    random = np.random.default_rng(0)
    rows = random.permutation(len(vectors))[: A_LIST * lists]
    sample = vectors.rows(rows)
    centres = sample[:lists].copy()
    for _ in range(STEPS):
        members = _nearest(sample, centres)
        order = np.argsort(members, kind="stable")
        held, first, counts = np.unique(members[order], return_index=True, return_counts=True)
        centres[held] = np.add.reduceat(sample[order], first, axis=0) / counts[:, None]
    return centres


def _members(vectors: Vectors, centres: np.ndarray, advance: Callable[[int], None]) -> np.ndarray:
    """The list of each row, int64 [N]."""
    found = []
    for block in vectors.blocks(READ):
        found.append(_nearest(block, centres))
        advance(len(block))
    return np.concatenate(found)


def _nearest(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The nearest centre of each vector, int64 [n]."""
    half, step = np.sum(centres * centres, axis=1) / 2, max(1, exact.BLOCK_FLOATS // len(centres))
    starts = range(0, len(vectors), step)
    return np.concatenate([np.argmax(vectors[at : at + step] @ centres.T - half, axis=1) for at in starts])


def _write(path: Path, vectors: Vectors, members: np.ndarray, starts: np.ndarray) -> None:
    """The vectors list after list, each list's in the corpus's order, into a file."""
    ends, row = starts[:-1].copy(), vectors.width * 4
    with path.open("wb") as file:
        for number, block in enumerate(vectors.blocks(READ)):
            own = members[number * READ : number * READ + len(block)]
            order = np.argsort(own, kind="stable")
            held, first, counts = np.unique(own[order], return_index=True, return_counts=True)
            block = block[order]
            for at, begin, size in zip(held, first, counts, strict=True):
                os.pwrite(file.fileno(), memoryview(block[begin : begin + size]).cast("B"), int(ends[at]) * row)
                ends[at] += size
