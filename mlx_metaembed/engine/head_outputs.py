"""What a head makes of many vectors, some at a time: a beam of sums of centroids is many times as large as they are."""

import numpy as np

from mlx_metaembed.engine.protocol import Engine

AT_ONCE = 1_024


def head_outputs(engine: Engine, head: str, vectors: np.ndarray, **ways: bool) -> np.ndarray:
    """A head's output for vectors [n, D], as an array of NumPy; `ways` are those of the engine's `head`."""
    parts = (vectors[first : first + AT_ONCE] for first in range(0, max(len(vectors), 1), AT_ONCE))
    return np.concatenate([engine.numpy(engine.head(head, engine.array(part), **ways)) for part in parts])
