"""Rows in a seeded order, and the batches of them that an objective is given.

Rows of like length share a batch: they are sorted inside a window of batches, then the batches are shuffled.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.inputs.chunks import Chunk, chunks
from mlx_metaembed.inputs.token_store import Store

WINDOW = 4
"""Batches inside which rows are sorted by length."""


@dataclass(frozen=True)
class Batch:
    """Chunks, and where each row's vectors stand among all the chunks' rows.

    anchors and positives int32 [B]; negatives int32 [B, N] or None; mask bool [B, B + B * N] (see losses/). Where the
    vectors are there already, chunks are none, and the rows are the texts of these numbers.
    """

    chunks: tuple[Chunk, ...]
    texts: np.ndarray
    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray | None
    mask: np.ndarray


@dataclass(frozen=True)
class Columns:
    """Rows as text numbers into a store: anchors, positives int64 [R]; negatives int64 [R, N], -1 for none.

    `same` int64 [texts] is one number for all entries of the store with one text, whatever prompts they carry; None
    where no two have.
    """

    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    same: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.anchors)

    def tokens(self, lengths: np.ndarray) -> np.ndarray:
        """Tokens of each row, all its texts together."""
        count = np.append(lengths, 0)
        return count[self.anchors] + count[self.positives] + count[self.negatives].sum(axis=1)

    def plain(self, numbers: np.ndarray) -> np.ndarray:
        """Text numbers that are equal where the texts are, with or without a prompt; -1 stays."""
        return numbers if self.same is None else np.append(self.same, -1)[numbers]


def epoch(row_tokens: np.ndarray, batch_size: int, *, seed: int, number: int) -> list[np.ndarray]:
    """The batches of epoch `number` as arrays of row numbers; every row once, but for a last batch of a single row."""
    random = np.random.default_rng((seed, number))
    order = random.permutation(len(row_tokens))
    window = WINDOW * batch_size
    parts = [order[first : first + window] for first in range(0, len(order), window)]
    order = np.concatenate([part[np.argsort(row_tokens[part], kind="stable")] for part in parts])
    cut = [order[first : first + batch_size] for first in range(0, len(order), batch_size)]
    cut = [rows for rows in cut if len(rows) > 1] or cut
    return [cut[at] for at in random.permutation(len(cut))]


def steps_per_epoch(rows: int, batch_size: int) -> int:
    """Batches that `epoch` gives for so many rows."""
    full, rest = divmod(rows, batch_size)
    return max(full + (rest > 1), 1)


def batch(store: Store, columns: Columns, rows: np.ndarray, *, pad_id: int, chunk_tokens: int) -> Batch:
    """One batch: a text that several rows share goes through the trunk once."""
    return _assembled(columns, rows, lambda used: chunks(store, used, pad_id=pad_id, chunk_tokens=chunk_tokens))


def pooled_batch(columns: Columns, rows: np.ndarray) -> Batch:
    """One batch of texts whose vectors are known."""
    return _assembled(columns, rows, lambda used: ([], np.arange(len(used))))


def _assembled(
    columns: Columns, rows: np.ndarray, place: Callable[[np.ndarray], tuple[list[Chunk], np.ndarray]]
) -> Batch:
    anchors, positives, negatives = columns.anchors[rows], columns.positives[rows], columns.negatives[rows]
    count = int((negatives >= 0).sum(axis=1).max(initial=0))
    # The real negatives of each row come first.
    negatives = np.take_along_axis(negatives, np.argsort(negatives < 0, axis=1, kind="stable"), axis=1)[:, :count]
    used = np.unique(np.concatenate([anchors, positives, negatives[negatives >= 0]]))
    pieces, places = place(used)
    at = np.zeros(int(used.max()) + 1, np.int32)
    at[used] = places
    return Batch(
        chunks=tuple(pieces),
        texts=used,
        anchors=at[anchors],
        positives=at[positives],
        negatives=at[negatives] if count else None,
        mask=candidates_mask(*(columns.plain(each) for each in (anchors, positives, negatives))),
    )


def candidates_mask(anchors: np.ndarray, positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """Which candidates count for which row, bool [B, B + B * N], from text numbers (-1 = no negative).

    Left out: padding; a candidate with the text of the row's own anchor or positive; a positive of the same anchor.
    The row's own positive always counts.
    """
    rows = len(anchors)
    candidates = np.concatenate([positives, negatives.reshape(-1)])
    mask = (candidates >= 0)[None, :] & (candidates != positives[:, None]) & (candidates != anchors[:, None])
    same_anchor = anchors[:, None] == anchors[None, :]
    # A text that is a positive of this anchor anywhere in the batch is no negative of it.
    related = np.zeros((rows, len(candidates)), bool)
    for row in np.flatnonzero(same_anchor.sum(axis=1) > 1):
        related[row] = np.isin(candidates, positives[same_anchor[row]])
    mask &= ~related
    mask[np.arange(rows), np.arange(rows)] = True
    return mask
