"""Where a code head begins: projections made of a sample of the model's vectors, and the best of them.

n vectors of D features, K digits. Everything in float64, so that both engines begin alike.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.quantizers import fsq

AUTO, RANDOM = "auto", "random"
HELD_OUT = 10
"""One vector in so many is a query on which the starts are compared."""
NEIGHBOURS = 10
LEAST = 0.01
"""Share of the largest spread that a digit's is taken for at least."""


def _prefix(x: np.ndarray, digits: int, seed: int) -> np.ndarray:
    """The first features, as Matryoshka representation learning orders them."""
    return np.eye(x.shape[1])[:digits]


def _pca(x: np.ndarray, digits: int, seed: int) -> np.ndarray:
    """The directions of the largest variance."""
    _, vectors = np.linalg.eigh(x.T @ x)
    rows = vectors[:, ::-1].T[:digits]
    # An eigenvector's sign is arbitrary, and libraries choose differently.
    return rows * np.sign(rows[np.arange(len(rows)), np.abs(rows).argmax(1)])[:, None]


def _rotated_pca(x: np.ndarray, digits: int, seed: int) -> np.ndarray:
    """The same directions turned at random, so that each digit has the same share of the variance."""
    rotation, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((digits, digits)))
    rows = _pca(x, digits, seed)
    return rotation[:, : len(rows)] @ rows


STARTS: dict[str, Callable[[np.ndarray, int, int], np.ndarray]] = {
    "prefix": _prefix,
    "pca": _pca,
    "rotated_pca": _rotated_pca,
}
"""What gives the K rows [K, D] that vectors [n, D] without their mean are projected on; the last alone where K > D."""


def require(name: object, digits: int, features: int) -> None:
    """Raise CallError for a start that is not known, or not for so many digits of so many features."""
    known = [AUTO, RANDOM, *STARTS]
    if name not in known:
        raise CallError(f"start = {name!r:.80} is not known{nearest(str(name), known)}; known: {', '.join(known)}")
    if digits > features and name in [*STARTS][:-1]:
        raise CallError(f"start = {name!r} has {features} features for {digits} digits; choose {[*STARTS][-1]} or auto")


def best(vectors: np.ndarray, levels: Sequence[int], seed: int, name: str = AUTO) -> tuple[str, dict[str, np.ndarray]]:
    """The start that finds most neighbours of held-out vectors, or the one called `name`: its name, and float32 arrays
    of a head with float queries.

    `vectors` [n, D] are a sample of what the head will read. The k-th digit is of the k-th row, scaled to variance 1;
    a query's row has the factor by which the quantized values are nearest to the vectors.
    """
    names = [name] if name != AUTO else list(STARTS)[0 if len(levels) <= vectors.shape[1] else -1 :]
    x, chosen = np.asarray(vectors, np.float64), names[0]
    if len(names) > 1:
        queries = np.arange(len(x)) % HELD_OUT == 0
        stored = x[~queries]
        found = {each: _kept(x[queries], stored, levels, _begun(stored, levels, seed, each)) for each in names}
        chosen = max(found, key=found.get)
    # In the order in which files have them: an engine may round otherwise where numbers lie in another one.
    made = _begun(x, levels, seed, chosen)
    return chosen, {key: np.ascontiguousarray(array, np.float32) for key, array in made.items()}


def _begun(x: np.ndarray, levels: Sequence[int], seed: int, name: str) -> dict[str, np.ndarray]:
    """The arrays of a start by the vectors [n, D]."""
    return _arrays(x, levels, STARTS[name](x - x.mean(0), len(levels), seed))


def _arrays(x: np.ndarray, levels: Sequence[int], rows: np.ndarray) -> dict[str, np.ndarray]:
    mean = x.mean(0)
    projected = (x - mean) @ rows.T
    spread = projected.std(0)
    # A direction of nearly no variance is noise, which a scale of its own would make as large as the others.
    scale = 1 / np.maximum(spread, max(LEAST * float(spread.max(initial=0)), 1e-12))
    values = _quantized(projected * scale, levels)
    # Least squares: the number of a row that a digit's value stands for.
    stands_for = (projected * values).mean(0) / np.maximum((values**2).mean(0), 1e-12)
    weight = rows * scale[:, None]
    return {
        "projection.weight": weight,
        "projection.bias": -weight @ mean,
        "query.weight": rows * stands_for[:, None] * _unit(rows, stands_for),
    }


def _unit(rows: np.ndarray, stands_for: np.ndarray) -> float:
    """What makes a query's numbers as large as a unit vector's would be in as many features; cosines are the same."""
    return np.sqrt(rows.shape[1]) / max(float(np.linalg.norm(rows * stands_for[:, None], axis=1).mean()), 1e-12)


def _quantized(projected: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    return np.asarray(fsq(projected, levels), np.float64)


def _kept(queries: np.ndarray, stored: np.ndarray, levels: Sequence[int], arrays: Mapping[str, np.ndarray]) -> float:
    """The share of each query's nearest vectors, by cosine, that its scores of the codes find too."""
    values = _quantized(stored @ arrays["projection.weight"].T + arrays["projection.bias"], levels)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
    count = min(NEIGHBOURS, len(stored))
    true = _nearest(queries @ (stored / np.maximum(np.linalg.norm(stored, axis=1, keepdims=True), 1e-12)).T, count)
    found = _nearest((queries @ arrays["query.weight"].T) @ values.T, count)
    return float(np.mean([len(set(a) & set(b)) / count for a, b in zip(true, found, strict=True)]))


def _nearest(scores: np.ndarray, count: int) -> np.ndarray:
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]
