"""What an engine's allocator held at most during a piece of work, beyond what it held before.

On a processor torch has no counter of its own, but its profiler hears of every allocation.
"""

import gc
from collections.abc import Callable


def counted(engine_name: str, work: Callable[[], object]) -> int:
    """Peak bytes of `work` above those at its start, as MLX's or CUDA's counters or torch's profiler tell."""
    # What lies in cycles would be let go during the work, and taken for less of it.
    gc.collect()
    if engine_name == "mlx":
        return _mlx(work)
    import torch

    return _cuda(work) if torch.cuda.is_available() else _profiled(work)


def _mlx(work: Callable[[], object]) -> int:
    import mlx.core as mx

    mx.synchronize()
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    work()
    mx.synchronize()
    return mx.get_peak_memory() - before


def _cuda(work: Callable[[], object]) -> int:
    import torch

    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    work()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _profiled(work: Callable[[], object]) -> int:
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=False) as made:
        work()
    # Each is an allocation, or a release with its bytes negative.
    events = [event for event in made.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = most = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        most = max(most, held)
    return most
