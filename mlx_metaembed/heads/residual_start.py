"""Where a residual code head begins: at the residual code of a sample of the model's vectors."""

import numpy as np

from mlx_metaembed.codes.codec import Told, silent
from mlx_metaembed.codes.residual import Residual
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.heads.code_start import AUTO, RANDOM
from mlx_metaembed.heads.rvq import Rvq

STARTS = (AUTO, RANDOM)


def require(name: object) -> None:
    """Raise CallError for a start that is not known."""
    if name not in STARTS:
        said = nearest(str(name), STARTS)
        raise CallError(
            f"start = {name!r:.80} is not known{said} of an rvq head; known: {AUTO} (the residual code of the model's "
            f"vectors), {RANDOM}"
        )


def require_texts(name: str, head: Rvq, count: int) -> None:
    """Raise CallError where a head would begin at fewer texts than it has centroids a stage."""
    if count < head.levels[0]:
        raise CallError(
            f"[[head]] {name}: a stage of {head.levels[0]:,} centroids needs as many texts, and the run has {count:,}; "
            f'give more texts, or fewer centroids, like levels = "{max(2, count // 8)}x{len(head.levels)}"'
        )


def begun(head: Rvq, vectors: np.ndarray, seed: int, told: Told = silent) -> dict[str, np.ndarray]:
    """The head's arrays float32, as k-means by stages of vectors [n, D] gives them, projections that change nothing."""
    k = head.levels[0]
    code = Residual.fit(np.asarray(vectors, np.float32), len(head.levels), seed=seed, told=told, k=k)
    # A sum of centroids is added to the mean, which the projection takes away.
    found = head.initial(seed) | {"projection.bias": -code.mean, "mean": code.mean, "codebooks": code.codebooks}
    return {name: np.ascontiguousarray(array, np.float32) for name, array in found.items()}
