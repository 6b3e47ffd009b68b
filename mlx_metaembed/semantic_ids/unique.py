"""A digit more for texts that share an ID, 0 for all others: chosen by the text, so that a new text changes no old one
but where both want the same number.
"""

from collections.abc import Sequence

import numpy as np

from mlx_metaembed.data.same_text import number
from mlx_metaembed.errors import CallError

MOST = 2**16 - 1


def digits(ids: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """The last digit uint16 [n] of texts with IDs [n, d]: 1 or more where several distinct texts have one ID.

    Equal texts have equal digits. Raises CallError where more texts share an ID than a digit tells apart.
    """
    found = np.zeros(len(texts), np.uint16)
    _, groups = np.unique(ids, axis=0, return_inverse=True)
    order = np.argsort(groups.reshape(-1), kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(groups.reshape(-1)[order])) + 1):
        hashes = {number(texts[at]): at for at in rows}
        if len(hashes) < 2:
            continue
        if len(hashes) >= MOST:
            raise CallError(f"{len(hashes):,} texts share an ID, more than a digit tells apart; train more digits")
        size = 1 << max(4, (2 * len(hashes)).bit_length())
        given: dict[int, int] = {}
        for value in sorted(hashes):
            place = value % size
            while place in given.values():
                place = (place + 1) % size
            given[value] = place
        found[rows] = [given[number(texts[at])] + 1 for at in rows]
    return found
