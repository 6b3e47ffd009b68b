"""Rows in a seeded order, texts in few shapes: what the loop and the embedder feed to an engine.

Rows of like length share a batch (sorted inside a window of batches, then the batches are shuffled). A batch's
distinct texts are sorted by length and cut into chunks whose rows are powers of two, padded to a few lengths.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.inputs.tokens import Store

WINDOW = 4
"""Batches inside which rows are sorted by length."""
LEAST_TOKENS = 128
"""A chunk is not cut smaller than about this, however the lengths fall."""
WASTE = 0.03
"""Shorter texts join a chunk where that makes at most this share of it padding."""


@dataclass(frozen=True)
class Chunk:
    """Texts that go through the trunk together: ids int32 [b, L], mask and pooled bool [b, L], real texts first.

    `tasks` int32 [b] is each row's adapter, -1 for none; None where the trunk has no adapters.
    """

    ids: np.ndarray
    mask: np.ndarray
    pooled: np.ndarray
    texts: int
    tasks: np.ndarray | None = None

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return int(self.mask[: self.texts].sum())


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


def chunks(store: Store, texts: Sequence[int], *, pad_id: int, chunk_tokens: int) -> tuple[list[Chunk], np.ndarray]:
    """Cut texts into padded chunks of few shapes; also each text's row among all rows of all chunks, int32.

    A chunk holds at most `chunk_tokens` tokens with padding, but at least `least_rows` of its length.
    """
    texts = np.asarray(texts)
    lengths = store.lengths[texts]
    order = np.argsort(-lengths, kind="stable")
    # No text is longer than the longest of the store, which the trunk has positions for.
    longest = max(int(store.lengths.max(initial=1)), 1)
    padded = np.array([min(bucket(int(length)), longest) for length in lengths[order]], np.int64)
    places = np.zeros(len(texts), np.int32)
    made: list[Chunk] = []
    first, row = 0, 0
    while first < len(order):
        count = _rows_together(padded[first:], chunk_tokens)
        members = order[first : first + count]
        made.append(_chunk(store, texts[members], (count, int(padded[first])), pad_id))
        places[members] = row + np.arange(len(members))
        first, row = first + count, row + count
    return made, places


def least_rows(length: int) -> int:
    """The fewest rows of a chunk of so many tokens a row: a power of two, 8 up to 16 tokens, 1 from 128 on."""
    rows = 8
    while rows > 1 and rows * length > LEAST_TOKENS:
        rows //= 2
    return rows


def bucket(length: int) -> int:
    """The padded length: a multiple of 4 up to 64, of 8 up to 128, of 16 up to 256, of 32 above."""
    step = next((step for step, most in ((4, 64), (8, 128), (16, 256)) if length <= most), 32)
    return max(-(-length // step) * step, step)


def padding_share(real: int, padded: int) -> float:
    """The share of the computed tokens that were padding."""
    return 1 - real / padded if padded else 0.0


def _rows_together(padded: np.ndarray, most: int) -> int:
    """How many leading texts make one chunk: a power of two, within the budget and with little waste."""
    count = least_rows(int(padded[0]))
    while count * 2 <= len(padded) and count * 2 * padded[0] <= most:
        if 1 - padded[: count * 2].sum() / (padded[0] * count * 2) > WASTE:
            break
        count *= 2
    return count


def _chunk(store: Store, texts: np.ndarray, shape: tuple[int, int], pad_id: int) -> Chunk:
    ids = np.full(shape, pad_id, np.int32)
    mask = np.zeros(shape, np.bool_)
    pooled = np.zeros(shape, np.bool_)
    # Rows that only fill up the shape have one token, so that no row is empty.
    mask[len(texts) :, 0] = pooled[len(texts) :, 0] = True
    for row, text in enumerate(texts):
        tokens = store[text] if store.lengths[text] else [pad_id]
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = True
        pooled[row, min(int(store.prompts[text]), len(tokens) - 1) : len(tokens)] = True
    tasks = None
    if store.tasks is not None:
        tasks = np.full(len(ids), -1, np.int32)
        tasks[: len(texts)] = store.tasks[texts]
    return Chunk(ids, mask, pooled, len(texts), tasks)
