"""Batches of token ids in a seeded order: what comes at a step is a function of the seed and the step alone.

B rows, d digits, L tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.settings import TEXT, Settings
from mlx_metaembed.conditioned_lm.tokens import Tokens

WINDOW = 16
"""Batches of which the texts are sorted by length, so that little is padded."""
STEP = 8
"""Lengths are padded to a multiple, so that there are few shapes."""
MOST_LOGITS = 2**25
"""Logits that a pass holds at once; a batch of more goes through in parts."""


@dataclass(frozen=True)
class Batch:
    """IDs int32 [B, d], token ids int32 [B, L] and which of them are a text's own, bool [B, L]."""

    digits: np.ndarray
    ids: np.ndarray
    mask: np.ndarray

    @property
    def count(self) -> int:
        """Tokens that are foretold."""
        return int(self.mask[:, 1:].sum())

    def parts(self, tokens: int) -> Iterator["Batch"]:
        """The batch in parts that hold few enough logits of so many `tokens` known."""
        rows = max(MOST_LOGITS // (self.ids.shape[1] * tokens), 1)
        for first in range(0, len(self.ids), rows):
            part = slice(first, first + rows)
            yield Batch(self.digits[part], self.ids[part], self.mask[part])


class Batches:
    """The texts of a run as token ids, with their IDs."""

    def __init__(self, texts: Sequence[str], ids: np.ndarray, tokens: Tokens, levels: Levels, settings: Settings):
        self._ids, self._tokens, self._levels, self._settings = ids, tokens, levels, settings
        self._texts = tokens.of(texts, settings.max_tokens)
        self._lengths = np.array([len(ids) for ids in self._texts])

    def __len__(self) -> int:
        return len(self._texts)

    @property
    def an_epoch(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._texts) // self._settings.batch_size)

    def at(self, step: int) -> Batch:
        """The batch of a step, counted from 1; some of its IDs are none, as `id_dropout` says."""
        epoch, number = divmod(step - 1, self.an_epoch)
        rows = _order(self._lengths.tobytes(), self._settings.batch_size, self._settings.seed, epoch)[number]
        dropped = np.random.default_rng((self._settings.seed, step)).random(len(rows)) < self._settings.id_dropout
        return self.made(rows, np.where(dropped[:, None], self._levels.none, self._ids[rows]))

    def made(self, rows: Sequence[int], digits: np.ndarray) -> Batch:
        """Some texts as a batch, with IDs int [B, d]."""
        begun = [self.before(each) for each in digits]
        longest = max(len(start) + self._lengths[at] for start, at in zip(begun, rows, strict=True))
        shape = (len(rows), -(-int(longest) // STEP) * STEP)
        ids, mask = np.zeros(shape, np.int32), np.zeros(shape, bool)
        for row, (start, at) in enumerate(zip(begun, rows, strict=True)):
            whole = [*start, *self._texts[at]]
            ids[row, : len(whole)] = whole
            mask[row, len(start) : len(whole)] = True
        return Batch(np.asarray(digits, np.int32), ids, mask)

    def before(self, digits: np.ndarray) -> list[int]:
        """The tokens before a text of an ID."""
        return before(self._tokens, self._levels, self._settings, digits)


def before(tokens: Tokens, levels: Levels, settings: Settings, digits: np.ndarray) -> list[int]:
    """The tokens before a text of an ID, which may be none."""
    if settings.condition != TEXT:
        return [tokens.start]
    return tokens.before(None if np.array_equal(digits, levels.none) else digits)


@lru_cache(maxsize=2)
def _order(lengths: bytes, size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The rows of each batch of an epoch: shuffled, sorted by length within windows, and the batches shuffled."""
    known = np.frombuffer(lengths, np.int64)
    random = np.random.default_rng((seed, 1, epoch))
    order = random.permutation(len(known))
    windows = [order[first : first + WINDOW * size] for first in range(0, len(order), WINDOW * size)]
    batches = []
    for window in windows:
        window = window[np.argsort(known[window], kind="stable")]
        batches += [window[first : first + size] for first in range(0, len(window), size)]
    return [batches[at] for at in random.permutation(len(batches))]
