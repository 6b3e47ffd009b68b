"""What a head gives of some texts, as a loss takes it: the arrays of the running engine, and what they stand for.

n texts, L tokens a text, D features, V words.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace, normalize, stop_gradient

GIVES = ("vector", "code", "sparse", "tokens", "scores")


@dataclass(frozen=True)
class Output:
    """What a head gives of n texts; `gives` is one of GIVES.

    `values` are float32: vector, code and scores [n, D], tokens [n, L, D]. Sparse is by token [n, L] with the tokens'
    `ids` int32 [n, L], or by word [n, V] where `ids` is None. `mask` bool [n, L] says which tokens count, and goes with
    tokens and with sparse by token. `mean` (tokens): a query's MaxSim is the mean over its tokens, not their sum.
    `asking` [n, D] (code): what the texts are compared as where they are queries, if that is no code.
    """

    gives: str
    values: Array
    ids: np.ndarray | None = None
    mask: np.ndarray | None = None
    mean: bool = False
    asking: Array | None = None

    def __len__(self) -> int:
        """Texts."""
        return self.values.shape[0]

    @property
    def array(self) -> Array:
        """One of the output's arrays, which tells the engine."""
        return self.values


@dataclass(frozen=True)
class WordOutput:
    """A sparse output by word as training has it: the dot products of the batch's texts with one another.

    `products` [n, n] are of all texts, and this output's are those of the numbers `rows` int32 [m]. The weights
    themselves are computed where a loss asks for `values` [m, V], and held then.
    """

    products: Array
    rows: np.ndarray
    weigh: Callable[[], Array]
    gives: ClassVar[str] = "sparse"
    ids: ClassVar[None] = None
    mask: ClassVar[None] = None
    mean: ClassVar[bool] = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def array(self) -> Array:
        return self.products

    @cached_property
    def values(self) -> Array:
        weights = self.weigh()
        return namespace(weights).take(weights, constant(self.rows, weights), axis=0)


def take(output: Output | WordOutput, rows: np.ndarray) -> Output | WordOutput:
    """The output of some texts, by their numbers int32 [m], in that order; a number may come twice."""
    if isinstance(output, WordOutput):
        return replace(output, rows=output.rows[rows])
    xp, at = namespace(output.values), constant(rows, output.values)
    ids, mask = (None if x is None else x[rows] for x in (output.ids, output.mask))
    asking = None if output.asking is None else xp.take(output.asking, at, axis=0)
    return replace(output, values=xp.take(output.values, at, axis=0), ids=ids, mask=mask, asking=asking)


def asked(output: Output | WordOutput) -> Output | WordOutput:
    """The output of texts that are queries."""
    if isinstance(output, WordOutput) or output.asking is None:
        return output
    return replace(output, values=output.asking, asking=None)


def cut(output: Output, width: int) -> Output:
    """The first `width` features of a vector or of tokens, normalised, as Matryoshka representation learning takes."""
    return replace(output, values=normalize(output.values[..., :width]))


def detached(output: Output | WordOutput) -> Output | WordOutput:
    """The output without its history."""
    if isinstance(output, WordOutput):
        return replace(output, products=stop_gradient(output.products), weigh=lambda: stop_gradient(output.weigh()))
    asking = None if output.asking is None else stop_gradient(output.asking)
    return replace(output, values=stop_gradient(output.values), asking=asking)
