"""mlx-metaembed: fine-tune and compress text embedders on a laptop. Importing it imports no engine."""

import importlib

_PUBLIC = {
    "load": "mlx_metaembed.embedder",
    "Embedder": "mlx_metaembed.embedder",
    "Recipe": "mlx_metaembed.recipe",
    "train": "mlx_metaembed.training",
}

__all__ = ["Embedder", "Recipe", "load", "train"]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mlx_metaembed' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
