"""jina-embeddings-v3's configuration in small, and the states of its tasks from merged weights.

An adapter is merged as jina's modeling_lora.py does it (jinaai/xlm-roberta-flash-implementation): the weight plus
alpha / rank times B A, for embeddings A B. transformers' trunk then computes one task's states.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch

from mlx_metaembed.files import disk, safetensors

TASKS = ("retrieval.query", "retrieval.passage", "separation", "classification", "text-matching")
JINA = {
    "model_type": "jina_embeddings_v3",
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "type_vocab_size": 1,
    "layer_norm_eps": 1e-5,
    "hidden_act": "gelu",
    "pad_token_id": 1,
    "lora_adaptations": list(TASKS),
    "lora_alpha": 2,
    "lora_rank": 3,
    "rope_parameters": {"rope_type": "default", "rope_theta": 300.0},
    "task_instructions": dict(zip(TASKS, ("open a socket ", "join two paths ", "", "", ""), strict=True)),
}


def adapted(
    trunk: torch.nn.Module, found: dict, _out: Path, ids: torch.Tensor, mask: torch.Tensor
) -> dict[str, np.ndarray]:
    """Draw adapters into `found`; `tasks` int32 [B], -1 for none, and `task_states` float32 [B, L, D]."""
    random = np.random.default_rng(1)
    plain = {name: array for name, array in found.items() if name.endswith(".weight") and array.ndim == 2}
    scale = JINA["lora_alpha"] / JINA["lora_rank"]
    merged = [dict(found) for _ in TASKS]
    for name, weight in plain.items():
        rows, columns = weight.shape
        first, second = ((rows, 3), (3, columns)) if "_embeddings" in name else ((3, columns), (rows, 3))
        a, b = (random.standard_normal((len(TASKS), *shape)).astype(np.float32) * 0.2 for shape in (first, second))
        for task, arrays in enumerate(merged):
            arrays[name] = weight + scale * (a[task] @ b[task] if "_embeddings" in name else b[task] @ a[task])
        found |= {f"{name.removesuffix('.weight')}_lora.{part}": array for part, array in (("A", a), ("B", b))}
    tasks = np.arange(len(ids), dtype=np.int32) % (len(TASKS) + 1) - 1
    states = np.stack([states_of(type(trunk), arrays, ids, mask) for arrays in [dict(found), *merged]])
    return {"tasks": tasks, "task_states": states[tasks + 1, np.arange(len(ids))] * mask.numpy()[:, :, None]}


def states_of(kind: type, arrays: dict, ids: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    """The states that transformers gives for weights without adapters, under the hub's names."""
    with tempfile.TemporaryDirectory() as scratch:
        disk.write_json(Path(scratch) / "config.json", JINA)
        safetensors.write(Path(scratch) / "model.safetensors", {k: v for k, v in arrays.items() if "_lora." not in k})
        trunk = kind.from_pretrained(scratch, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.inference_mode():
        return trunk(input_ids=ids, attention_mask=mask).last_hidden_state.numpy()
