"""The model that a run starts from as its teacher: its vectors of the run's texts, made before anything trains.

They lie in the run's folder while it goes, so that a run that is resumed has the same.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed import adapters
from mlx_metaembed import folder as folders
from mlx_metaembed.engine import Engine
from mlx_metaembed.files import checksums, npy
from mlx_metaembed.folder import locate
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import BASE
from mlx_metaembed.training import pooled_vectors
from mlx_metaembed.training.batches import TokenizedRows
from mlx_metaembed.training.objective import Objective, teacher_target
from mlx_metaembed.training.teachers import Picked


def wanted(recipe: Recipe, objectives: Collection[Objective]) -> list[Objective]:
    """The objectives that take the base's vectors; `recipe` is as tables."""
    there = any(table.is_base for table in recipe.teachers)
    return [each for each in objectives if there and BASE in each.teachers]


def other_widths(recipe: Recipe, objectives: Collection[Objective], widths: Mapping[str, int]) -> Iterator[str]:
    """Why vectors of the base can't teach some objectives; `widths` are those of what the heads give, by name."""
    if takers := wanted(recipe, objectives):
        width = folders.read(locate.resolve(recipe.model)).dimensions
        for each in takers:
            if (needed := widths[each.names[0]]) != width:
                yield f"the base has vectors of {width} features, and objective {each.name!r} gives {needed}"


def stored(
    path: Path,
    recipe: Recipe,
    engine: Engine,
    store: Store,
    *,
    dtype: str,
    pad_id: int,
    chunk_tokens: int,
    advance: Callable[[int], None],
    note: Callable[[str], None],
) -> np.ndarray:
    """Vectors float32 [texts, D], memory-mapped from the folder `path`; where it is not there whole, the engine loads
    the base and embeds them first. `note` hears of a damaged one.
    """

    def make(partial: Path) -> None:
        base = folders.read(locate.resolve(recipe.model))
        arrays = behind_trunk(base, {})
        engine.load(base, dtype=dtype, heads={}, arrays=arrays, adapter=adapters.read(base))
        windows = pooled_vectors.embedded(engine, store, pad_id=pad_id, chunk_tokens=chunk_tokens, advance=advance)
        npy.save_rows(partial / "vectors.npy", windows, len(store))

    checksums.kept(path, make, note)
    return np.load(path / "vectors.npy", mmap_mode="r")


def taught(
    rows: Mapping[str, TokenizedRows], objectives: Sequence[Objective], vectors: np.ndarray
) -> dict[str, TokenizedRows]:
    """The rows with the base's vectors float32 [texts, D] as targets, a row a text of the roles that take them."""
    found = dict(rows)
    for each in objectives:
        own = found[each.data]
        target = {teacher_target(BASE, each.texts): Picked(vectors, own.texts[each.texts])}
        found[each.data] = replace(own, targets=own.targets | target)
    return found
