"""Which texts are learned from and which are held out: some of IDs that are learned, some of IDs that are not."""

from collections import Counter

import numpy as np

LEAST = 2
"""Texts of a level that are learned from before any of it is held out."""


def split(ids: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The numbers of the texts to learn from, and of about a share held out, for IDs [n, d]; each in order.

    Half of those held out are all the texts of some IDs, so that these combinations are unseen, as far as every one of
    their digits' levels keeps LEAST texts to learn from.
    """
    random = np.random.default_rng(seed)
    wanted = round(len(ids) * share)
    own = [tuple(row) for row in ids.tolist()]
    left = [Counter(column) for column in ids.T.tolist()]
    held: set[int] = set()

    def take(rows: list[int]) -> None:
        taken = [Counter(own[at][digit] for at in rows) for digit in range(ids.shape[1])]
        if all(left[digit][level] - n >= LEAST for digit, each in enumerate(taken) for level, n in each.items()):
            held.update(rows)
            for digit, each in enumerate(taken):
                left[digit].subtract(each)

    by_id: dict[tuple, list[int]] = {}
    for at, digits in enumerate(own):
        by_id.setdefault(digits, []).append(at)
    groups = list(by_id.values())
    for number in random.permutation(len(groups)):
        if len(held) + len(groups[number]) <= wanted // 2:
            take(groups[number])
    for at in random.permutation(len(ids)):
        if len(held) >= wanted:
            break
        if int(at) not in held:
            take([int(at)])
    chosen = np.array(sorted(held), np.int64)
    return np.setdiff1d(np.arange(len(ids)), chosen), chosen


def seen(ids: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each of the IDs `others` [m, d] is among `ids` [n, d]: bool [m]."""
    known = set(map(tuple, ids.tolist()))
    return np.array([tuple(row) in known for row in others.tolist()], bool)
