"""Adapters: low-rank changes beside a frozen trunk, and the files that PEFT and mlx-lm keep them in."""

from mlx_metaembed.adapters.lora import PARTS, Adapter, changed, fused, new, shapes, with_arrays
from mlx_metaembed.adapters.peft import FILE, PICKLED, read, write

__all__ = [
    "FILE",
    "PARTS",
    "PICKLED",
    "Adapter",
    "changed",
    "fused",
    "new",
    "read",
    "shapes",
    "with_arrays",
    "write",
]
