"""What stands behind a run's trunk: shapes without arrays, arrays of these shapes, and what is kept or begun."""

from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed import heads, weights
from mlx_metaembed.declared import DenseModule
from mlx_metaembed.errors import CallError
from mlx_metaembed.heads import Fsq
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.train import learning
from mlx_metaembed.train.plan import Job, Target
from mlx_metaembed.train.plan.parts import reckon


@pytest.fixture
def folder(tmp_path: Path) -> folders.ModelFolder:
    """A model with a Dense module of 16 features and a code head of eight digits."""
    path = tiny_folder(tmp_path / "m", dense=(DenseModule("2_Dense", 32, 16),))
    head = Fsq(16, (4,) * 8)
    heads.write({"codes": head}, {f"codes.{name}": array for name, array in head.initial(5).items()}, path)
    return folders.read(path)


@pytest.mark.parametrize(
    ("settings", "new"),
    [
        ({}, ()),
        ({"fsq": "4x8"}, ()),
        ({"fsq": "4x6"}, ("heads.codes.projection.weight", "heads.codes.projection.bias")),
    ],
    ids=str,
)
def test_arrays_have_the_shapes_and_only_what_is_new_is_drawn(folder: folders.ModelFolder, settings: dict, new: tuple):
    behind = learning.behind(Recipe(**settings), folder)
    arrays = behind.arrays(seed=0)
    assert {name: array.shape for name, array in arrays.items()} == behind.shapes
    stored = heads.read(folder)[1]
    for name in arrays.keys() - {*new, "dense.2_Dense.linear.weight", "dense.2_Dense.linear.bias"}:
        np.testing.assert_array_equal(arrays[name], stored[name.removeprefix("heads.")])
    fresh = Fsq(16, (4,) * 6).initial(0)
    for name in new:
        np.testing.assert_array_equal(arrays[name], fresh[name.removeprefix("heads.codes.")])


def test_a_new_dense_module_begins_as_the_first_features(tmp_path: Path):
    source = folders.read(tiny_folder(tmp_path / "m"))
    behind = learning.behind(Recipe(dense=8), source)
    assert behind.folder.dimensions == 8 and behind.shapes == {"dense.2_Dense.linear.weight": (8, 32)}
    np.testing.assert_array_equal(behind.arrays(seed=0)["dense.2_Dense.linear.weight"], np.eye(8, 32))


def test_a_plan_of_a_wide_code_head_draws_nothing(tmp_path: Path):
    """Orthonormal rows of a million features would take eight terabytes."""
    found, recipe = folders.read(tiny_folder(tmp_path / "m")), Recipe(fsq="4x8", dense=1_000_000, batch_size=8)
    trunk = sum(np.prod(each.shape) for each in found.trunk().values())
    made = reckon(Job(recipe, found, Target("mlx", "cpu"), "float32", length=32, columns=2))
    assert made.trained == trunk + 32 * 1_000_000 + 8 * 1_000_000 + 8


@pytest.mark.parametrize("name", ["2_Dense/model.safetensors", "metaembed/heads.safetensors"])
def test_a_file_that_is_missing_is_named_before_anything_is_drawn(folder: folders.ModelFolder, name: str):
    (folder.path / name).unlink()
    with pytest.raises(CallError, match="is missing"):
        learning.behind(Recipe(), folder)
    with pytest.raises(CallError, match="is missing"):
        reckon(Job(Recipe(batch_size=8), folder, Target("mlx", "cpu"), "float32", 32, 2))


def test_a_file_that_does_not_fit_is_named(folder: folders.ModelFolder):
    weights.write(folder.path / "2_Dense/model.safetensors", {"linear.weight": np.eye(16, dtype=np.float32)})
    with pytest.raises(CallError, match=r"shape \(16, 16\), the configuration says \(16, 32\)"):
        learning.behind(Recipe(), folder)
