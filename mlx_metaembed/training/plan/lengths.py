"""How long the texts of a run's data are: what a plan goes by, where it would otherwise take every text to be full.

R rows that were measured, C texts a row.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.data.rows import Rows
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import tokenize
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training import batches
from mlx_metaembed.training.tokenized_dataset import SIDES

MEASURED = 4_000
"""Rows that are tokenised for a plan, of all parts of the data; and LONGEST by their characters beside them."""
LONGEST = 200


@dataclass(frozen=True)
class Lengths:
    """Tokens of each text of some rows, int64 [R, C], 0 where a row has none; `sizes` are the rows of each set.

    `words` are the distinct tokens of all those texts, 0 where that is not known.
    """

    texts: np.ndarray
    sizes: tuple[int, ...]
    words: int = 0

    @property
    def rows(self) -> int:
        """Rows of all data sets."""
        return sum(self.sizes)

    @property
    def longest(self) -> int:
        """Tokens of the longest text."""
        return int(self.texts.max(initial=1))

    def batch_tokens(self, batch_size: int, most: int) -> tuple[int, int]:
        """Padded tokens of the fullest batch, and of one on the average, with texts cut at `most` tokens."""
        padded = np.array([0, *(min(chunks.bucket(length), most) for length in range(1, self.longest + 1))])
        of_rows = padded[np.minimum(self.texts, self.longest)].sum(axis=1)
        size = min(batch_size, self.rows)
        if len(of_rows) <= size:
            return (round(of_rows.mean() * size),) * 2
        # Rows of like length share a batch; the last one may be small.
        found = [of_rows[rows].mean() * size for rows in batches.epoch(of_rows, size, seed=(0, 0))]
        return round(max(found)), round(of_rows.mean() * size)


def measured(sets: Sequence[Rows], folder: ModelFolder, tokenizer: Tokenizer) -> Lengths:
    """The lengths of the data sets' rows: of all, or of some thousand of each, the longest by characters among them."""
    found = [_of_one(rows, folder, tokenizer) for rows in sets]
    parts = [lengths for lengths, _ in found]
    columns = max(part.shape[1] for part in parts)
    wide = [np.pad(part, ((0, 0), (0, columns - part.shape[1]))) for part in parts]
    words = np.unique(np.concatenate([words for _, words in found]))
    return Lengths(np.concatenate(wide), tuple(map(len, sets)), len(words))


def _of_one(data: Rows, folder: ModelFolder, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of each text of the measured rows of one data set, [R, C], and their distinct ids."""
    prompts, texts = [], [()] * len(data)
    for role, given in data.texts.items():
        prompt = task_adapters.chosen(folder, SIDES.get(role))[0]
        several = isinstance(given[0], tuple)
        prompts += [prompt] * (max(map(len, given)) if several else 1)
        texts = [(*row, *(own if several else (own,))) for row, own in zip(texts, given, strict=True)]
    chosen = set(range(len(texts)))
    if len(texts) > MEASURED + LONGEST:
        chosen = set(np.linspace(0, len(texts) - 1, MEASURED).astype(int).tolist())
        chosen |= set(np.argsort([-max(map(len, row)) for row in texts], kind="stable")[:LONGEST].tolist())
    rows = [texts[row] for row in sorted(chosen)]
    flat = [text for row in rows for text in row]
    found = np.zeros((len(rows), len(prompts)), np.int64)
    store = tokenize(tokenizer, flat, [prompt for row in rows for prompt in prompts[: len(row)]])
    found[np.arange(len(prompts)) < np.array([[len(row)] for row in rows])] = np.maximum(store.lengths, 1)
    return found, np.unique(store.ids)
