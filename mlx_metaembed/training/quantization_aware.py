"""A run whose linear layers compute with rounded weights, so that an export in the same bits loses nothing by it.

The masters stay as fine as ever; the model that the run leaves has its matrices on their grids.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed import recipe as recipes
from mlx_metaembed.config.spellings import is_word_table, prefix
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import matrices
from mlx_metaembed.export.matrices import Rounding, Settings
from mlx_metaembed.files import safetensors
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.quantizers import affine
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.claim import SETTINGS

WEIGHTS = Path("model.safetensors")


def settings(recipe: Recipe, folder: ModelFolder) -> Settings:
    """bits and group_size of each linear layer of a trunk by its path; none where nothing is asked for.

    Raises CallError where no layer divides into groups.
    """
    if recipe.quantization_aware is None:
        return {}
    asked = Rounding(recipe.quantization_aware, recipe.quantization_group_size)
    asked.require()
    found, _ = matrices.divided(folder.trunk(), asked)
    found = {module: own for module, own in found.items() if not is_word_table(f"{module}.weight")}
    if not found:
        raise CallError(
            f"quantization_group_size = {recipe.quantization_group_size}: no linear layer of {folder.path} divides "
            f"into such groups; one of {', '.join(map(str, matrices.GROUP_SIZES))}"
        )
    return found


@dataclass(frozen=True)
class Rounded(Mapping[str, Tensor | np.ndarray]):
    """The tensors of a weights file, those with settings at their places on the grids, made when they are asked for."""

    own: Mapping[str, Tensor]
    settings: Settings

    def __getitem__(self, name: str) -> Tensor | np.ndarray:
        module = name.removesuffix(".weight")
        if module == name or module not in self.settings:
            return self.own[name]
        matrix = read_tensor(self.own[name])
        bits, groups = self.settings[module]["bits"], matrix.reshape(-1, self.settings[module]["group_size"])
        # In the numbers that an export will hold.
        grid = affine.span(groups, bits, dtype="float16")
        return affine.values(affine.codes(groups, *grid, bits), *grid).reshape(matrix.shape)

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


def files(last: Path) -> dict[Path, Rounded]:
    """The rounded weights of a run's last checkpoint by their file's path inside it; none where none are asked for."""
    recipe = Recipe(**recipes.read(last / SETTINGS))
    if recipe.quantization_aware is None:
        return {}
    folder, own = folders.read(last), safetensors.header(last / WEIGHTS)
    before = prefix(folder.model_type, own)
    return {WEIGHTS: Rounded(own, {before + module: each for module, each in settings(recipe, folder).items()})}
