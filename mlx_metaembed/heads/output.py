"""What a head gives for some texts, in the form that losses and callers read."""

from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.xp import Array, constant, namespace


@dataclass(frozen=True)
class Output:
    """`gives` is "vector", "code", "scores" (`values` [n, D]), "tokens" ([n, L, D]; `mask` bool [n, L] scores) or
    "sparse": by token [n, L] with `ids` int32 and `mask` bool [n, L], or by word [n, V] without them.

    `values` are the running engine's, `ids` and `mask` NumPy's.
    """

    gives: str
    values: Array
    ids: np.ndarray | None = None
    mask: np.ndarray | None = None


def take(output: Output, rows: np.ndarray) -> Output:
    """The output of some rows, int32 [k]."""
    values = namespace(output.values).take(output.values, constant(rows, output.values), axis=0)
    ids, mask = (None if each is None else each[rows] for each in (output.ids, output.mask))
    return replace(output, values=values, ids=ids, mask=mask)
