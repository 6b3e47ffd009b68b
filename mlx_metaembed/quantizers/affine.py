"""Affine quantization of groups of numbers: value = scale * code + bias, code of 0 to 2^bits - 1. NumPy.

Rounding as others do it spans a group from its least to its greatest number. Here the scale and the bias of a group are
those of the least squared error that a search finds, from several spans, each refined by turns: codes, then the scale
and bias that suit them best. N groups of g numbers each; R rows, C columns.
"""

from collections.abc import Iterator

import numpy as np

from mlx_metaembed.files.safetensors import bfloat16_bits

SPANS = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
"""Shares of a group's span that the search begins from."""
TURNS = 3
NUMBERS_AT_ONCE = 1 << 20


def codes(groups: np.ndarray, scales: np.ndarray, biases: np.ndarray, bits: int) -> np.ndarray:
    """The codes float32 [N, g] nearest to numbers [N, g] on the grids of scales and biases [N]."""
    safe = np.where(scales == 0, 1, scales)
    found = np.rint((groups - biases[:, None]) / safe[:, None])
    return np.clip(found, 0, 2**bits - 1, out=found)


def values(codes: np.ndarray, scales: np.ndarray, biases: np.ndarray) -> np.ndarray:
    """The numbers [N, g] that codes stand for."""
    return codes * scales[:, None] + biases[:, None]


def span(groups: np.ndarray, bits: int, *, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Scales and biases [N] whose grid reaches from the least to the greatest number of each group.

    They are float32 that `dtype` holds exactly. Numbers that lie on such a grid already, with both its ends, come back
    as they are.
    """
    low, high = groups.min(axis=1), groups.max(axis=1)
    return kept((high - low) / (2**bits - 1), dtype), kept(low, dtype)


def fit(
    groups: np.ndarray, bits: int, weights: np.ndarray | None = None, *, dtype: str = "float32"
) -> tuple[np.ndarray, np.ndarray]:
    """Scales and biases [N] of the least error of numbers [N, g] that the search finds, each number's squared error
    counted by its weight, [N, g] or [g]; float32 that `dtype` holds exactly."""
    scales, biases = np.empty(len(groups), np.float32), np.empty(len(groups), np.float32)
    for rows in _pieces(groups):
        each = weights if weights is None or weights.ndim == 1 else weights[rows]
        scales[rows], biases[rows] = _fit(np.asarray(groups[rows], np.float32), bits, each, dtype)
    return scales, biases


def _fit(groups: np.ndarray, bits: int, weights: np.ndarray | None, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    weights = np.ones(groups.shape[1], np.float32) if weights is None else weights
    best = span(groups, bits, dtype=dtype)
    least = _error(groups, *best, bits, weights)
    low, high = groups.min(axis=1), groups.max(axis=1)
    for share in SPANS:
        scales = share * (high - low) / (2**bits - 1)
        biases = low + (1 - share) / 2 * (high - low)
        for _ in range(TURNS):
            scales, biases = _suited(groups, codes(groups, scales, biases, bits), weights)
            scales, biases = kept(scales, dtype), kept(biases, dtype)
            error = _error(groups, scales, biases, bits, weights)
            better = error < least
            best = tuple(np.where(better, new, old) for new, old in zip((scales, biases), best, strict=True))
            least = np.where(better, error, least)
    return best


def _suited(groups: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The scales and biases [N] of the least weighted squared error for given codes: a line through points."""
    weights = np.broadcast_to(weights, groups.shape)
    total = np.maximum(weights.sum(axis=1), 1e-30)
    mean_code = (weights * codes).sum(axis=1) / total
    mean = (weights * groups).sum(axis=1) / total
    apart = weights * (codes - mean_code[:, None])
    spread = (apart * codes).sum(axis=1)
    scales = (apart * groups).sum(axis=1) / np.where(spread > 1e-12 * total, spread, np.inf)
    return scales, mean - scales * mean_code


def _error(groups: np.ndarray, scales: np.ndarray, biases: np.ndarray, bits: int, weights: np.ndarray) -> np.ndarray:
    """The weighted squared error of each group [N]."""
    off = values(codes(groups, scales, biases, bits), scales, biases) - groups
    return np.einsum("ng,ng,...g->n", off, off, weights) if weights.ndim == 1 else (off * off * weights).sum(axis=1)


def kept(numbers: np.ndarray, dtype: str) -> np.ndarray:
    """Numbers as float32 that `dtype` (float32, float16 or bfloat16) holds exactly."""
    if dtype == "bfloat16":
        return (bfloat16_bits(numbers).astype(np.uint32) << 16).view(np.float32)
    return numbers.astype(dtype).astype(np.float32)


def _pieces(groups: np.ndarray) -> Iterator[slice]:
    step = max(1, NUMBERS_AT_ONCE // groups.shape[1])
    return (slice(first, first + step) for first in range(0, len(groups), step))
