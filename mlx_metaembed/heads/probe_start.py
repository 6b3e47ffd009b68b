"""Where a head of scores begins: the linear probe of a sample's vectors, solved at once.

A head that begins by chance first pulls the trunk's vectors about for its own sake; one that begins at the probe does
not (Kumar et al., arXiv:2202.10054). n vectors of D features, C classes. Everything in float64, so that both engines
begin alike.
"""

import numpy as np

from mlx_metaembed.errors import CallError, nearest

PROBE, RANDOM = "probe", "random"
PENALTIES = np.geomspace(1e-4, 1e4, 17)
"""Of ridge regression, in units of the mean variance of a feature times the vectors."""
SHRINKAGES, SCALES = (0.05, 0.1, 0.3, 0.5, 0.8), (1.0, 0.5, 0.25, 0.1, 0.05)
"""Shares of a multiple of the identity in the covariance within classes, and what the log-odds are multiplied by: those
of few vectors are far too sure."""
HELD_OUT = 5
"""One vector in so many decides which of them are taken."""
TINY = 1e-12


def require(name: object) -> None:
    """Raise CallError for a start that heads of scores have not."""
    known = [PROBE, RANDOM]
    if name not in known:
        raise CallError(f"start = {name!r:.80} is not known{nearest(str(name), known)}; known: {', '.join(known)}")


def regression(vectors: np.ndarray, scores: np.ndarray) -> dict[str, np.ndarray]:
    """A linear layer float32 [1, D] with its bias that gives scores [n] of vectors [n, D], by ridge regression.

    The penalty is the one of the smallest generalised cross-validation (Golub, Heath and Wahba 1979).
    """
    x, y = np.asarray(vectors, np.float64), np.asarray(scores, np.float64)
    mean, middle = x.mean(0), y.mean()
    left, values, right = np.linalg.svd(x - mean, full_matrices=False)
    along, count = left.T @ (y - middle), len(y)
    outside = max(float((y - middle) @ (y - middle) - along @ along), 0.0)
    best, least = np.zeros(x.shape[1]), np.inf
    for penalty in PENALTIES * (values**2).sum() / x.shape[1]:
        kept = values**2 / np.maximum(values**2 + penalty, TINY)
        free = count - 1 - kept.sum()
        if free <= 0:
            continue
        error = count * (outside + float((((1 - kept) * along) ** 2).sum())) / free**2
        if error < least:
            best, least = right.T @ (kept * along / np.maximum(values, TINY)), error
    return _layer(best[None], middle - best[None] @ mean)


def classification(vectors: np.ndarray, labels: np.ndarray, classes: int) -> dict[str, np.ndarray]:
    """A linear layer float32 [C, D] with its bias whose scores are log-odds of labels int [n] of vectors [n, D].

    Linear discriminant analysis with a shrunk covariance (Friedman 1989), scaled; shrinkage and scale are those of the
    least cross entropy on a held-out fifth. A class without a vector stands at the mean of all.
    """
    x, labels = np.asarray(vectors, np.float64), np.asarray(labels)
    held = np.arange(len(x)) % HELD_OUT == 0
    shrinkage, scale, least = SHRINKAGES[-1], SCALES[-1], np.inf
    for each in SHRINKAGES if len(x) >= 2 * HELD_OUT else ():
        scores = _scores(_discriminant(x[~held], labels[~held], classes, each), x[held])
        for factor in SCALES:
            if (error := _cross_entropy(scores * factor, labels[held])) < least:
                shrinkage, scale, least = each, factor, error
    weight, bias = _discriminant(x, labels, classes, shrinkage)
    return _layer(weight * scale, bias * scale)


def _discriminant(x: np.ndarray, labels: np.ndarray, classes: int, shrinkage: float) -> tuple[np.ndarray, np.ndarray]:
    """Weights [C, D] and biases [C] of the classes' log-odds."""
    mean, counts = x.mean(0), np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, x.shape[1]))
    np.add.at(sums, labels, x - mean)
    centres = sums / np.maximum(counts, 1)[:, None]
    within = x - mean - centres[labels]
    covariance = within.T @ within / len(x)
    spread = max(np.trace(covariance) / len(covariance), TINY)
    shrunk = (1 - shrinkage) * covariance + shrinkage * spread * np.eye(len(covariance))
    weight = np.linalg.solve(shrunk, centres.T).T
    prior = np.log((counts + 1) / (counts.sum() + classes))
    return weight, prior - (weight * centres).sum(1) / 2 - weight @ mean


def _scores(layer: tuple[np.ndarray, np.ndarray], x: np.ndarray) -> np.ndarray:
    return x @ layer[0].T + layer[1]


def _cross_entropy(scores: np.ndarray, labels: np.ndarray) -> float:
    scores = scores - scores.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(scores).sum(1)) - scores[np.arange(len(labels)), labels]))


def _layer(weight: np.ndarray, bias: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "linear.weight": np.ascontiguousarray(weight, np.float32),
        "linear.bias": np.ascontiguousarray(bias, np.float32),
    }
