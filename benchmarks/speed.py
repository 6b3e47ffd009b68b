"""Tokens a second of the steps after the first, by the wall and by the processor.

With one thread a second of the processor is what a second is on a machine that nobody else uses: where others do, that
is the figure to compare.
"""

import time
from collections.abc import Sequence

Mark = tuple[float, float]
"""Seconds on the wall and of the processor, when a step ended."""


def mark() -> Mark:
    """Now."""
    return time.perf_counter(), time.process_time()


def speeds(tokens: Sequence[int], marks: Sequence[Mark], before: Mark = (0.0, 0.0)) -> dict[str, float]:
    """`tokens_per_second` and `tokens_per_cpu_second` of steps of so many tokens each, which ended at `marks`.

    The first step, in which libraries warm up, is left out. `before` are seconds that all steps together took ahead of
    the first, such as tokenising.
    """
    share = sum(tokens[1:]) / sum(tokens)
    wall, cpu = (last - first + share * ahead for first, last, ahead in zip(marks[0], marks[-1], before, strict=True))
    return {"tokens_per_second": sum(tokens[1:]) / wall, "tokens_per_cpu_second": sum(tokens[1:]) / cpu}
