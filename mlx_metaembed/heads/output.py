"""What a head gives of some texts, as a loss takes it: the arrays of the running engine, and what they stand for.

n texts, L tokens a text, D features, V words.
"""

from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace, normalize

GIVES = ("vector", "code", "sparse", "tokens", "scores")


@dataclass(frozen=True)
class Output:
    """What a head gives of n texts; `gives` is one of GIVES.

    `values` are float32: vector, code and scores [n, D], tokens [n, L, D]. Sparse is by token [n, L] with the tokens'
    `ids` int32 [n, L], or by word [n, V] where `ids` is None. `mask` bool [n, L] says which tokens count, and goes with
    tokens and with sparse by token. `mean` (tokens): a query's MaxSim is the mean over its tokens, not their sum.
    """

    gives: str
    values: Array
    ids: np.ndarray | None = None
    mask: np.ndarray | None = None
    mean: bool = False


def take(output: Output, rows: np.ndarray) -> Output:
    """The output of some texts, by their numbers int32 [m], in that order; a number may come twice."""
    values = namespace(output.values).take(output.values, constant(rows, output.values), axis=0)
    ids, mask = (None if x is None else x[rows] for x in (output.ids, output.mask))
    return replace(output, values=values, ids=ids, mask=mask)


def cut(output: Output, width: int) -> Output:
    """The first `width` features of a vector or of tokens, normalised, as Matryoshka representation learning takes."""
    return replace(output, values=normalize(output.values[..., :width]))


def used_words(output: Output) -> Array:
    """Which words weigh more than 0 in any text, bool [V], of a sparse output by word."""
    return namespace(output.values).max(output.values, axis=0) > 0


def keep_words(output: Output, words: np.ndarray) -> Output:
    """A sparse output by word with the columns of `words` int32 [W] alone.

    Where those are all that weigh more than 0 in a batch, every score and gradient of it stays as it was.
    """
    kept = namespace(output.values).take(output.values, constant(words, output.values), axis=1)
    return replace(output, values=kept)
