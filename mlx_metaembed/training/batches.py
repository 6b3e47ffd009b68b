"""Rows in a seeded order, and the batches of them that an objective is given.

Rows of like length share a batch: they are sorted inside a window of batches, then the batches are shuffled.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlx_metaembed.inputs.chunks import Chunk, chunks
from mlx_metaembed.inputs.token_store import Store

WINDOW = 4
"""Batches inside which rows are sorted by length."""
NEGATIVE, SCORES, ALL = "negative", "negative_score", "all"
TAUGHT = "teacher.negative."
"""What the names of teachers' vectors of negatives begin with."""
ANCHOR = "anchor_number"
"""The target int32 [B] that is equal for rows whose anchors are one text."""


@dataclass(frozen=True)
class TokenizedRows:
    """Rows as text numbers into a store, by role: int64 [R], or [R, N] of negatives with -1 for none.

    `targets` [R, ...] are what losses compare with. `same` int64 [texts] is one number for all entries of the store
    with one text, whatever prompts they carry; None where no two have.
    """

    texts: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray] = field(default_factory=dict)
    same: np.ndarray | None = None

    def __len__(self) -> int:
        return len(next(iter(self.texts.values())))

    def tokens(self, lengths: np.ndarray) -> np.ndarray:
        """Tokens of each row, all its texts together."""
        count = np.append(lengths, 0)
        return sum(count[numbers].reshape(len(self), -1).sum(axis=1) for numbers in self.texts.values())

    def plain(self, numbers: np.ndarray) -> np.ndarray:
        """Text numbers that are equal where the texts are, with or without a prompt; -1 stays."""
        return numbers if self.same is None else np.append(self.same, -1)[numbers]


@dataclass(frozen=True)
class Batch:
    """Chunks, and where each row's outputs stand among all the chunks' rows.

    `places` int32 [B] by role, or [B, N] of negatives where a row has any; of the role `all` the batch's distinct
    texts, whose numbers are `texts`. `mask` bool [B, B + B * N] (see losses/) where rows are pairs. Where the vectors
    are there already, chunks are none, and the places are those of the texts.
    """

    chunks: tuple[Chunk, ...]
    texts: np.ndarray
    places: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    mask: np.ndarray | None

    def __len__(self) -> int:
        return len(next(iter(self.places.values())))


def epoch(row_tokens: np.ndarray, batch_size: int, *, seed: Sequence[int]) -> list[np.ndarray]:
    """The batches of an epoch as arrays of row numbers; every row once, but for a last batch of a single row."""
    random = np.random.default_rng(tuple(seed))
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


def batch(store: Store, rows: TokenizedRows, chosen: np.ndarray, *, pad_id: int, chunk_tokens: int) -> Batch:
    """One batch of the chosen rows: a text that several of them share goes through the trunk once."""
    return _assembled(rows, chosen, lambda used: chunks(store, used, pad_id=pad_id, chunk_tokens=chunk_tokens))


def pooled_batch(rows: TokenizedRows, chosen: np.ndarray) -> Batch:
    """One batch of texts whose vectors are known."""
    return _assembled(rows, chosen, lambda used: ([], np.arange(len(used), dtype=np.int32)))


def _assembled(
    rows: TokenizedRows, chosen: np.ndarray, place: Callable[[np.ndarray], tuple[list[Chunk], np.ndarray]]
) -> Batch:
    numbers = {role: each[chosen] for role, each in rows.texts.items()}
    targets = {name: _own(each[chosen]) for name, each in rows.targets.items()}
    if NEGATIVE in numbers:
        _negatives_first(numbers, targets)
    used = np.unique(np.concatenate([each[each >= 0] for each in numbers.values()]))
    pieces, places = place(used)
    at = np.zeros(int(used.max()) + 1, np.int32)
    at[used] = places
    found = {role: at[each] for role, each in numbers.items() if each.size}
    mask = None
    if "anchor" in numbers and "positive" in numbers:
        none = np.zeros((len(chosen), 0), np.int64)
        pairs = (numbers["anchor"], numbers["positive"], numbers.get(NEGATIVE, none))
        mask = candidates_mask(*(rows.plain(each) for each in pairs))
        targets[ANCHOR] = np.unique(rows.plain(numbers["anchor"]), return_inverse=True)[1].astype(np.int32)
    return Batch(tuple(pieces), used, found | {ALL: places}, targets, mask)


def _own(values: np.ndarray) -> np.ndarray:
    """Floats as float32, whatever a file has them in."""
    return np.ascontiguousarray(values, np.float32 if values.dtype.kind == "f" else None)


def _negatives_first(numbers: dict[str, np.ndarray], targets: dict[str, np.ndarray]) -> None:
    """Put the real negatives of each row first, with their scores, and cut what no row has."""
    negatives = numbers[NEGATIVE]
    count = int((negatives >= 0).sum(axis=1).max(initial=0))
    order = np.argsort(negatives < 0, axis=1, kind="stable")[:, :count]
    numbers[NEGATIVE] = np.take_along_axis(negatives, order, axis=1)
    if SCORES in targets:
        # What is not there counts for nothing, and must not be NaN.
        targets[SCORES] = np.nan_to_num(np.take_along_axis(targets[SCORES], order, axis=1))
    for name in [each for each in targets if each.startswith(TAUGHT)]:
        targets[name] = np.take_along_axis(targets[name], order[:, :, None], axis=1)
        if not count:
            del targets[name]


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
