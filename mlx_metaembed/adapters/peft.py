"""PEFT's adapter files, which both engines and PEFT itself read; mlx-lm's are read through `mlx_lm`.

`adapter_config.json` and `adapter_model.safetensors`, one `lora_A` [rank, in] and `lora_B` [out, rank] a layer. The
files keep rank and alpha, mlx-lm's keep rank and scale.
"""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mlx_metaembed.adapters import mlx_lm
from mlx_metaembed.adapters.lora import PARTS, Adapter, shapes
from mlx_metaembed.config import checks, clip
from mlx_metaembed.config.spellings import prefixes, unused
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import safetensors as files
from mlx_metaembed.files.disk import read_object, write_json
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ADAPTER, ModelFolder
from mlx_metaembed.folder.quantized import plain_shape

FILE = "adapter_model.safetensors"
PICKLED = "adapter_model.bin"
PREFIX = "base_model.model."
"""What PEFT puts before the trunk's names."""
WRAPPERS = ("model", "module", "auto_model", "0")
"""Prefixes that programs put around a trunk of any family."""
ONLY = {"peft_type": "LORA", "bias": "none", "fan_in_fan_out": False, "lora_bias": False}
LARGEST_ALPHA = 1e30
EMPTY = (
    *("modules_to_save", "rank_pattern", "alpha_pattern", "layer_replication", "trainable_token_indices"),
    *("target_parameters", "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config", "kasa_config"),
)
"""Settings of PEFT's that change what is computed, and are not computed here."""
HARMLESS = (True, False, None, "gaussian", "eva", "orthogonal", "mica")
"""How an adapter may have begun; the other ways (pissa, olora, corda, loftq, lora_ga) change the base's weights too."""


def read(
    folder: ModelFolder,
    trunk: Mapping[str, Tensor | np.ndarray] | None = None,
    arrays: Mapping[str, np.ndarray] | None = None,
) -> Adapter | None:
    """The folder's adapter, in PEFT's files or mlx-lm's; None where it has none.

    `trunk` are the base's tensors by its own names, and `arrays` the adapter's by the names of its file, where they
    don't lie in safetensors. Raises CallError where it is no LoRA, or lists every weight that does not fit the trunk.
    """
    if folder.adapter is None:
        return None
    return _read(folder, folder.adapter, folder.trunk() if trunk is None else trunk, arrays)


def write(adapter: Adapter, base: str, out: Path, *, task: str = "FEATURE_EXTRACTION") -> None:
    """Write an adapter of the model `base` as PEFT does; `task` is its word for what the model is for."""
    settings = {
        "peft_type": "LORA",
        "task_type": task,
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


def _read(
    folder: ModelFolder,
    where: Path,
    trunk: Mapping[str, Tensor | np.ndarray],
    arrays: Mapping[str, np.ndarray] | None,
) -> Adapter:
    settings = read_object(where / ADAPTER)
    foreign = mlx_lm.wrote(settings)
    if wrong := mlx_lm.faults(settings) if foreign else _faults(settings):
        raise faults(f"{where / ADAPTER}:", wrong)
    path = where / (mlx_lm.FILE if foreign else FILE)
    found = _stored(path) if arrays is None else arrays
    if foreign:
        settings, found = mlx_lm.settings(settings), mlx_lm.arrays(found)
    named: dict[str, np.ndarray] = {}
    for name, array in found.items():
        own = _own(name, folder.model_type, trunk)
        # PEFT's "all-linear" takes BERT's pooler as well, which no text's vector comes from, nor an image's.
        if not unused(own, folder.model_type) or own.startswith(clip.IMAGE):
            named[own] = array.astype(np.float32)
    rank, alpha = settings["r"], float(settings["lora_alpha"])
    modules = tuple(sorted(name.removesuffix(".lora_A.weight") for name in named if name.endswith(".lora_A.weight")))
    # rsLoRA divides by the root of the rank; alpha is raised to say the same.
    alpha = alpha * math.sqrt(rank) if settings.get("use_rslora") else alpha
    adapter = Adapter(rank, alpha, modules, named, bool(settings.get("use_dora")))
    _require_fit(adapter, folder, trunk, path)
    return adapter


def _faults(settings: Mapping) -> list[str]:
    """What PEFT's settings ask for and is not computed here, one line each."""
    wrong = [
        f"{name} = {settings[name]!r}; only {value!r} is supported"
        for name, value in ONLY.items()
        if settings.get(name, value) != value
    ]
    others = [f"{name} = {settings[name]!r:.80} is not supported" for name in EMPTY if settings.get(name)]
    if others:
        others.append(
            "PEFT can fuse such an adapter: merge_and_unload() and save_pretrained(FOLDER); then: "
            "metaembed convert FOLDER OUT"
        )
    if settings.get("init_lora_weights") not in HARMLESS:
        others.append(
            f"init_lora_weights = {settings['init_lora_weights']!r:.80} changed the base's weights too, which are not "
            "in this folder; save it in PEFT with path_initial_model_for_weight_conversion, or fused"
        )
    rank, alpha = settings.get("r"), settings.get("lora_alpha")
    if not checks.fits(rank, int) or rank < 1 or not checks.fits(alpha, float) or abs(alpha) > LARGEST_ALPHA:
        wrong.append(f"r = {rank!r}, lora_alpha = {alpha!r}: expected a whole number and a number")
    return wrong + others


def _stored(path: Path) -> Mapping[str, np.ndarray]:
    """The arrays of an adapter's safetensors file."""
    if path.is_file():
        return files.read(path)
    if path.with_name(PICKLED).is_file():
        raise CallError(
            f"{path.parent} has its adapter as {PICKLED}, a pickle, which no engine loads. Bring it in with: "
            f"metaembed convert {path.parent} OUT"
        )
    raise CallError(f"{path.with_name(ADAPTER)} says that this is an adapter, but {path.name} is missing beside it")


def _own(name: str, model_type: str, trunk: Mapping[str, object]) -> str:
    """An adapter's tensor by the trunk's name of its layer, whatever class was around the trunk."""
    name = name.removeprefix(PREFIX)
    while not _in_trunk(name, trunk):
        first, _, rest = name.partition(".")
        if first not in (*WRAPPERS, *prefixes(model_type)):
            break
        name = rest
    return name


def _in_trunk(name: str, trunk: Mapping[str, object]) -> bool:
    return any(name.endswith(f".{part}") and f"{name.removesuffix(part)}weight" in trunk for part in PARTS)


def _require_fit(adapter: Adapter, folder: ModelFolder, trunk: Mapping, path: Path) -> None:
    wrong = []
    expected: dict[str, tuple[int, ...]] = {}
    for module in adapter.modules:
        shape = plain_shape(trunk, f"{module}.weight", folder.quantization) if f"{module}.weight" in trunk else None
        if shape is None or len(shape) != 2:
            wrong.append(f"{module}: the base has no such linear layer")
            continue
        expected |= shapes(module, *shape, rank=adapter.rank, dora=adapter.dora)
    for name in adapter.names:
        if name in expected and name not in adapter.arrays:
            wrong.append(f"{name} is missing")
        elif name in expected and adapter.arrays[name].shape != expected[name]:
            wrong.append(
                f"{name} has shape {adapter.arrays[name].shape}, the base and rank {adapter.rank} need {expected[name]}"
            )
    known = set(adapter.names)
    wrong += [
        f"{name} is not known: adapters are of linear layers" for name in sorted(adapter.arrays) if name not in known
    ]
    if not adapter.modules:
        wrong.append("it has no lora_A weights")
    if wrong:
        raise faults(
            f"{path} was made for another base than {folder.base or folder.path}, or is no LoRA:",
            wrong,
            f"If its base lies elsewhere: metaembed convert {path.parent} OUT --base BASE",
        )
