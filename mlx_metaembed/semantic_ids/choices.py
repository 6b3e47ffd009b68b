"""What a scheme is to be made of: axes as a call names them, code digits, and how they are found."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.semantic_ids.code_digits import METHODS, MOST_LEVELS, RQ_KMEANS

AXIS_LEVELS, FREE_LEVELS, FEWEST = 8, 5, 2
NAME = re.compile(r"[A-Za-z_][\w-]{0,31}", re.ASCII)


@dataclass(frozen=True)
class AxisChoice:
    """A named axis: of a `column`, of `prompts`, or, with neither, of what the others leave."""

    name: str
    levels: int
    column: str = ""
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Choices:
    """Axes in the order of the digits; `levels` of the code digits behind them, None: as the data choose."""

    axes: tuple[AxisChoice, ...] = ()
    levels: tuple[int, ...] | None = None
    method: str = RQ_KMEANS
    unique: bool = False
    held_out: float = 0.1
    seed: int = 0
    columns: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(axis.column for axis in self.axes if axis.column))

    def require(self) -> None:
        """Raise CallError with all that no scheme can have."""
        wrong = [
            f"axis {axis.name} has {axis.levels} levels"
            for axis in self.axes
            if not FEWEST <= axis.levels <= MOST_LEVELS
        ]
        wrong += [f"a digit has {each} levels" for each in self.levels or () if not FEWEST <= each <= 2**16 - 1]
        names = [axis.name for axis in self.axes]
        wrong += [f"the axis {name} is given twice" for name in dict.fromkeys(names) if names.count(name) > 1]
        if self.method not in METHODS:
            known = ", ".join(METHODS)
            wrong.append(f"method {self.method!r} is not known{nearest(self.method, METHODS)}; known: {known}")
        if not self.axes and self.levels == ():
            wrong.append("there is no digit: give axes, or levels")
        if wrong:
            raise faults("No scheme of IDs can be so:", wrong, f"Levels are {FEWEST} to {MOST_LEVELS:,}")


def parse_axis(text: str, *, is_free: bool = False) -> AxisChoice:
    """`era=year`, `era=year:8` (a column), `tone=formal|casual`, `formal|casual` (prompts), or with `is_free`
    `variation:5`. Raises CallError for anything else."""
    said, separator, last = text.rpartition(":")
    levels = int(last) if separator and last.isdigit() and len(last) < 6 else None
    said = said if levels is not None else text
    name, _, what = said.partition("=") if "=" in said else (said if is_free else "", "", "" if is_free else said)
    name, what = name.strip(), what.strip()
    if is_free and (what or not NAME.fullmatch(name)):
        raise CallError(f"--free {text!r:.80}: expected a name and perhaps levels, like variation or variation:5")
    prompts = tuple(part.strip() for part in what.split("|")) if "|" in what else ()
    if prompts and not name:
        name = re.sub(r"\W+", "_", prompts[0]).strip("_")[:32] or "axis"
    if not NAME.fullmatch(name) or (not is_free and not what) or not all(prompts):
        raise CallError(
            f"--axis {text!r:.80}: expected NAME=COLUMN or NAME=PROMPT|PROMPT, perhaps with :LEVELS, like era=year:8, "
            'or "tone=formal|casual"'
        )
    if prompts:
        few = len(prompts) > 2
        if few and levels not in (None, len(prompts)):
            raise CallError(f"--axis {text!r:.80}: {len(prompts)} prompts are {len(prompts)} levels, not {levels}")
        return AxisChoice(name, len(prompts) if few else levels or AXIS_LEVELS, prompts=prompts)
    return AxisChoice(name, levels or (FREE_LEVELS if is_free else AXIS_LEVELS), column=what)


def parse_levels(text: str) -> tuple[int, ...]:
    """`"256,256"` as levels, `""` as none. Raises CallError for anything but whole numbers."""
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if not all(part.isdigit() and len(part) < 6 for part in parts):
        raise CallError(f"--levels {text!r:.80}: expected whole numbers, like 256,256,256")
    return tuple(map(int, parts))


def described(choices: Sequence[AxisChoice]) -> list[str]:
    """Each axis in a few words."""
    kinds = [f"column {axis.column!r}" if axis.column else " | ".join(axis.prompts) or "free" for axis in choices]
    return [f"{axis.name} ({kind}, {axis.levels} levels)" for axis, kind in zip(choices, kinds, strict=True)]
