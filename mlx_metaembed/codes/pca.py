"""Principal components of a sample, read in blocks: the sample may be a file mapped into memory."""

import numpy as np

from mlx_metaembed.codes.codec import blocks
from mlx_metaembed.errors import CallError


def fitted(sample: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean [D], the components [D, D] in columns by falling variance, and the variances [D], float64.

    A component's largest entry is positive, so that equal samples give equal components. Raises CallError for fewer
    than two vectors, or vectors that are all one.
    """
    count, width = sample.shape
    if count < 2:
        raise CallError(
            f"Principal components need at least 2 vectors to fit on, and some thousand to be of use; found {count}"
        )
    mean = sum(np.sum(sample[rows], axis=0, dtype=np.float64) for rows in blocks(count)) / count
    products = np.zeros((width, width))
    for rows in blocks(count):
        centred = sample[rows] - mean
        products += centred.T @ centred
    variances, components = np.linalg.eigh(products / count)
    variances, components = np.maximum(variances[::-1], 0), components[:, ::-1]
    # What is left of a sum of squares by rounding is no variance.
    variances[variances < 1e-12 * max(variances[0], np.sum(mean * mean))] = 0
    if not variances[0]:
        raise CallError(f"The {count:,} vectors to fit on are all one and the same; a code needs vectors that differ")
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=0)[None], axis=0)
    return mean, components * np.where(largest < 0, -1, 1), variances
