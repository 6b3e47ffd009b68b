"""How long the texts of a run's data are: what a plan goes by, where it would otherwise take every text to be full.

R rows that were measured, C texts a row.
"""

from dataclasses import dataclass

import numpy as np

from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.folder import ModelFolder, task_adapters
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import tokenize
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training import batches

MEASURED = 4_000
"""Rows that are tokenised for a plan, of all parts of the data; and LONGEST by their characters beside them."""
LONGEST = 200


@dataclass(frozen=True)
class Lengths:
    """Tokens of each text of some rows, int64 [R, C], 0 where a row has no such text; `rows` are the data's."""

    texts: np.ndarray
    rows: int

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
        found = [of_rows[rows].mean() * size for rows in batches.epoch(of_rows, size, seed=0, number=0)]
        return round(max(found)), round(of_rows.mean() * size)


def measured(pairs: Pairs, folder: ModelFolder, tokenizer: Tokenizer) -> Lengths:
    """The lengths of the data's rows: of all, or of some thousand, with the longest by characters among them."""
    texts = [
        (anchor, positive, *negatives)
        for anchor, positive, negatives in zip(pairs.anchors, pairs.positives, pairs.negatives, strict=True)
    ]
    chosen = set(range(len(texts)))
    if len(texts) > MEASURED + LONGEST:
        chosen = set(np.linspace(0, len(texts) - 1, MEASURED).astype(int).tolist())
        chosen |= set(np.argsort([-max(map(len, row)) for row in texts], kind="stable")[:LONGEST].tolist())
    query, document = (task_adapters.chosen(folder, side)[0] for side in ("query", "document"))
    rows = [texts[row] for row in sorted(chosen)]
    flat = [text for row in rows for text in row]
    prompts = [prompt for row in rows for prompt in (query, *[document] * (len(row) - 1))]
    found = np.zeros((len(rows), 2 + pairs.most_negatives), np.int64)
    found[np.arange(found.shape[1]) < np.array([[len(row)] for row in rows])] = np.maximum(
        tokenize(tokenizer, flat, prompts).lengths, 1
    )
    return Lengths(found, len(texts))
