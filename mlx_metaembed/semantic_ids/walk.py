"""From an ID to others: the texts that it stands for, the used IDs near to it, and a walk between two of them."""

from collections.abc import Sequence

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.semantic_ids.files import Ids
from mlx_metaembed.semantic_ids.trie import Trie


def texts(found: Ids, digits: Sequence[int], k: int) -> list[dict]:
    """The k texts nearest to an ID or to a prefix of one, `{"id", "text", "exact", "score"}`; those that have it first.

    `score` is the cosine of what both IDs stand for.
    """
    asked = np.array(digits, np.uint16)
    has = (found.ids[:, : len(asked)] == asked).all(1)
    scores = _cosines(found, found.ids, digits)
    order = np.lexsort((np.arange(len(scores)), -scores, ~has))[:k]
    return [
        {"id": found.ids[row].tolist(), "text": found.texts[row], "exact": bool(has[row]), "score": float(scores[row])}
        for row in order
    ]


def neighbours(found: Ids, digits: Sequence[int], k: int) -> list[dict]:
    """The k used IDs nearest to an ID but itself, `{"id", "texts", "score", "text"}`; `text` is one that has it."""
    tree = _tree(found)
    scores = _cosines(found, tree.ids, digits)
    own = (tree.ids[:, : len(digits)] == np.array(digits, np.uint16)).all(1)
    order = [row for row in np.argsort(-scores, kind="stable") if not own[row]][:k]
    return [_used(found, tree, row) | {"score": float(scores[row])} for row in order]


def interpolate(found: Ids, first: Sequence[int], last: Sequence[int], steps: int) -> list[dict]:
    """A walk from one ID to another through used ones: both ends, and for `steps` points between them on the straight
    line the nearest used ID, `{"id", "texts", "text", "at"}`; one that comes twice in a row is left out.
    """
    tree = _tree(found)
    ends = found.scheme.decode(np.array([first, last]))
    stored = unit(found.scheme.decode(tree.ids[:, : len(found.scheme.digits)]))
    walk: list[dict] = []
    for at in np.linspace(0, 1, steps + 2):
        point = ends[0] * (1 - at) + ends[1] * at
        row = int(np.argmax(stored @ point))
        step = _used(found, tree, row) | {"at": float(at)}
        if not walk or walk[-1]["id"] != step["id"]:
            walk.append(step)
    return walk


def _tree(found: Ids) -> Trie:
    return Trie(found.ids[:, : len(found.scheme.digits)])


def _cosines(found: Ids, ids: np.ndarray, digits: Sequence[int]) -> np.ndarray:
    asked = found.scheme.decode(np.array([digits]))
    return (unit(found.scheme.decode(ids[:, : len(found.scheme.digits)])) @ unit(asked).T)[:, 0]


def _used(found: Ids, tree: Trie, row: int) -> dict:
    """A used ID: its digits, how many texts have it, and the first of them."""
    width = tree.ids.shape[1]
    own = np.flatnonzero((found.ids[:, :width] == tree.ids[row]).all(1))
    return {"id": tree.ids[row].tolist(), "texts": int(tree.counts[row]), "text": found.texts[own[0]]}
