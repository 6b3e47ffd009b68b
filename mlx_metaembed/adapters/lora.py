"""Low-rank changes of linear layers: LoRA (arXiv:2106.09685) and DoRA (arXiv:2402.09353).

The change of a matrix is scale * B A, with scale = alpha / rank. Names of weights are PEFT's.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.quantized import plain
from mlx_metaembed.xp import Array, namespace, stop_gradient

PARTS = ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")


@dataclass(frozen=True)
class Adapter:
    """Low-rank changes of the linear layers `modules` (paths in the trunk); `arrays` by PEFT's names, float32."""

    rank: int
    alpha: float
    modules: tuple[str, ...]
    arrays: Mapping[str, np.ndarray]
    dora: bool = False

    @property
    def scale(self) -> float:
        """What B A is multiplied by."""
        return self.alpha / self.rank

    @property
    def kind(self) -> str:
        """What it is called."""
        return "DoRA" if self.dora else "LoRA"

    @property
    def names(self) -> list[str]:
        """The names of all its weights in the trunk."""
        return [f"{path}.{part}" for path in self.modules for part in _parts(self.dora)]


def shapes(path: str, rows: int, columns: int, *, rank: int, dora: bool) -> dict[str, tuple[int, ...]]:
    """The weights by name that an adapter has for the linear layer `path`, a matrix [rows, columns]."""
    found = ((rank, columns), (rows, rank), (rows,))
    return {f"{path}.{part}": shape for part, shape in zip(_parts(dora), found, strict=False)}


def _parts(dora: bool) -> tuple[str, ...]:
    return PARTS if dora else PARTS[:2]


def new(
    folder: ModelFolder, layers: Mapping[str, tuple[int, int]], *, rank: int, alpha: float, dora: bool, seed: int
) -> Adapter:
    """An adapter that changes nothing yet: A uniform as PEFT draws it, B zero, magnitudes the rows' own lengths.

    `layers` are the shapes [out, in] by path. LoRA, arXiv:2106.09685, section 4.1; DoRA, arXiv:2402.09353, section 4.
    """
    random = np.random.default_rng(seed)
    trunk = folder.trunk() if dora else {}
    arrays: dict[str, np.ndarray] = {}
    for path, (rows, columns) in layers.items():
        bound = 1 / math.sqrt(columns)
        arrays[f"{path}.lora_A.weight"] = random.uniform(-bound, bound, (rank, columns)).astype(np.float32)
        arrays[f"{path}.lora_B.weight"] = np.zeros((rows, rank), np.float32)
        if dora:
            matrix = plain(trunk, f"{path}.weight", folder.quantization).astype(np.float32)
            arrays[f"{path}.lora_magnitude_vector"] = np.linalg.norm(matrix, axis=1)
    return Adapter(rank, alpha, tuple(layers), arrays, dora)


def changed(weight: Array, low: Array, high: Array, magnitude: Array | None, scale: float) -> Array:
    """The matrix W + scale * B A [out, in]; with a magnitude [out], its rows at that length (DoRA, section 4.1)."""
    xp = namespace(weight)
    whole = weight + scale * xp.matmul(high, low)
    if magnitude is None:
        return whole
    length = xp.sqrt(xp.sum(stop_gradient(whole) * stop_gradient(whole), axis=1, keepdims=True))
    return whole * (magnitude[:, None] / length)


def fused(adapter: Adapter, path: str, weight: np.ndarray) -> np.ndarray:
    """A layer's own matrix with the adapter's change in it, float32."""
    low, high = (adapter.arrays[f"{path}.{part}"] for part in PARTS[:2])
    magnitude = adapter.arrays[f"{path}.{PARTS[2]}"] if adapter.dora else None
    return changed(weight.astype(np.float32), low, high, magnitude, adapter.scale)


def with_arrays(adapter: Adapter, arrays: Mapping[str, np.ndarray]) -> Adapter:
    """The adapter with other weights, as after training; those of a frozen one, which are not given, stay."""
    return replace(adapter, arrays={name: arrays.get(name, adapter.arrays[name]) for name in adapter.names})
