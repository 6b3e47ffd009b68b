"""What a call of `train` brings beside its recipe."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from mlx_metaembed.engine import World
from mlx_metaembed.training.given import Given
from mlx_metaembed.training.lock import Lock


@dataclass(frozen=True)
class Call:
    """How a run was asked for. `lock` is its folder's, held already where a run is resumed; `note` and `advance` hear
    what is done, and the engine's limits on memory stay until the stack `until` is closed. `world` are the processes
    that train together.
    """

    given: Given
    resume: bool
    lock: Lock
    note: Callable[[str], None]
    advance: Callable[[str, int, int], None]
    until: ExitStack
    world: World

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes into the run's folder, and measures."""
        return self.world.rank == 0
