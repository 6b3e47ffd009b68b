"""Which of several models to use: the cheapest of those that are hardly worse than the best, on all the data.

Hardly worse is a test of non-inferiority: the lower end of the paired interval of the difference to the best lies
above a margin. A model that is only not told apart from the best, on a few rows, is not taken for as good.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MARGIN = 0.02
"""How much of the main figure may be given up."""
FASTER = 1.1
"""Times below this ratio are one time: clocks of busy machines say no more."""

Option = tuple[str, str]
"""A model and a vector."""
Row = Mapping[str, object]


@dataclass(frozen=True)
class Choice:
    """`chosen`; `near` says whether it is hardly worse than the best on all data, and not only the best on average.

    `best` is the best by data. `undecided` are cheaper ones that these rows can't tell to be hardly worse.
    """

    chosen: Option
    near: bool
    best: Mapping[str, Option]
    undecided: tuple[Option, ...]


def choose(rows: Sequence[Row], main: Mapping[str, str], margin: float = MARGIN) -> Choice:
    """The choice among the rows of `comparison.compare`; `main` is the main figure of each data.

    Of those within the margin the fastest for one text; of equally fast ones that with the shortest vector, then the
    smallest on disk. Where none is within it on all data, that with the highest mean of the main figures.
    """
    options: dict[Option, dict[str, Row]] = {}
    for row in rows:
        options.setdefault((row["name"], row["vector"]), {})[row["data"]] = row
    best = {data: max(options, key=lambda option: options[option][data][figure]) for data, figure in main.items()}
    near = [option for option, found in options.items() if all(_worst(row) >= -margin for row in found.values())]
    if near:
        chosen = cheapest({option: options[option] for option in near})
    else:
        chosen = max(options, key=lambda option: sum(options[option][data][name] for data, name in main.items()))
    undecided = [
        option
        for option, found in options.items()
        if option not in near
        and all(row["behind_best"] >= -margin for row in found.values())
        and option != chosen
        and cheapest({each: options[each] for each in (chosen, option)}) == option
    ]
    return Choice(chosen, bool(near), best, tuple(undecided))


def cheapest(options: Mapping[Option, Mapping[str, Row]]) -> Option:
    """The fastest of the options; of equally fast ones that with the shortest vector, then the smallest on disk."""
    times = {option: sum(row["latency_median_s"] for row in found.values()) for option, found in options.items()}
    quick = [option for option, time in times.items() if time <= FASTER * min(times.values())]

    def cost(option: Option) -> tuple[float, ...]:
        row = next(iter(options[option].values()))
        return row["bytes_per_vector"], row["bytes_on_disk"], times[option]

    return min(quick, key=cost)


def _worst(row: Row) -> float:
    """The lower end of the difference to the best, or the difference where there is no interval."""
    return row.get("behind_best_low", row["behind_best"])
