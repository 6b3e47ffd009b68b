"""Adapters: LoRA and DoRA beside a frozen trunk, in PEFT's format, which both engines and PEFT itself read.

`adapter_config.json` and `adapter_model.safetensors`, one `lora_A` [rank, in] and `lora_B` [out, rank] a layer. The
change is scale * B A, with scale = alpha / rank: the files keep rank and alpha, mlx-lm's keep rank and scale.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mlx_metaembed import forms
from mlx_metaembed import weights as files
from mlx_metaembed.disk import read_json, write_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ADAPTER, ModelFolder
from mlx_metaembed.quantized import plain, plain_shape
from mlx_metaembed.xp import Array, namespace, stop_gradient

FILE = "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT puts before the trunk's names."""
PARTS = ("lora_A.weight", "lora_B.weight", "lora_magnitude_vector")
ONLY = {"peft_type": "LORA", "bias": "none", "fan_in_fan_out": False, "lora_bias": False}
LARGEST_ALPHA = 1e30
EMPTY = ("modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "trainable_token_indices")


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
    def names(self) -> list[str]:
        """The names of all its weights in the trunk."""
        return [f"{path}.{part}" for path in self.modules for part in PARTS[: 3 if self.dora else 2]]


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
    """The adapter with other weights, as after training."""
    return replace(adapter, arrays={name: arrays[name] for name in adapter.names})


def read(folder: ModelFolder) -> Adapter | None:
    """The folder's adapter, None where it has none.

    Raises CallError where it is no LoRA, or lists every weight that does not fit the trunk.
    """
    return None if folder.adapter is None else _read(folder, folder.adapter)


def write(adapter: Adapter, base: str, out: Path) -> None:
    """Write an adapter of the model `base` as PEFT does."""
    settings = {
        "peft_type": "LORA",
        "task_type": "FEATURE_EXTRACTION",
        "base_model_name_or_path": base,
        "r": adapter.rank,
        "lora_alpha": adapter.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(adapter.modules),
        "use_dora": adapter.dora,
        "use_rslora": False,
        "inference_mode": True,
    }
    write_json(out / ADAPTER, settings)
    files.write(out / FILE, {PREFIX + name: array for name, array in adapter.arrays.items()})


def _read(folder: ModelFolder, where: Path) -> Adapter:
    settings = read_json(where / ADAPTER)
    if not settings.get("peft_type") and "lora_parameters" in settings:
        raise CallError(f"{where} is an mlx-lm adapter; bring it in with: metaembed convert {where} OUT")
    wrong = [
        f"{name} = {settings[name]!r}; only {value!r} is supported"
        for name, value in ONLY.items()
        if settings.get(name, value) != value
    ]
    wrong += [f"{name} = {settings[name]!r} is not supported" for name in EMPTY if settings.get(name)]
    rank, alpha = settings.get("r"), settings.get("lora_alpha")
    if not forms.fits(rank, int) or rank < 1 or not forms.fits(alpha, float) or abs(alpha) > LARGEST_ALPHA:
        wrong.append(f"r = {rank!r}, lora_alpha = {alpha!r}: expected a whole number and a number")
    if wrong:
        raise faults(f"{where / ADAPTER}:", wrong)
    path = where / FILE
    if not path.is_file():
        raise CallError(f"{where / ADAPTER} says that this is an adapter, but {FILE} is missing beside it")
    found = {name.removeprefix(PREFIX): array.astype(np.float32) for name, array in files.read(path).items()}
    modules = tuple(sorted(name.removesuffix(".lora_A.weight") for name in found if name.endswith(".lora_A.weight")))
    # rsLoRA divides by the root of the rank; alpha is raised to say the same.
    alpha = alpha * math.sqrt(rank) if settings.get("use_rslora") else alpha
    adapter = Adapter(rank, float(alpha), modules, found, bool(settings.get("use_dora")))
    _require_fit(adapter, folder, path)
    return adapter


def _require_fit(adapter: Adapter, folder: ModelFolder, path: Path) -> None:
    wrong, trunk = [], folder.trunk()
    expected: dict[str, tuple[int, ...]] = {}
    for module in adapter.modules:
        if f"{module}.weight" not in trunk:
            wrong.append(f"{module}: the base has no such layer")
            continue
        rows, columns = plain_shape(trunk, f"{module}.weight", folder.quantization)
        shapes = ((adapter.rank, columns), (rows, adapter.rank), (rows,))
        expected |= {f"{module}.{part}": shape for part, shape in zip(PARTS, shapes, strict=True)}
    for name in adapter.names:
        if name in expected and name not in adapter.arrays:
            wrong.append(f"{name} is missing")
        elif name in expected and adapter.arrays[name].shape != expected[name]:
            wrong.append(f"{name} has shape {adapter.arrays[name].shape}, the base needs {expected[name]}")
    wrong += [f"{name} is not known" for name in _beyond(adapter.arrays, adapter.names)]
    if not adapter.modules:
        wrong.append("it has no lora_A weights")
    if wrong:
        raise faults(f"{path} was made for another base, or is no LoRA:", wrong)


def _beyond(found: Iterable[str], known: Iterable[str]) -> list[str]:
    return sorted(set(found) - set(known))
