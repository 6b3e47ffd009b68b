"""How much of the IDs stays when a scheme is fitted again on nine tenths of the texts."""

from collections.abc import Mapping, Sequence

import numpy as np

from mlx_metaembed.semantic_ids.choices import Choices
from mlx_metaembed.semantic_ids.fit import Encode, fit
from mlx_metaembed.semantic_ids.scheme import Scheme


def stability(
    scheme: Scheme,
    vectors: np.ndarray,
    columns: Mapping[str, Sequence[object]],
    choices: Choices,
    encode: Encode | None = None,
) -> dict:
    """`{"digits": [...], "ids"}`: the share of texts whose digit, and whose whole ID, stays on a second fit.

    It takes nine tenths of the texts; levels are matched by the texts that they share, most first.
    """
    rows = np.sort(np.random.default_rng(choices.seed + 1).permutation(len(vectors))[: len(vectors) * 9 // 10])
    own = {name: [values[at] for at in rows] for name, values in columns.items()}
    again = fit(vectors[rows], own, choices, encode)
    before, after = scheme.encode(vectors), again.encode(vectors)
    whole, shares = np.ones(len(vectors), bool), []
    for at in range(min(before.shape[1], after.shape[1])):
        same = _matched(before[:, at], after[:, at])
        shares.append(float(same.mean()))
        whole &= same
    return {"digits": shares, "ids": float(whole.mean())}


def _matched(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which texts keep their level, bool [n], where each level goes to the one that it shares most texts with."""
    table = np.zeros((int(before.max()) + 1, int(after.max()) + 1), np.int64)
    np.add.at(table, (before, after), 1)
    goes_to = np.full(table.shape[0], -1)
    for flat in np.argsort(-table, axis=None, kind="stable"):
        row, column = divmod(int(flat), table.shape[1])
        if goes_to[row] < 0 and column not in goes_to:
            goes_to[row] = column
    return goes_to[before] == after
