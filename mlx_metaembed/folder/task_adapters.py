"""Task adapters of a trunk, as jina-embeddings-v3 has them: which prompt chooses which, their shapes, their folding in.

The configuration lists the tasks in the order of the weights (`lora_adaptations`). A prompt named like a task chooses
its adapter; `query` and `document` stand for the two retrieval tasks; no prompt is the plain trunk. An adapter adds
alpha / rank times a matrix of low rank to every matrix of the trunk, the embeddings too. arXiv:2409.10173, section 4.
T tasks, r the rank.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder

SIDES = {"query": "retrieval.query", "document": "retrieval.passage"}
"""What the kit calls the two sides of a search, and what the adapters are called."""
LORA = "_lora"
"""`<matrix>_lora.A` and `<matrix>_lora.B` stand beside `<matrix>.weight`."""
TABLE = "_embeddings"
"""How the names of the embeddings end, whose adapters are stored the other way round."""


def names(config: Mapping) -> list[str]:
    """The tasks that a trunk has an adapter for, in the weights' order."""
    return list(config.get("lora_adaptations") or []) if config.get("model_type") == "jina_embeddings_v3" else []


def scale(config: Mapping) -> float:
    """What the product of an adapter's two matrices is multiplied by."""
    return config.get("lora_alpha", 1) / config.get("lora_rank", 4)


def chosen(folder: ModelFolder, prompt_name: str | None) -> tuple[str, int | None]:
    """The text of a prompt (the default one for None) and the number of its adapter: -1 for the plain trunk.

    The number is None where the trunk has no adapters. A name without a text gives an empty one.
    """
    asked = prompt_name or folder.default_prompt_name or ""
    tasks = names(folder.config)
    if not tasks:
        return folder.prompts.get(asked, ""), None
    name = SIDES.get(asked, asked)
    text = folder.prompts.get(name, folder.prompts.get(asked, ""))
    return text, tasks.index(name) if name in tasks else -1


def shapes(config: Mapping, trunk: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The adapters' tensors for a trunk's: A [T, r, in] and B [T, out, r]; of a table A [T, rows, r], B [T, r, D]."""
    found: dict[str, tuple[int, ...]] = {}
    if count := len(names(config)):
        rank = config.get("lora_rank", 4)
        for name, shape in trunk.items():
            matrix = name.removesuffix(".weight")
            if len(shape) != 2:
                continue
            table = matrix.endswith(TABLE)
            sizes = ((shape[0], rank), (rank, shape[1])) if table else ((rank, shape[1]), (shape[0], rank))
            found |= {f"{matrix}{LORA}.{part}": (count, *size) for part, size in zip("AB", sizes, strict=True)}
    return found


def number(config: Mapping, task: str) -> int:
    """The number of a task's adapter. Raises CallError for a task that the trunk has none for."""
    known = names(config)
    if task not in known:
        close = nearest(task, known) or "."
        raise CallError(f"There is no adapter {task!r}{close} Adapters: {', '.join(known) or 'none'}")
    return known.index(task)


def folded(config: Mapping, tensors: Mapping[str, Tensor | np.ndarray], task: str) -> dict[str, Tensor | np.ndarray]:
    """A checkpoint's tensors with one task's adapter added to the matrices, as float32, and no adapters beside them.

    Raises CallError for a task that the trunk has no adapter for.
    """
    at, factor = number(config, task), scale(config)
    found = {name: tensor for name, tensor in tensors.items() if f"{LORA}." not in name}
    for name in [name for name in tensors if name.endswith(f"{LORA}.A")]:
        matrix = name.removesuffix(f"{LORA}.A")
        first, second = (_plain(tensors[f"{matrix}{LORA}.{part}"])[at] for part in "AB")
        added = first @ second if matrix.endswith(TABLE) else second @ first
        found[f"{matrix}.weight"] = _plain(tensors[f"{matrix}.weight"]) + factor * added
    return found


def single(folder: ModelFolder, task: str) -> ModelFolder:
    """What a folder declares once a task's adapter is folded in: no adapters, and the task's prompt as the default."""
    text = folder.prompts.get(task, "")
    gone = ("task_instructions", "load_trained_adapters")
    config = {key: value for key, value in folder.config.items() if not key.startswith("lora_") and key not in gone}
    known = [task, *(side for side, own in SIDES.items() if own == task)] if text else []
    return replace(
        folder, config=config, prompts=dict.fromkeys(known, text), default_prompt_name=task if text else None
    )


def _plain(tensor: Tensor | np.ndarray) -> np.ndarray:
    array = read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
    return array.astype(np.float32)
