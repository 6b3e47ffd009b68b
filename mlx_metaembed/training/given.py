"""What a caller in Python gives a run beside its recipe: rows instead of files, and losses of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, is_dataclass, make_dataclass
from typing import ClassVar

from mlx_metaembed.errors import CallError
from mlx_metaembed.losses import LOSSES, Sample, Sizes
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable
from mlx_metaembed.xp import Array


@dataclass(frozen=True)
class Given:
    """`rows` are dicts by the name of a data set, `losses` classes as in LOSSES or functions of a Sample, by name."""

    rows: Mapping[str, Iterable[Mapping]] = field(default_factory=dict)
    losses: Mapping[str, Callable] = field(default_factory=dict)

    def known_losses(self) -> dict[str, type]:
        """All losses by name. Raises CallError where one would take another's name."""
        if twice := sorted(self.losses.keys() & LOSSES.keys()):
            raise CallError(f"The kit has a loss {twice[0]!r} already; give yours another name")
        return LOSSES | {
            name: loss if is_dataclass(loss) else of_function(name, loss) for name, loss in self.losses.items()
        }

    def with_sources(self, recipe: Recipe) -> tuple[DataTable, ...]:
        """The recipe's data sets with those that are given as rows: a table each where it has none of that name."""
        named = {table.name for table in recipe.sources}
        return (*recipe.sources, *(DataTable(name) for name in self.rows if name not in named and not recipe.data))


def of_function(name: str, function: Callable[[Sample], Array]) -> type:
    """A loss of pairs, on whatever a head gives, that calls a function of a Sample."""
    return make_dataclass(
        name, [], bases=(_Function,), namespace={"kind": name, "function": staticmethod(function)}, frozen=True
    )


@dataclass(frozen=True)
class _Function:
    """A function of a Sample as a loss without settings; held bytes are those of its texts' outputs."""

    kind: ClassVar[str] = ""
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens", "scores")
    several: ClassVar[bool] = False
    function: ClassVar[Callable]

    def faults(self) -> list[str]:
        return []

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample) -> Array:
        return self.function(sample)


NOTHING = Given()
"""What a run from the command line is given."""
