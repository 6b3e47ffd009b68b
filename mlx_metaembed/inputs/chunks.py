"""Texts in few shapes, as an engine takes them: sorted by length, and cut into chunks whose rows are powers of two,
padded to a few lengths.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.inputs.token_store import Store

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
    def real(self) -> np.ndarray:
        """The tokens of texts, bool [b, L]: not those of rows that only fill up the shape."""
        return self.mask & (np.arange(len(self.mask)) < self.texts)[:, None]

    @property
    def tokens(self) -> int:
        """Real tokens."""
        return int(self.mask[: self.texts].sum())


def chunks(
    store: Store, texts: Sequence[int], *, pad_id: int, chunk_tokens: int, most_texts: int | None = None
) -> tuple[list[Chunk], np.ndarray]:
    """Cut texts into padded chunks of few shapes; also each text's row among all rows of all chunks, int32.

    A chunk holds at most `chunk_tokens` tokens with padding, but at least `least_rows` of its length, and never more
    than `most_texts` rows.
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
        count = _rows_together(padded[first:], chunk_tokens, most_texts)
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


def _rows_together(padded: np.ndarray, most: int, most_texts: int | None) -> int:
    """How many leading texts make one chunk: a power of two, within the budget and with little waste."""
    count, within = least_rows(int(padded[0])), len(padded)
    if most_texts is not None:
        count, within = min(count, 1 << most_texts.bit_length() - 1), min(within, most_texts)
    while count * 2 <= within and count * 2 * padded[0] <= most:
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
