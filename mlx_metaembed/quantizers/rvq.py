"""Residual vector quantization: a vector as a sum of centroids, each stage coding what the stages before it left.

B vectors, D features, M stages of k centroids, a beam of b sums. The gradient passes straight through the choice to the
vector, and goes to the centroids that were chosen.
"""

from mlx_metaembed.xp import Array, namespace, stop_gradient


def rvq_codes(x: Array, codebooks: Array, beam: int = 1) -> Array:
    """The centroids int [B, M] whose sum is near to vectors [B, D], of codebooks [M, k, D].

    Each stage keeps the `beam` nearest sums (arXiv:1509.05195); with one, the nearest centroid each time.
    """
    xp, count = namespace(x), x.shape[0]
    x, codebooks = stop_gradient(x), stop_gradient(codebooks)
    stages, k, features = codebooks.shape
    left, chosen = x[:, None, :], []
    for stage in range(stages):
        codebook = codebooks[stage]
        found = xp.sum(left * left, axis=2)[:, :, None] + xp.sum(codebook * codebook, axis=1)
        found = (found - 2 * xp.matmul(left, codebook.T)).reshape(count, left.shape[1] * k)
        best = _least(found, 1 if stage == stages - 1 else min(beam, found.shape[1]))
        before = best // k
        taken = best - before * k
        chosen = [*(xp.take_along_axis(each, before, axis=1) for each in chosen), taken]
        rows = xp.take(codebook, taken.reshape(-1), axis=0).reshape(count, best.shape[1], features)
        left = xp.take_along_axis(left, before[:, :, None], axis=1) - rows
    return xp.concatenate(chosen, axis=1)


def rvq_sum(codes: Array, codebooks: Array) -> Array:
    """The sums [B, D] that codes [B, M] stand for; of fewer stages than the codebooks have, those of their first."""
    xp, found = namespace(codebooks), None
    for stage in range(codes.shape[1]):
        rows = xp.take(codebooks[stage], codes[:, stage], axis=0)
        found = rows if found is None else found + rows
    return found


def rvq(x: Array, codebooks: Array) -> Array:
    """Vectors [B, D] to the sums of their nearest centroids, in training: x's own gradient is that at the sum."""
    return rvq_sum(rvq_codes(x, codebooks), codebooks) + (x - stop_gradient(x))


def _least(found: Array, count: int) -> Array:
    """Where the `count` least of each row [B, n] are, in any order."""
    xp = namespace(found)
    if count == 1:
        return xp.argmin(found, axis=1)[:, None]
    if count == found.shape[1]:
        return xp.argsort(found, axis=1)
    return xp.argpartition(found, count - 1, axis=1)[:, :count]
