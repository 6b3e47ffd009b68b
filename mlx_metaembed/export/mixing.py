"""Bits that differ from matrix to matrix, so that together they lose the least within so many bytes.

What a matrix loses at some bits is the share of its output's variance that the rounding's error has, where the inputs'
second moments are known, and of its own numbers' where they are not. The shares are added up: each layer hands on what
it was given with its own noise. Bits are raised where that gains the most a byte.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.convert.sources import Tensors
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.matrices import Rounding, Settings, stored_bits
from mlx_metaembed.files.safetensors import FLOATING, ITEM_BYTES, WORDS, Tensor, read_tensor
from mlx_metaembed.folder.quantized import BITS
from mlx_metaembed.quantizers import affine

FEEDBACK = 0.4
"""What error feedback leaves of a matrix's loss: on all-MiniLM-L6-v2 at 3 bits .43 of the cosine that was lost."""
ENTRY_BYTES = 192
"""A tensor's entry in the file's header, at most."""
SAMPLE = 1 << 20
"""Numbers of a matrix whose loss is measured: whole rows, spread over it."""


@dataclass(frozen=True)
class Budget:
    """Bytes that all matrices may take together, and those that each takes at each number of bits, by module."""

    bytes: float
    taken: Mapping[str, Mapping[int, float]]


def budget(tensors: Tensors, settings: Settings, rounding: Rounding, dtype: str) -> Budget:
    """What was asked for, in bytes of the matrices. Raises CallError where 2 bits everywhere take more."""
    item = ITEM_BYTES[FLOATING[dtype]]
    sizes = {module: int(np.prod(tensors[f"{module}.weight"].shape)) for module in settings}
    taken = {
        module: {bits: sizes[module] * stored_bits(own | {"bits": bits}, 8 * item) / 8 for bits in BITS}
        for module, own in settings.items()
    }
    least, count = sum(each[BITS[0]] for each in taken.values()), sum(sizes.values())
    too_few = f"are too few: with {BITS[0]} bits everywhere"
    if rounding.bytes is None:
        found = rounding.mean_bits * count / 8
        if least > found:
            raise CallError(
                f"{rounding.mean_bits:g} bits a weight {too_few}, scales counted, it is {8 * least / count:.3g}"
            )
    else:
        others = _others(tensors, settings, item)
        found = rounding.bytes - others
        if least > found:
            raise CallError(f"{rounding.bytes:,} bytes {too_few} the weights take {int(least + others) + 1:,}")
    return Budget(found, taken)


def mixed(
    tensors: Tensors,
    settings: Settings,
    given: Budget,
    *,
    dtype: str,
    moments: Mapping[str, np.ndarray] | None = None,
    advance: Callable[[int], object] = lambda count: None,
) -> Settings:
    """The settings of each matrix, with bits of its own, within the budget. `advance` hears after each matrix."""
    lost = {}
    for module, own in settings.items():
        tensor = tensors[f"{module}.weight"]
        matrix = read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
        lost[module] = losses(matrix, own["group_size"], dtype=dtype, moments=(moments or {}).get(module))
        advance(1)
    chosen = allot(lost, given.taken, given.bytes)
    return {module: settings[module] | {"bits": bits} for module, bits in chosen.items()}


def losses(matrix: np.ndarray, group_size: int, *, dtype: str, moments: np.ndarray | None = None) -> dict[int, float]:
    """What a matrix [R, C] loses at each number of bits, as a share."""
    step = max(1, matrix.size // SAMPLE)
    rows = matrix[::step].astype(np.float32)
    weights = np.ones(rows.shape[1]) if moments is None else np.diag(moments)
    groups = rows.reshape(-1, group_size)
    whole = max(float(np.sum(np.square(rows, dtype=np.float64) * weights)), 1e-30)
    found = {}
    for bits in BITS:
        fit = affine.fit(groups, bits, dtype=dtype)
        off = (affine.values(affine.codes(groups, *fit, bits), *fit) - groups).reshape(rows.shape)
        found[bits] = float(np.sum(np.square(off, dtype=np.float64) * weights)) / whole
    return found if moments is None else {bits: FEEDBACK * each for bits, each in found.items()}


def allot(
    lost: Mapping[str, Mapping[int, float]], taken: Mapping[str, Mapping[int, float]], most: float
) -> dict[str, int]:
    """Bits by module, whose bytes `taken` are `most` at most; raised one after another where a byte gains most.

    A step may leave some number of bits out, where the next ones gain more a byte than it.
    """
    bits = dict.fromkeys(lost, BITS[0])
    left = most - sum(taken[module][BITS[0]] for module in lost)
    while True:
        best, gain = None, 0.0
        for module, now in bits.items():
            for higher in (each for each in BITS if each > now):
                cost = taken[module][higher] - taken[module][now]
                found = (lost[module][now] - lost[module][higher]) / cost
                if cost <= left and found > gain:
                    best, gain = (module, higher, cost), found
        if best is None:
            return bits
        module, higher, cost = best
        bits[module], left = higher, left - cost


def _others(tensors: Tensors, settings: Settings, item: int) -> int:
    """Bytes of a file beside the quantized numbers with their scales and biases: the other tensors, and the header."""
    total = 0
    for name, tensor in tensors.items():
        packed = name.removesuffix(".weight") in settings and name.endswith(".weight")
        total += ENTRY_BYTES * (3 if packed else 1)
        if not packed:
            word = tensor.dtype if isinstance(tensor, Tensor) else WORDS[tensor.dtype]
            size = item if word in ("F64", *FLOATING.values()) else ITEM_BYTES[word]
            total += size * int(np.prod(tensor.shape))
    return total
