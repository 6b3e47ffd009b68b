"""What a run is made of, once everything is read, checked and loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.engine import Engine, World
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.checkpoint import Position
from mlx_metaembed.training.evaluation import Evaluation
from mlx_metaembed.training.mined_negatives import MinedNegatives
from mlx_metaembed.training.objective import Objective
from mlx_metaembed.training.plan import Plan
from mlx_metaembed.training.sampling import Source


@dataclass(frozen=True)
class Parts:
    """What the loop runs on. `start` is the checkpoint that it goes on from; `vectors` are the texts' own, pooled,
    where the trunk is frozen whole.
    """

    recipe: Recipe
    out: Path
    run: str
    """The run's id, by which it knows its checkpoints."""
    stores: list[str]
    """The folders in `out` that go when the run ends."""
    folder: ModelFolder
    engine: Engine
    world: World
    """The processes that train together; rank 0 alone writes and measures."""
    dtype: str
    adapter: Adapter | None
    heads: Mapping[str, Head]
    objectives: tuple[Objective, ...]
    at_head_rate: tuple[str, ...]
    plan: Plan
    sources: tuple[Source, ...]
    negatives: MinedNegatives
    store: Store
    vectors: np.ndarray | None
    evaluation: Evaluation | None
    pad_id: int
    position: Position
    start: Path | None
    steps: int
    footprint: int
    """Bytes of the process before the model was loaded."""

    @property
    def rows(self) -> int:
        """Rows of all data sets."""
        return sum(len(source.rows) for source in self.sources)

    def objectives_of(self, source: Source) -> list[Objective]:
        """The objectives on a data set."""
        return [each for each in self.objectives if each.data == source.name]
