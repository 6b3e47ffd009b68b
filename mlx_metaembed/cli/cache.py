"""The cache of vectors that a verb was given, and what it says of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from mlx_metaembed.cli.output import note
from mlx_metaembed.errors import CallError

if TYPE_CHECKING:
    from mlx_metaembed.vector_cache import VectorCache


def opened_cache(where: str | None, hours: float | None) -> "VectorCache | None":
    """The cache that --cache names, None for none; what it warns of is a note. Raises CallError as `open_cache`."""
    if where is None:
        if hours is not None:
            raise CallError("--cache-hours belongs to --cache, which says where vectors are kept")
        return None
    from mlx_metaembed.vector_cache import HOURS, open_cache

    return open_cache(where, hours=HOURS if hours is None else hours, warn=note)


def told(cache: "VectorCache") -> dict[str, int]:
    """How many texts the cache had, had not, and had damaged; also said as a note. The cache is closed."""
    cache.close()
    counts = asdict(cache.counts)
    damaged = f", {counts['damaged']:,} of them damaged" if counts["damaged"] else ""
    note(f"Cache {cache.store.name}: {counts['hits']:,} found, {counts['misses']:,} made{damaged}")
    return counts
