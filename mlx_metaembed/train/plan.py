"""How many tokens the model may hold at once within the memory budget.

Bytes = parameters (masters, gradient sums, two moments, and the half copy with its gradient) + the activations of one
chunk that the backward pass needs + slack for the allocator.
"""

import math
from dataclasses import dataclass

from mlx_metaembed import batches
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.sizes import format_size

MOST_TOKENS = 8_192
"""Longer chunks gain nothing: the matrices are large enough to keep a laptop's GPU busy."""
USABLE = 0.8
"""The share of the budget that is planned for; the rest is the allocator's and the system's."""
LOSS_MATRICES = 6
"""Matrices of rows x candidates that the loss at one width holds with its gradient."""
NEEDED = ("hidden_size", "num_hidden_layers", "num_attention_heads")
ITEM = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Plan:
    """Tokens a chunk of GradCache has, and tokens that may be held at once, padding included."""

    chunk_tokens: int
    held_tokens: int

    def holds(self, padded_tokens: int) -> bool:
        """Whether a whole batch fits without GradCache."""
        return padded_tokens <= self.held_tokens


def plan(
    folder: ModelFolder,
    *,
    memory_bytes: int,
    dtype: str,
    max_seq_length: int,
    chunk_tokens: int | None,
    rows: int,
    candidates: int,
) -> Plan:
    """The plan for full training on batches of so many rows and candidates.

    Raises CallError for a configuration that lacks a width or depth, and naming the least budget where not even the
    smallest chunk fits.
    """
    if missing := [f"{name} is missing" for name in NEEDED if name not in folder.architecture]:
        raise faults(f"{folder.path / 'config.json'}:", missing)
    parameters = sum(math.prod(tensor.shape) for tensor in folder.trunk().values())
    fixed = parameters * (16 if dtype == "float32" else 20) + LOSS_MATRICES * 4 * rows * candidates
    token = activation_bytes(folder.architecture, max_seq_length, ITEM[dtype])
    room = int(memory_bytes * USABLE) - fixed
    least = batches.least_rows(max_seq_length) * batches.bucket(max_seq_length)
    if room < least * token:
        needed = (fixed + least * token) / USABLE
        raise CallError(
            f"memory = {format_size(memory_bytes)} is too little for {folder.path.name} at {max_seq_length} tokens: "
            f"parameters, optimizer and loss take {format_size(fixed)}, the least is {format_size(int(needed))}. "
            "Give a larger --memory, a smaller --max-seq-length or a smaller --batch-size"
        )
    held = room // token
    return Plan(min(chunk_tokens or MOST_TOKENS, held), held)


def activation_bytes(config: dict, length: int, item: int) -> int:
    """Bytes a token that the backward pass of the trunk needs, at texts of `length` tokens."""
    hidden, wide = config["hidden_size"], config.get("intermediate_size", 4 * config["hidden_size"])
    if config.get("moe_every_n_layers"):
        # Each token goes through so many experts.
        wide *= config.get("moe_top_k") or 1
    # A layer keeps its input, q, k, v, the context, two sums and norms; the wide part before, inside and after the
    # activation; and scores and weights of each attention head.
    return config["num_hidden_layers"] * item * (10 * hidden + 4 * wide + 3 * config["num_attention_heads"] * length)
