"""Samples of every kind of output, their arrays apart so that a test can derive at each."""

from collections.abc import Callable

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample
from mlx_metaembed.xp import constant

ROWS, NEGATIVES, FEATURES, LENGTHS = 5, 2, 8, {"anchor": 3, "positive": 5, "negative": 4}
COUNTS = {"anchor": ROWS, "positive": ROWS, "negative": ROWS * NEGATIVES}
COUNTS |= {"sentence1": ROWS, "sentence2": ROWS, "text": ROWS}
SHAPES = {
    "vector": lambda texts, length: (texts, FEATURES),
    "code": lambda texts, length: (texts, FEATURES),
    "scores": lambda texts, length: (texts, 3),
    "tokens": lambda texts, length: (texts, length, FEATURES),
    "sparse": lambda texts, length: (texts, length),
    "words": lambda texts, length: (texts, 12),
}


def arrays(gives: str, roles: tuple[str, ...], seed: int = 0) -> dict[str, np.ndarray]:
    """Values float32 by role; weights of sparse outputs are above 0."""
    random = np.random.default_rng(seed)
    found = {}
    for role in roles:
        x = random.standard_normal(SHAPES[gives](COUNTS[role], LENGTHS.get(role, 4))).astype(np.float32)
        found[role] = np.abs(x) + 0.1 if gives in ("sparse", "words") else x / np.linalg.norm(x, axis=-1, keepdims=True)
    return found


def outputs(gives: str, values: dict, seed: int = 1) -> dict[str, Output]:
    """Outputs of values of any engine; the first text of each role but the anchors' second has no token."""
    random, found = np.random.default_rng(seed), {}
    for role, x in values.items():
        if gives not in ("tokens", "sparse"):
            found[role] = Output("sparse" if gives == "words" else gives, x)
            continue
        texts, length = x.shape[0], x.shape[1]
        mask = np.arange(length) < random.integers(1, length + 1, (texts, 1))
        mask[0] = False
        ids = random.integers(3, 9, (texts, length)).astype(np.int32) if gives == "sparse" else None
        found[role] = Output(gives, x, ids, mask, mean=gives == "tokens")
    return found


def roles_of(kind: str, gives: str) -> tuple[str, ...]:
    """The roles that a test gives a loss."""
    if kind == "mse":
        return ("text",) if gives == "scores" else ("sentence1", "sentence2")
    # A loss that needs no role takes what there is.
    return (*LOSSES[kind].roles, *LOSSES[kind].optional) if LOSSES[kind].roles else ("text",)


def targets(kind: str, gives: str, like) -> dict:
    """What each loss takes beside outputs."""
    random = np.random.default_rng(3)
    found = {
        "score": random.random((ROWS, 3) if gives == "scores" else ROWS),
        "label": np.array([0, 2, 1, -1, 0] if gives == "scores" else [0, 1, 1, 0, 1], np.int32),
        "positive_score": random.standard_normal(ROWS),
        "negative_score": random.standard_normal((ROWS, NEGATIVES)),
        "teacher.one": random.standard_normal((ROWS, FEATURES)),
    }
    if "anchor" in LOSSES[kind].roles:
        del found["teacher.one"]
        shapes = {"anchor": (ROWS,), "positive": (ROWS,), "negative": (ROWS, NEGATIVES)}
        # A teacher of another width than the model's.
        found |= {f"teacher.{role}.one": random.standard_normal((*shape, 6)) for role, shape in shapes.items()}
    found = {name: x if x.dtype == np.int32 else x.astype(np.float32) for name, x in found.items()}
    if kind in ("contrastive", "online_contrastive"):
        found["score"] = np.round(found["score"])
    named = [name for name in found for wanted in LOSSES[kind].targets if name.startswith(wanted.strip("*"))]
    anchors = {"anchor_number": np.array([0, 1, 2, 1, 3], np.int32)} if "anchor" in LOSSES[kind].roles else {}
    return {name: constant(x, like) for name, x in {**{name: found[name] for name in named}, **anchors}.items()}


def holes() -> np.ndarray:
    """A mask with holes, among them one of each row 1's own negatives."""
    mask = np.random.default_rng(4).random((ROWS, ROWS * (1 + NEGATIVES))) < 0.7
    np.fill_diagonal(mask, True)
    mask[1, ROWS + NEGATIVES] = False
    return mask


def function_of(kind: str, gives: str, loss=None, mask: np.ndarray | None = None, widths=(), weights=()) -> Callable:
    """A loss as a function of its roles' values alone, in the order of `roles_of`."""
    loss, roles = loss or LOSSES[kind](), roles_of(kind, gives)

    def of(*values):
        like = values[0]
        given = outputs(gives, dict(zip(roles, values, strict=True)))
        seen = None if mask is None else constant(mask, like)
        return loss(Sample(given, seen, targets(kind, gives, like), widths, weights))

    return of
