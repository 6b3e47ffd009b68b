"""usearch, imported so that MLX goes on working: the only place that imports it.

Its Linux wheel (2.26) makes two runtimes of its own visible to every library loaded later, and each breaks MLX:
- the C++ runtime: MLX no longer prints numbers, not even into the kernels it compiles, and ends with a g++ error;
- GNU's OpenMP: MKL asks it which thread is running while Intel's starts the threads, so that each does all of the
  work, and `a @ b + c` counts the product twice without an error.
Loaded globally before usearch, the runtimes that MLX and MKL were made for come first, whatever is loaded after.
"""

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType


def usearch() -> ModuleType:
    """The module `usearch.index`."""
    if sys.platform == "linux" and "usearch" not in sys.modules:
        _load_first(["libstdc++.so.6"])
        _load_first([str(Path(sys.prefix) / "lib" / "libiomp5.so"), "libiomp5.so"])
    import usearch.index

    return usearch.index


def _load_first(names: Sequence[str]) -> None:
    """Load the first library that is there, its symbols visible to all; where none is, nothing needs it."""
    for name in names:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return
