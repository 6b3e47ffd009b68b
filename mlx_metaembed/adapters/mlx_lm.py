"""mlx-lm's adapters in PEFT's words: `adapters.safetensors` and the settings that `mlx_lm.lora` leaves beside it.

mlx-lm multiplies the change by `scale`, PEFT by alpha / rank; its matrices are transposed: A [in, rank], B [rank, out].
An `alpha` that stands beside `scale` is not used, as in mlx-lm from 0.14 on. Source: mlx_lm/tuner/lora.py and dora.py
of https://github.com/ml-explore/mlx-lm.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mlx_metaembed.adapters.lora import Adapter
from mlx_metaembed.files import disk, safetensors

FILE = "adapters.safetensors"
PARTS = {"lora_a": "lora_A.weight", "lora_b": "lora_B.weight", "m": "lora_magnitude_vector"}
"""mlx-lm's names of a layer's parts, and PEFT's."""
LAYERS = ".layers."
KINDS = ("lora", "dora")


def wrote(settings: Mapping) -> bool:
    """Whether these settings are mlx-lm's."""
    return not settings.get("peft_type") and "lora_parameters" in settings


def faults(settings: Mapping) -> list[str]:
    """What in mlx-lm's settings can't be translated, one line each."""
    kind, parameters = settings.get("fine_tune_type") or "lora", settings["lora_parameters"]
    if kind not in KINDS:
        return [
            f"fine_tune_type = {kind!r}: the file holds whole weights, no adapter; fuse it with mlx_lm.fuse, and "
            "convert what that writes"
        ]
    if not isinstance(parameters, dict):
        return [f"lora_parameters = {parameters!r:.80}, expected a rank and a scale"]
    wrong = [
        f"lora_parameters: {name} = {parameters.get(name)!r:.80}, expected {what}"
        for name, what, types in (("rank", "a whole number from 1 on", int), ("scale", "a number", int | float))
        if not isinstance(parameters.get(name), types) or isinstance(parameters[name], bool)
    ]
    if not wrong and parameters["rank"] < 1:
        wrong.append(f"lora_parameters: rank = {parameters['rank']}, expected a whole number from 1 on")
    return wrong


def settings(found: Mapping) -> dict:
    """PEFT's settings for mlx-lm's, without faults: alpha is what gives the same scale."""
    parameters = found["lora_parameters"]
    return {
        "peft_type": "LORA",
        "r": parameters["rank"],
        "lora_alpha": parameters["scale"] * parameters["rank"],
        # Until 0.18 it was a flag of its own.
        "use_dora": found.get("fine_tune_type") == "dora" or bool(found.get("use_dora")),
    }


def arrays(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The tensors under PEFT's names, the matrices the other way round; what has no known name stays as it is."""
    renamed = {}
    for name, array in found.items():
        module, _, part = name.rpartition(".")
        renamed[f"{module}.{PARTS[part]}" if part in PARTS else name] = array.T if array.ndim == 2 else array
    return renamed


def write(adapter: Adapter, base: str, out: Path) -> None:
    """Write an adapter of the layers of the language model `base` as `mlx_lm.lora` does."""
    inside = [path.partition(LAYERS)[2].split(".", 1) for path in adapter.modules]
    parameters = {
        "rank": adapter.rank,
        "scale": adapter.scale,
        "dropout": 0.0,
        "keys": sorted({key for _, key in inside}),
    }
    said = {"model": base, "fine_tune_type": "lora", "num_layers": len({layer for layer, _ in inside})}
    disk.write_json(out / "adapter_config.json", said | {"lora_parameters": parameters})
    arrays = {}
    for name, array in adapter.arrays.items():
        part = next(own for own, theirs in PARTS.items() if name.endswith(f".{theirs}"))
        arrays[f"{name.removesuffix(PARTS[part])}{part}"] = np.ascontiguousarray(array.T)
    safetensors.write(out / FILE, arrays)
