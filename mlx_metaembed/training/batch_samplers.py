"""Which rows of a data set share a batch: by length, without a text twice, or several of each label.

All give batches of `batch_size`, as many an epoch as by length, in an order that is a function of the seed.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from mlx_metaembed.data.rows import Rows
from mlx_metaembed.errors import CallError
from mlx_metaembed.losses.labels import OfLabels
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.batches import TokenizedRows, epoch, steps_per_epoch
from mlx_metaembed.training.objective import Objective

PLAIN, NO_DUPLICATES, BY_LABEL = "batch_sampler", "no_duplicates", "group_by_label"
LABEL = "label"
AHEAD = 64
"""Pieces that are looked at for one that fits, and of a second label."""


def chosen(recipe: Recipe, objectives: Sequence[Objective], rows: Mapping[str, Rows]) -> dict[str, str]:
    """The sampler of each data set by its name: what the recipe says, else what the losses on it need.

    Raises CallError where rows without labels are to be grouped by them.
    """
    if recipe.batch_sampler == BY_LABEL and (
        lacking := [name for name, each in rows.items() if LABEL not in each.targets]
    ):
        raise CallError(
            f'batch_sampler = "{BY_LABEL}": no loss takes a label of the rows of {", ".join(lacking)}; leave it out: '
            "rows of losses that compare labels are grouped where nothing is said"
        )
    if recipe.batch_sampler != "auto":
        return dict.fromkeys(rows, recipe.batch_sampler)
    compared = {each.data for each in objectives if isinstance(each.loss, OfLabels)}
    return {name: BY_LABEL if name in compared else PLAIN for name in rows}


def sampled(
    sampler: str, rows: TokenizedRows, row_tokens: np.ndarray, batch_size: int, *, seed: Sequence[int]
) -> list[np.ndarray]:
    """The batches of an epoch as arrays of row numbers; at least one, and as many as `epoch` gives or fewer."""
    if sampler == BY_LABEL:
        return by_label(rows.targets[LABEL], batch_size, seed=seed)
    found = epoch(row_tokens, batch_size, seed=seed)
    return no_duplicates(rows, found, batch_size) if sampler == NO_DUPLICATES else found


def by_label(labels: np.ndarray, batch_size: int, *, seed: Sequence[int]) -> list[np.ndarray]:
    """Batches of two texts or more of each label where the label has them, and of several labels where there are.

    A label's rows are cut into even pieces of half a batch at most, or of the room that the largest label leaves where
    most rows are its; its pieces are spread over the epoch. What fits no room is cut, so that all batches are full.
    """
    random = np.random.default_rng(tuple(seed))
    order = random.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    others = len(order) - max(map(len, groups))
    most = max(min(batch_size // 2, others * batch_size // len(order)), 2)
    pieces, places = [], []
    for group in groups:
        count = max(min(-(-len(group) // most), len(group) // 2), 1)
        pieces += np.array_split(group, count)
        places.append((np.arange(count) + random.random(count)) / count)
    waiting = [pieces[at] for at in np.argsort(-np.concatenate(places), kind="stable")]
    cut = []
    while waiting:
        cut.append(_filled(waiting, labels, batch_size))
    cut = [rows for rows in cut if len(rows) > 1] or cut
    return [cut[at] for at in random.permutation(len(cut))]


def _filled(waiting: list[np.ndarray], labels: np.ndarray, batch_size: int) -> np.ndarray:
    """One batch of the pieces that wait, the next of them last, which are taken from there."""
    taken, seen, room = [], set(), batch_size
    while room and waiting:
        ahead = range(len(waiting) - 1, max(len(waiting) - 1 - AHEAD, -1), -1)
        # A third label of its own would take from later batches what they need.
        other = (at for at in ahead if len(seen) != 1 or labels[waiting[at][0]] not in seen)
        at = next((at for at in chain(other, ahead) if len(waiting[at]) <= room), None)
        if at is None:
            piece, waiting[-1] = waiting[-1][:room], waiting[-1][room:]
        else:
            piece = waiting.pop(at)
        taken.append(piece)
        seen.add(labels[piece[0]])
        room -= len(piece)
    return np.concatenate(taken)


def no_duplicates(rows: TokenizedRows, found: Sequence[np.ndarray], batch_size: int) -> list[np.ndarray]:
    """The rows of some batches in batches that have no text twice, prompts aside, but for one within a row.

    A row waits for a batch that has none of its texts. What is left once there are as many batches as rows ask for
    waits for the next epoch.
    """
    order = np.concatenate(list(found))
    texts = np.concatenate([rows.plain(each).reshape(len(rows), -1) for each in rows.texts.values()], axis=1)
    waiting, cut = order.tolist(), []
    for _ in range(steps_per_epoch(len(rows), batch_size)):
        batch, seen, later = [], set(), []
        for at, row in enumerate(waiting):
            if len(batch) == batch_size:
                later += waiting[at:]
                break
            own = set(texts[row].tolist()) - {-1}
            if own & seen:
                later.append(row)
            else:
                batch.append(row)
                seen |= own
        cut.append(np.array(batch, np.int64))
        waiting = later
        if not waiting:
            break
    return [each for each in cut if len(each) > 1] or cut[:1]
