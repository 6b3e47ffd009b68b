"""What MLX's allocator may hold, which a process has one of, and what it held."""

from collections.abc import Iterator
from contextlib import contextmanager

import mlx.core as mx

CACHE_SHARE, CLEAR_SHARE = 4, 8
"""The allocator's cache may have 1 / CACHE_SHARE of what a run is planned to hold; after a step with more than
1 / CLEAR_SHARE in it, it is cleared."""


@contextmanager
def limited(limit: int, planned: int) -> Iterator[None]:
    """Within it the allocator holds at most `limit` bytes; then the process has its own limits and random key back."""
    first, second = mx.random.state[0].tolist()
    before = mx.set_memory_limit(limit), mx.set_cache_limit(planned // CACHE_SHARE)
    try:
        yield
    finally:
        mx.set_memory_limit(before[0])
        mx.set_cache_limit(before[1])
        # A key is the two halves of its seed.
        mx.random.seed(first << 32 | second)
        mx.clear_cache()


def peak(planned: int | None, *, reset: bool) -> int:
    """The most bytes held since the last reset."""
    held = mx.get_peak_memory()
    # Every new shape adds buffers to the cache; past its share the old ones are given back.
    if reset or (planned and mx.get_cache_memory() > planned // CLEAR_SHARE):
        mx.clear_cache()
    if reset:
        mx.reset_peak_memory()
    return held
