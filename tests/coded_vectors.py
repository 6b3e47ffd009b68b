"""Unit vectors with a spectrum and clusters, as those of texts have them."""

import numpy as np


def clustered(count: int, width: int, *, seed: int = 0) -> np.ndarray:
    """float32 [count, width] of length 1: some centres, variances that fall, a mean that is not zero."""
    random = np.random.default_rng(seed)
    fall = 1 / np.sqrt(1 + np.arange(width))
    centres = random.standard_normal((12, width)) * fall
    rotation = np.linalg.qr(random.standard_normal((width, width)))[0]
    found = centres[random.integers(0, 12, count)] + random.standard_normal((count, width)) * fall + 0.3
    found = found @ rotation
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)
