"""A fast BLAS for MLX on a Linux processor: the wheel carries the reference one, 25 to 34 times slower.

A library loaded with global symbols before mlx.core wins over the wheel's own. macOS and CUDA have no need of it.
"""

import ctypes
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from mlx_metaembed.files.installation import command

NAMES = ("libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so", "libopenblas.so.0", "libopenblas.so")


def advice() -> str:
    """The commands that install a fast BLAS."""
    return f"{command('blas')} (x86-64), or apt install libopenblas0"


def preload() -> str | None:
    """Load the first fast BLAS found, once; its name, or None. To be called before mlx.core is imported."""
    global _loaded
    if _loaded is _NOT_YET:
        wanted = sys.platform == "linux" and "mlx.core" not in sys.modules
        _loaded = first(candidates(Path(sys.prefix)), _load) if wanted else None
    return _loaded


def candidates(prefix: Path) -> list[str]:
    """Where a fast BLAS may lie: pip's MKL under the environment first, then whatever the loader finds by name."""
    inside = [str(prefix / "lib" / name) for name in NAMES if (prefix / "lib" / name).is_file()]
    return [*inside, *NAMES]


def first(names: Iterable[str], load: Callable[[str], object]) -> str | None:
    """The first library that loads."""
    for name in names:
        try:
            load(name)
        except OSError:
            continue
        return name
    return None


def _load(name: str) -> object:
    return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)


_NOT_YET = "not yet"
_loaded: str | None = _NOT_YET
