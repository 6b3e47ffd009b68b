"""PEFT's adapters in folders of their own, one a task, as jinaai/jina-embeddings-v3-hf has them: as the kit's tensors.

transformers computes queries, keys and values apart, the kit from one matrix: their adapters share A, and B is stacked.
Each folder is named like its task, with underscores. T tasks, r the rank.
"""

import re
from collections.abc import Mapping

import numpy as np

from mlx_metaembed.convert.sources import Tensors
from mlx_metaembed.errors import faults
from mlx_metaembed.files.disk import read_object
from mlx_metaembed.files.safetensors import read
from mlx_metaembed.folder import ModelFolder, task_adapters

PEFT = re.compile(r"(?:base_model\.model\.)?(?:roberta\.)?(.+?)\.lora_(embedding_)?([AB])(?:\.weight)?")
MATRICES = (
    (re.compile(r"^layers\.(\d+)\.self_attn\.o_proj$"), r"encoder.layers.\1.mixer.out_proj"),
    (re.compile(r"^layers\.(\d+)\.self_attn\.([qkv])_proj$"), r"encoder.layers.\1.mixer.Wqkv"),
    (re.compile(r"^layers\.(\d+)\.mlp\."), r"encoder.layers.\1.mlp."),
)
"""From transformers' names of the matrices to the checkpoint's."""


def apart(folder: ModelFolder) -> Tensors:
    """The adapters beside a trunk without any, each `<matrix>_lora.A` [T, r, in] and `.B`; see `tasks.shapes`.

    Raises CallError that lists the tasks without a folder, and what in the folders differs from the configuration.
    """
    found, wrong = [], []
    for task in task_adapters.names(folder.config):
        place = folder.path / re.sub(r"[.-]", "_", task)
        if not (place / "adapter_model.safetensors").is_file() or not (place / "adapter_config.json").is_file():
            wrong.append(f"{task}: no adapter_config.json and adapter_model.safetensors in {place.name}")
            continue
        said = read_object(place / "adapter_config.json")
        for ours, theirs in (("lora_rank", "r"), ("lora_alpha", "lora_alpha")):
            if said.get(theirs) != folder.config.get(ours):
                wrong.append(f"{task}: {theirs} = {said.get(theirs)}, config.json says {folder.config.get(ours)}")
        wrong += [f"{task}: {name} is not supported" for name in ("use_dora", "use_rslora") if said.get(name)]
        tensors, unknown = _of_a_task(read(place / "adapter_model.safetensors"))
        wrong += [f"{task}: {name}" for name in unknown]
        found.append(tensors)
    wrong += [] if wrong else _unlike(found)
    if wrong:
        raise faults(f"{folder.path} names task adapters that its weights don't have, nor its folders:", wrong)
    return {name: np.stack([tensors[name] for tensors in found]) for name in found[0]}


def _of_a_task(arrays: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], list[str]]:
    """One task's tensors under the checkpoint's names, and what could not be used."""
    fused: dict[str, dict[str, np.ndarray]] = {}
    wrong = []
    for name, array in arrays.items():
        if not (parts := PEFT.fullmatch(name)):
            wrong.append(f"{name} is no adapter's tensor")
            continue
        matrix, table, letter = parts.groups()
        own = matrix
        for pattern, replacement in MATRICES:
            own = pattern.sub(replacement, own)
        fused.setdefault(f"{own}{task_adapters.LORA}.{letter}", {})[matrix] = array.T if table else array
    found = {}
    for name, pieces in fused.items():
        ordered = [array for _, array in sorted(pieces.items(), key=lambda piece: _order(piece[0]))]
        if name.endswith(".B"):
            found[name] = np.concatenate(ordered)
        elif all(np.array_equal(ordered[0], other) for other in ordered):
            found[name] = ordered[0]
        else:
            wrong.append(f"{name}: queries, keys and values have different ones, and one matrix computes all three")
    return found, wrong


def _order(matrix: str) -> int:
    """Queries, keys, values: the parts of the one matrix."""
    return "qkv".find(matrix.removesuffix("_proj")[-1])


def _unlike(found: list[dict[str, np.ndarray]]) -> list[str]:
    """Where a task's tensors are not those of the first task."""
    shapes = [{name: array.shape for name, array in tensors.items()} for tensors in found]
    return [] if all(each == shapes[0] for each in shapes) else ["the tasks adapt different matrices"]
