"""A factorised soft prompt: each digit of an ID is some vectors before the text, and an ID is its digits' in a row.

One table a digit, so that IDs that were never seen together are made of parts that were. The last row of a table stands
for no ID. B rows, d digits, m vectors a digit, D features. Prompt tuning: arXiv:2104.08691.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.xp import Array, namespace

NAME = "prefix.{}"


def rows(levels: Sequence[int], vectors: int) -> int:
    """How many vectors all tables have together."""
    return sum(count + 1 for count in levels) * vectors


def initial(levels: Sequence[int], vectors: int, words: np.ndarray) -> dict[str, np.ndarray]:
    """The tables [levels + 1, m * D], filled with the embeddings `words` [rows, D] of tokens of the vocabulary."""
    ends = np.cumsum([(count + 1) * vectors for count in levels])[:-1]
    parts = np.split(words.astype(np.float32), ends)
    return {
        NAME.format(at): part.reshape(count + 1, -1) for at, (count, part) in enumerate(zip(levels, parts, strict=True))
    }


def prompt(weights: Mapping[str, Array], digits: Array, vectors: int) -> Array:
    """The vectors [B, d * m, D] of IDs int [B, d]."""
    xp = namespace(digits)
    count, depth = digits.shape
    found = [
        xp.take(weights[NAME.format(at)], digits[:, at], axis=0).reshape(count, vectors, -1) for at in range(depth)
    ]
    return xp.concatenate(found, axis=1)


def before(states: Array, prompt: Array) -> Array:
    """Embeddings [B, L, D] whose first places are the prompt's."""
    xp = namespace(states)
    return xp.concatenate([xp.astype(prompt, states.dtype), states[:, prompt.shape[1] :]], axis=1)
