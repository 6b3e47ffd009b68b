"""Which model to use and why, in sentences, from the rows of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlx_metaembed.evaluate.choice import FASTER, Choice
from mlx_metaembed.report import intervals, units
from mlx_metaembed.report.options import Option, Row, names, option, shortest

COSTS = (
    ("latency_median_s", units.milliseconds, "for one text"),
    ("bytes_per_vector", units.size, "a vector"),
    ("bytes_on_disk", units.size, "on disk"),
)


def advice(choice: Choice, rows: Sequence[Row], main: Mapping[str, str]) -> list[str]:
    """The sentences; the first says which to use. `main` is the main figure of each data."""
    found = _Advice(choice, {(option(row), str(row["data"])): row for row in rows}, names(rows), shortest(main), main)
    said = [found.near() if choice.near else found.mean()]
    if choice.undecided:
        said.append(found.undecided())
    if not any("behind_best_low" in row for row in rows):
        said.append("Without intervals nothing says how sure that is.")
    return said


@dataclass(frozen=True)
class _Advice:
    """What the sentences are made of: the rows by option and data, names of options and of data."""

    choice: Choice
    rows: Mapping[tuple[Option, str], Row]
    called: Mapping[Option, str]
    files: Mapping[str, str]
    main: Mapping[str, str]

    def near(self) -> str:
        """The chosen one is hardly worse than the best, and takes less."""
        chosen, margin = self.choice.chosen, f"{self.choice.margin:g}"
        counted = {1: next(iter(self.files.values())), 2: "both files"}
        every = counted.get(len(self.files), f"all {len(self.files)} files")
        behind = [data for data, best in self.choice.best.items() if best != chosen]
        if not behind:
            value = f" ({self._value(chosen, next(iter(self.main)))})" if len(self.main) == 1 else ""
            rest = f"nothing cheaper is known to come within {margin} of it"
            return f"Use {self.called[chosen]}: it is the best on {every}{value}, and {rest}."
        data = min(behind, key=lambda each: self.rows[chosen, each]["behind_best"])
        best = self.choice.best[data]
        row, other = self.rows[chosen, data], self.rows[best, data]
        where = f", furthest on {self.files[data]}" if len(self.files) > 1 else ""
        beside = f"{units.quality(other[self.main[data]])} of {self.called[best]}"
        return (
            f"Use {self.called[chosen]}: on {every} it is less than {margin} below the best{where} "
            f"({self._value(chosen, data)} against {beside}: {_behind(row)}){_costs(row, other)}."
        )

    def mean(self) -> str:
        """None is near the best everywhere; the chosen one is the best on average."""
        chosen = self.choice.chosen
        won = [f"{self.called[best]} is the best on {self.files[data]}" for data, best in self.choice.best.items()]
        mean = sum(self.rows[chosen, data][figure] for data, figure in self.main.items()) / len(self.main)
        every = "both" if len(self.files) == 2 else "all"
        return (
            f"None is near the best on {every} files: {', '.join(won)}. Use {self.called[chosen]}, whose mean of the "
            f"main figures is the highest, {units.quality(mean)}."
        )

    def undecided(self) -> str:
        """What more rows would tell, of the first of those that these rows leave open."""
        found, *more = self.choice.undecided
        margin = f"{self.choice.margin:g}"
        data = min(self.files, key=lambda each: self.rows[found, each].get("behind_best_low", 0.0))
        others = f", and so are {len(more)} more" if more else ""
        return (
            f"{self.called[found]} is cheaper and may be as good{others}: on {self.files[data]} it is "
            f"{_behind(self.rows[found, data])}, to the best. More rows would tell whether that is less than {margin}."
        )

    def _value(self, chosen: Option, data: str) -> str:
        figure = self.main[data]
        return f"{units.label(figure)} {units.quality(self.rows[chosen, data][figure])}"


def _behind(row: Row) -> str:
    """How far a row is from the best, with its interval."""
    ends = intervals.ends(row, "behind_best")
    within = f", 95 % interval {intervals.written(ends, signed=True)}" if ends else ""
    return f"{units.signed(float(row['behind_best']))}{within}"


def _costs(row: Row, best: Row) -> str:
    """What the row takes less than the best, and what more."""
    less, more = (
        [f"{write(row[name])} {what} instead of {write(best[name])}" for name, write, what in COSTS if apart(name)]
        for apart in (lambda name: best[name] > FASTER * row[name], lambda name: row[name] > FASTER * best[name])
    )
    parts = [", ".join(each) for each in (less, more) if each]
    return f", and takes {', but '.join(parts)}" if parts else ""
