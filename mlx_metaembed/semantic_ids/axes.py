"""Named axes: a digit from a column's classes or numbers, from prompts, or of what the other axes leave.

n vectors of D features, L levels. An axis is a linear probe whose answer is the digit, so that it knows what a linear
probe on the float vector knows.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlx_metaembed.codes import centroids
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import logistic
from mlx_metaembed.evaluate.kmeans import clusters
from mlx_metaembed.semantic_ids.digit import CLASSES, FREE, PROMPTS, VALUES, Digit, nearest_to

STRENGTHS = (0.3, 3.0, 30.0)
"""C of the probes that are tried, on a fifth of the vectors."""
FIFTH = 5


def require_classes(name: str, labels: Sequence[str]) -> None:
    """Raise CallError for one class, or with the classes that stand once."""
    counts = Counter(labels)
    if len(counts) < 2:
        raise CallError(f"Axis {name}: all texts have the class {labels[0]!r}; expected two classes or more")
    if once := [label for label, count in counts.items() if count < 2]:
        listed = ", ".join(map(repr, once[:10]))
        raise CallError(f"Axis {name}: of the class {listed} there is one text, which teaches no probe; leave it empty")


def require_values(name: str, values: np.ndarray) -> None:
    """Raise CallError where all numbers are the same."""
    if values.min() == values.max():
        raise CallError(f"Axis {name}: all texts have {values[0]:g}; expected two numbers or more")


def of_classes(name: str, vectors: np.ndarray, labels: Sequence[str], levels: int, seed: int) -> Digit:
    """An axis of the classes of a column; more classes than levels are put together by how near their texts are.

    Raises CallError as `require_classes` does.
    """
    require_classes(name, labels)
    found, numbers = np.unique(np.asarray(labels, object).astype(str), return_inverse=True)
    classes = np.array([str(each) for each in found], object)
    names = list(classes)
    if len(classes) > levels:
        means = np.stack([vectors[numbers == at].mean(0) for at in range(len(classes))])
        groups = _grouped(means, levels, seed)
        names = [", ".join(classes[groups == at]) for at in range(levels)]
        numbers = groups[numbers]
    return _probe(name, CLASSES, vectors, numbers, names)


def _grouped(means: np.ndarray, levels: int, seed: int) -> np.ndarray:
    """The group int64 [K] of each class by its mean [K, D]: near ones together, in groups of about the same size."""
    near = clusters(means, levels, seed=seed)
    centres = np.stack([means[near == at].mean(0) if (near == at).any() else means[at] for at in range(levels)])
    far = np.sum((means[:, None] - centres) ** 2, axis=2)
    found, room = np.full(len(means), -1), np.array([len(part) for part in np.array_split(means, levels)])
    for flat in np.argsort(far, axis=None, kind="stable"):
        row, group = divmod(int(flat), levels)
        if found[row] < 0 and room[group]:
            found[row], room[group] = group, room[group] - 1
    return found


def of_values(name: str, vectors: np.ndarray, values: np.ndarray, levels: int) -> Digit:
    """An axis of a column's numbers [n]: each number a level where they are few, else ranges with equal shares.

    Raises CallError where all are the same.
    """
    require_values(name, values)
    distinct = np.unique(values)
    if len(distinct) <= levels:
        return _probe(name, VALUES, vectors, np.searchsorted(distinct, values), [f"{each:g}" for each in distinct])
    edges = np.unique(np.quantile(values, np.arange(1, levels) / levels, method="higher"))
    numbers = np.searchsorted(edges, values, side="right")
    held = np.unique(numbers)
    numbers = np.searchsorted(held, numbers)
    ranges = [values[numbers == at] for at in range(len(held))]
    return _probe(name, VALUES, vectors, numbers, [f"{each.min():g} to {each.max():g}" for each in ranges])


def of_prompts(name: str, vectors: np.ndarray, prompts: np.ndarray, words: Sequence[str], levels: int) -> Digit:
    """An axis of prompts' vectors [p, D]: of two, how near a text is to the second rather than the first, in ranges
    with equal shares; of more, the nearest, once each has the same mean. No label is needed (zero-shot).
    """
    vectors = np.asarray(vectors, np.float64)
    if len(prompts) == 2:
        direction = np.asarray(prompts[1] - prompts[0], np.float64)
        scores = vectors @ direction
        edges = np.quantile(scores, np.arange(1, levels) / levels).astype(np.float32)
        labels = [words[0], *[""] * (levels - 2), words[1]]
        weights, intercepts = direction[:, None].astype(np.float32), np.zeros(1, np.float32)
        return Digit(name, PROMPTS, weights, intercepts, _none(levels, vectors), tuple(labels), edges)
    scores = vectors @ np.asarray(prompts, np.float64).T
    spread = np.maximum(scores.std(0), 1e-12)
    weights = (np.asarray(prompts, np.float64).T / spread).astype(np.float32)
    intercepts = (-scores.mean(0) / spread).astype(np.float32)
    return Digit(name, PROMPTS, weights, intercepts, _none(len(prompts), vectors), tuple(words))


def free(name: str, vectors: np.ndarray, others: Sequence[Digit], levels: int, seed: int) -> Digit:
    """An axis of the main groups of vectors in the directions that tell nothing of the other axes.

    Raises CallError where there are fewer vectors than levels.
    """
    centroids.require(len(vectors), levels, f"Axis {name}")
    mean = vectors.mean(0)
    basis = _telling(vectors - mean, vectors, others)
    left = vectors - mean
    left = left - (left @ basis) @ basis.T
    groups = np.unique(clusters(left, levels, seed=seed), return_inverse=True)[1]
    found = nearest_to(name, FREE, _means(left, groups, groups.max() + 1).astype(np.float32))
    weights = found.weights - basis @ (basis.T @ found.weights)
    return replace(found, weights=weights.astype(np.float32), intercepts=found.intercepts - mean @ weights)


def _telling(centred: np.ndarray, vectors: np.ndarray, others: Sequence[Digit]) -> np.ndarray:
    """An orthonormal basis [D, r] of what axes read, and of where the means of their levels lie."""
    read = [np.zeros((vectors.shape[1], 0))]
    for digit in others:
        # The same number more for every level changes no answer.
        weights = digit.weights if digit.edges is not None else digit.weights - digit.weights.mean(1, keepdims=True)
        means = _means(centred, digit.of(vectors), digit.levels).T
        read += [part / max(float(np.linalg.norm(part)), 1e-12) for part in (weights, means)]
    basis, sizes, _ = np.linalg.svd(np.concatenate(read, axis=1).astype(np.float64), full_matrices=False)
    return basis[:, sizes > 1e-4 * max(float(sizes.max(initial=0)), 1e-12)]


def _probe(name: str, kind: str, vectors: np.ndarray, numbers: np.ndarray, labels: Sequence[str]) -> Digit:
    """The axis whose level is the answer of a logistic regression; its strength is chosen on a fifth of the vectors."""
    # Unit vectors' features are small: at their own scale the penalty would rule.
    scale = 1 / max(float(vectors.std()), 1e-12)
    scaled, shown = vectors * scale, np.arange(len(vectors)) % FIFTH == 0
    count = len(labels)

    def right(strength: float) -> float:
        made = logistic.fit(scaled[~shown], numbers[~shown], count, c=strength * 1e-2)
        return float((made.classes(scaled[shown]) == numbers[shown]).mean())

    best = max(STRENGTHS, key=right) if shown.sum() > 1 and len(np.unique(numbers[~shown])) > 1 else STRENGTHS[1]
    found = logistic.fit(scaled, numbers, count, c=best * 1e-2)
    weights, intercepts = (found.weights * scale).astype(np.float32), found.intercepts.astype(np.float32)
    return Digit(name, kind, weights, intercepts, _none(count, vectors), tuple(labels))


def _none(levels: int, vectors: np.ndarray) -> np.ndarray:
    return np.zeros((levels, vectors.shape[1]), np.float32)


def _means(vectors: np.ndarray, levels: np.ndarray, count: int) -> np.ndarray:
    """The mean of the vectors of each level [count, D]; 0 where it has none."""
    counts = np.bincount(levels, minlength=count)
    return centroids.sums(np.asarray(vectors, np.float32), levels, count) / np.maximum(counts, 1)[:, None]


def standing_for(digit: Digit, levels: np.ndarray, left: np.ndarray) -> Digit:
    """The digit, whose levels stand for the mean of what is left [n, D] of the vectors that have them."""
    return replace(digit, centroids=_means(left, levels, digit.levels).astype(np.float32))
