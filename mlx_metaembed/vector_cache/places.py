"""Where a cache is: a file's path, or a Redis server's address."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.vector_cache.cache import VectorCache
from mlx_metaembed.vector_cache.redis import SCHEMES, RedisStore
from mlx_metaembed.vector_cache.sqlite import SqliteStore

HOURS = 48.0


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)


def open_cache(where: str | Path, *, hours: float = HOURS, warn: Callable[[str], None] = _warn) -> VectorCache:
    """A cache at `where`: the path of an SQLite file, or redis://host:port/number.

    Vectors are kept for `hours` from when they were made. `warn` hears once of a store that fails while it is used; by
    default that is a RuntimeWarning. Raises CallError where the place can't be used.
    """
    if isinstance(hours, bool) or not isinstance(hours, (int, float)) or not 0 < hours < math.inf:
        raise CallError(f"A cache for {hours!r:.80} hours; expected a number above 0")
    if not isinstance(where, str | Path) or not str(where):
        raise CallError(f"A cache at {where!r:.80}; expected the path of a file, or redis://host:port/0")
    scheme, separator, _ = str(where).partition("://")
    if not separator:
        return VectorCache(SqliteStore(Path(where).expanduser()), hours, warn)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise CallError(f"A cache at {scheme}:// is not known; expected the path of a file, or one of {known}")
    return VectorCache(RedisStore(str(where)), hours, warn)
