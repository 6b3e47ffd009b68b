"""InfoNCE and triplets as the papers write them: matrices whole, and the engines' own gradients.

The referee of `mlx_metaembed.losses`, in its protocol; `matryoshka` of `losses/widths.py` takes its losses too.
"""

import numpy as np

from mlx_metaembed.xp import Array, constant, logsumexp, masked, namespace, normalize, relu, softplus, stop_gradient


def info_nce(
    anchors: Array,
    positives: Array,
    negatives: Array | None,
    mask: Array,
    *,
    temperature: float = 0.05,
    symmetric: bool = False,
    false_negative_margin: float | None = None,
    false_negative_ratio: float | None = None,
) -> Array:
    """Cross entropy of each anchor's own positive among all candidates, by cosine / temperature.

    Known as InfoNCE (arXiv:1807.03748, section 2.3) and multiple negatives ranking loss (arXiv:1705.00652, section 4).
    `symmetric` averages it with the cross entropy of each positive's own anchor among all anchors. A candidate whose
    cosine exceeds the positive's by more than `false_negative_margin`, or is over `false_negative_ratio` of it, is
    taken for a false negative and left out (arXiv:2407.15831, section 3.3; arXiv:2506.05176, section 2).
    """
    xp = namespace(anchors)
    anchors, candidates = normalize(anchors), normalize(_candidates(positives, negatives))
    rows = anchors.shape[0]
    cosines = xp.matmul(anchors, candidates.T)
    own = xp.sum(anchors * candidates[:rows], axis=-1, keepdims=True)
    mask = _without_false_negatives(cosines, own, mask, false_negative_margin, false_negative_ratio)
    loss = xp.mean(logsumexp(masked(cosines / temperature, mask), axis=1) - own[:, 0] / temperature)
    if not symmetric:
        return loss
    back = masked(cosines[:, :rows].T / temperature, mask[:, :rows].T)
    return (loss + xp.mean(logsumexp(back, axis=1) - own[:, 0] / temperature)) / 2


def triplet(
    anchors: Array,
    positives: Array,
    negatives: Array,
    mask: Array,
    *,
    distance: str = "cosine",
    margin: float = 0.2,
    soft_margin: bool = False,
) -> Array:
    """Each row's own negatives further than its positive: relu(d(a, p) - d(a, n) + margin), or its softplus.

    `distance` is "cosine" (1 - cosine) or "euclidean". Averaged over the negatives that count; none gives 0.
    FaceNet, arXiv:1503.03832, section 3.1; the soft margin, arXiv:1703.07737, section 2.
    """
    xp = namespace(anchors)
    rows, count = negatives.shape[:2]
    near = DISTANCES[distance](anchors, positives)
    far = DISTANCES[distance](anchors[:, None, :], negatives)
    # Row i's own negatives stand in the columns from B + i * N.
    block = xp.astype(mask[:, rows:], xp.float32).reshape(rows, rows, count)
    counted = xp.sum(block * constant(np.eye(rows, dtype=np.float32)[:, :, None], anchors), axis=1)
    violation = near[:, None] - far + margin
    value = softplus(violation) if soft_margin else relu(violation)
    total = xp.sum(counted)
    return xp.sum(value * counted) / (total + xp.astype(total == 0, xp.float32))


def cosine_distance(x: Array, y: Array) -> Array:
    """1 - cosine over the last axis."""
    return 1 - namespace(x).sum(normalize(x) * normalize(y), axis=-1)


def euclidean_distance(x: Array, y: Array) -> Array:
    """The length of the difference over the last axis, with a finite gradient where it is 0."""
    xp = namespace(x)
    return xp.sqrt(xp.sum((x - y) * (x - y), axis=-1) + 1e-12)


DISTANCES = {"cosine": cosine_distance, "euclidean": euclidean_distance}


def _candidates(positives: Array, negatives: Array | None) -> Array:
    """Positives [B, D] and negatives [B, N, D] as one [C, D]."""
    if negatives is None:
        return positives
    xp = namespace(positives)
    return xp.concatenate([positives, negatives.reshape(-1, negatives.shape[-1])], axis=0)


def _without_false_negatives(
    cosines: Array, own: Array, mask: Array, margin: float | None, ratio: float | None
) -> Array:
    """The mask [B, C] without the candidates that look like positives; a row's own positive stays."""
    is_own = constant(np.eye(*cosines.shape, dtype=np.bool_), cosines)
    cosines, own = stop_gradient(cosines), stop_gradient(own)
    if margin is not None:
        mask = mask & ((cosines <= own + margin) | is_own)
    if ratio is not None:
        mask = mask & ((cosines <= own * ratio) | is_own)
    return mask


def gist(taught: list[Array], anchors: Array, positives: Array, *, temperature: float = 0.01) -> Array:
    """Cross entropy of each anchor's positive among all texts that a guide has no nearer; arXiv:2402.16829, section 3.

    Candidates are the positives, the other anchors, and the positive's other positives.
    """
    xp, rows = namespace(anchors), anchors.shape[0]
    is_own = constant(np.eye(rows, dtype=np.bool_), anchors)
    found = []
    for x, y in ((anchors, positives), taught):
        x, y = normalize(x), normalize(y)
        found.append([xp.matmul(x, y.T), xp.matmul(x, x.T), xp.matmul(y, y.T)])
    own = xp.sum(normalize(taught[0]) * normalize(taught[1]), axis=-1, keepdims=True) + 1e-6
    kept = [near <= own for near in found[1]]
    kept = [kept[0] | is_own, kept[1] & ~is_own, kept[2] & ~is_own]
    logits = [masked(scores / temperature, mask) for scores, mask in zip(found[0], kept, strict=True)]
    best = xp.sum(normalize(anchors) * normalize(positives), axis=-1) / temperature
    return xp.mean(logsumexp(xp.concatenate(logits, axis=1), axis=1) - best)


def kl_in_batch(taught: list[Array], anchors: Array, positives: Array, *, temperature: float = 0.05) -> Array:
    """KL of a teacher's distribution over all positives from the model's, both of cosines; arXiv:2010.11386."""
    xp = namespace(anchors)
    pairs = [(normalize(x), normalize(y)) for x, y in (taught, (anchors, positives))]
    logits = [xp.matmul(x, y.T) / temperature for x, y in pairs]
    teacher, student = (each - logsumexp(each, axis=1)[:, None] for each in logits)
    return xp.mean(xp.sum(xp.exp(teacher) * (teacher - student), axis=1))


def similarity(taught: list[Array], texts: Array) -> Array:
    """The mean squared difference of the cosines of all texts from a teacher's; arXiv:2412.19048."""
    xp = namespace(texts)
    student, teacher = (xp.matmul(normalize(x), normalize(x).T) for x in (texts, taught[0]))
    return xp.mean(xp.mean((student - teacher) * (student - teacher), axis=1))


def relative_similarity(taught: list[Array], texts: Array, *, margin: float = 0.015) -> Array:
    """relu(the pair's cosine that should be lower - the other one's + margin) over all pairs of pairs; 2412.19048."""
    xp, count = namespace(texts), texts.shape[0]
    rows, columns = np.triu_indices(count, 1)
    pairs = constant((rows * count + columns).astype(np.int32), texts)
    student, teacher = (
        xp.take(xp.matmul(normalize(x), normalize(x).T).reshape(-1), pairs, axis=0) for x in (texts, taught[0])
    )
    lower = xp.astype(teacher[:, None] < teacher[None, :], xp.float32)
    wrong = relu(student[:, None] - student[None, :] + margin) * lower
    # By rows: a single sum of as many ones would stop at 2^24.
    return xp.sum(xp.sum(wrong, axis=1)) / xp.sum(xp.sum(lower, axis=1))


TAUGHT = {
    "gist": gist,
    "kl_in_batch": kl_in_batch,
    "similarity_distillation": similarity,
    "relative_similarity_distillation": relative_similarity,
}
"""What the losses on a teacher's vectors are compared with, given these and the columns."""
