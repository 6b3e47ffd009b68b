"""Rotary positions as config.json says them, from a file's metadata and its table of factors."""

import numpy as np

from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.convert.gguf.packed import Packed
from mlx_metaembed.files.safetensors import read_tensor

FACTORS = "rope_freqs.weight"
LLAMA3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""What Llama 3.1, 3.2 and 3.3 share; a file keeps the factors alone that come of it."""


def settings(said: Metadata, head_dim: int, factors: Packed | None, theta: float = 10_000.0) -> dict:
    """The keys of config.json for the positions, in the words of before transformers 5, which all loaders read.

    `factors` are those that Llama 3 divides frequencies by. Raises CallError for a scaling that is not known.
    """
    base = said.number("{arch}.rope.freq_base", theta)
    found: dict = {"rope_theta": base}
    # A key of older files, before scaling had types.
    old = said.number("{arch}.rope.scale_linear", 1.0)
    kind = said.text("{arch}.rope.scaling.type", "none" if old == 1 else "linear")
    if factors is not None:
        return found | {"rope_scaling": _llama3(said, base, head_dim, factors)}
    if kind == "none":
        return found
    factor = said.number("{arch}.rope.scaling.factor", old)
    scaling: dict = {"type": kind, "rope_type": kind, "factor": factor}
    if kind == "yarn":
        scaling["original_max_position_embeddings"] = said.whole("{arch}.rope.scaling.original_context_length")
    elif kind != "linear":
        raise said.error(f"rope.scaling.type = {kind!r:.40} is not known; known are none, linear and yarn")
    return found | {"rope_scaling": scaling} if factor != 1 else found


def _llama3(said: Metadata, base: float, head_dim: int, stored: Packed) -> dict:
    """The scaling that gives the factors of a file, found by its largest one and held against all."""
    factors = read_tensor(stored).reshape(-1).astype(np.float64)
    largest = float(np.max(factors))
    scaling = {"type": "llama3", "rope_type": "llama3", "factor": round(largest, 4)} | LLAMA3
    if len(factors) != head_dim // 2 or not np.allclose(_divisors(base, head_dim, largest), factors, rtol=1e-3):
        raise said.error(
            f"its {FACTORS} are not those of Llama 3's scaling by {largest:.4g}, and no other is known; convert the "
            "model that the file was made from"
        )
    return scaling


def _divisors(base: float, head_dim: int, factor: float) -> np.ndarray:
    """What Llama 3.1 divides every frequency by, [head_dim / 2] (transformers, `_compute_llama3_parameters`)."""
    waves = 2 * np.pi * base ** (np.arange(0, head_dim, 2) / head_dim)
    low, high, context = (
        LLAMA3["low_freq_factor"],
        LLAMA3["high_freq_factor"],
        LLAMA3["original_max_position_embeddings"],
    )
    smooth = np.clip((context / waves - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / factor + smooth)
