"""What stands behind a run's trunk: shapes without arrays, arrays of these shapes, and what is kept or begun."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import adapters, heads
from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.heads import Fsq, Lexical
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import model_parts
from mlx_metaembed.training.plan import Job, Target
from mlx_metaembed.training.plan.parts import estimate


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
        ({"fsq": "4,4,4,4,4,4,4,4"}, ()),
    ],
    ids=str,
)
def test_arrays_have_the_shapes_and_only_what_is_new_is_drawn(folder: folders.ModelFolder, settings: dict, new: tuple):
    behind = model_parts.post_trunk(Recipe(**settings), folder)
    arrays = behind.arrays(seed=0)
    assert {name: array.shape for name, array in arrays.items()} == behind.shapes
    stored = heads.read(folder)[1]
    for name in arrays.keys() - {*new, "dense.2_Dense.linear.weight", "dense.2_Dense.linear.bias"}:
        np.testing.assert_array_equal(arrays[name], stored[name.removeprefix("heads.")])


def test_a_new_head_begins_as_the_seed_says(tmp_path: Path):
    behind = model_parts.post_trunk(Recipe(fsq="4x6"), folders.read(tiny_folder(tmp_path / "m")))
    fresh = Fsq(32, (4,) * 6, "float").initial(3)
    for name, array in behind.arrays(seed=3).items():
        np.testing.assert_array_equal(array, fresh[name.removeprefix("heads.codes.")])


@pytest.mark.parametrize("levels", ["8x8", "4x6", "8,8,8,5"])
def test_a_trained_code_head_is_not_replaced(folder: folders.ModelFolder, levels: str):
    message = (
        f"has a code head of 4x8, and --fsq {levels} would replace what it has learned. Go on with it: --fsq 4x8. "
    )
    with pytest.raises(CallError) as caught:
        model_parts.post_trunk(Recipe(fsq=levels), folder)
    assert message in str(caught.value) and "a copy of the folder without metaembed/heads.json" in str(caught.value)


def test_a_head_of_another_kind_with_the_name_is_not_replaced(tmp_path: Path):
    path = tiny_folder(tmp_path / "m")
    head = Lexical(32, (2,))
    arrays = {f"codes.{name}": np.zeros(shape, np.float32) for name, shape in head.shapes().items()}
    heads.write({"codes": head}, arrays, path)
    with pytest.raises(CallError, match="has a head 'codes' of the type lexical, and --fsq 4x8 would replace"):
        model_parts.post_trunk(Recipe(fsq="4x8"), folders.read(path))


def test_a_linear_module_of_the_same_width_is_added_and_goes_on(tmp_path: Path):
    source = folders.read(tiny_folder(tmp_path / "m"))
    behind = model_parts.post_trunk(Recipe(dense=32, train="heads"), source)
    assert behind.shapes == {"dense.2_Dense.linear.weight": (32, 32)}
    with_one = folders.read(tiny_folder(tmp_path / "n", dense=(DenseModule("2_Dense", 32, 16),)))
    assert [module.out_features for module in model_parts.post_trunk(Recipe(dense=16), with_one).folder.dense] == [16]
    assert [module.out_features for module in model_parts.post_trunk(Recipe(dense=8), with_one).folder.dense] == [16, 8]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("heads.",)),
        ({"dense": 8}, ("heads.", "dense.3_Dense.")),
        ({"dense": 16, "train": "lora"}, ("heads.", "dense.2_Dense.")),
        ({"dense": 8, "train": "heads"}, ("heads.", "dense.2_Dense.", "dense.3_Dense.")),
        ({"train": "heads"}, ("heads.", "dense.2_Dense.")),
    ],
    ids=str,
)
def test_what_is_added_and_all_heads_learn_at_the_heads_rate(tmp_path: Path, settings: dict, expected: tuple):
    source = folders.read(tiny_folder(tmp_path / "m", dense=(DenseModule("2_Dense", 32, 16),)))
    recipe = Recipe(**settings)
    assert model_parts.at_head_rate(recipe, model_parts.post_trunk(recipe, source).folder) == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fsq_weight": 0.5}, r"fsq_weight = 0\.5 belongs to a code head \(fsq\), and the run has none"),
        ({"head_learning_rate": 0.1}, r"head_learning_rate = 0\.1 belongs to heads and an added Dense module"),
        ({"dense": 8, "fsq_weight": 0.5, "head_learning_rate": 0.1}, r"fsq_weight = 0\.5[^\n]*$"),
    ],
    ids=str,
)
def test_settings_of_heads_are_refused_where_there_are_none(
    folder: folders.ModelFolder, tmp_path: Path, settings: dict, message: str
):
    with pytest.raises(CallError, match=message):
        model_parts.post_trunk(Recipe(**settings), folders.read(tiny_folder(tmp_path / "none")))
    if "dense" not in settings:
        assert model_parts.post_trunk(Recipe(**settings), folder).heads


def test_an_adapter_goes_on_with_the_layers_that_it_has(tmp_path: Path):
    base = folders.read(tiny_folder(tmp_path / "base"))
    recipe = Recipe(train="lora", lora_rank=2, target_modules=("query",))
    made, _ = model_parts.trunk(recipe, base)
    shutil.copytree(tmp_path / "base", tmp_path / "adapter")
    adapters.write(made, str(tmp_path / "base"), tmp_path / "adapter")
    found = folders.read(tmp_path / "adapter")
    for same in (recipe, replace(recipe, target_modules=())):
        assert model_parts.trunk(same, found)[0].modules == made.modules
    with pytest.raises(
        CallError, match="goes on with all of them; num_layers and target_modules choose those of a new"
    ):
        model_parts.trunk(replace(recipe, num_layers=1), found)


def test_a_new_dense_module_begins_as_the_first_features(tmp_path: Path):
    source = folders.read(tiny_folder(tmp_path / "m"))
    behind = model_parts.post_trunk(Recipe(dense=8), source)
    assert behind.folder.dimensions == 8 and behind.shapes == {"dense.2_Dense.linear.weight": (8, 32)}
    np.testing.assert_array_equal(behind.arrays(seed=0)["dense.2_Dense.linear.weight"], np.eye(8, 32))


def test_a_plan_of_a_wide_code_head_draws_nothing(tmp_path: Path):
    """Orthonormal rows of a million features would take eight terabytes."""
    found, recipe = folders.read(tiny_folder(tmp_path / "m")), Recipe(fsq="4x8", dense=1_000_000, batch_size=8)
    trunk = sum(np.prod(each.shape) for each in found.trunk().values())
    made = estimate(Job(recipe, found, Target("mlx", "cpu"), "float32", length=32, columns=2))
    assert made.trained == trunk + 32 * 1_000_000 + 2 * 8 * 1_000_000 + 8


@pytest.mark.parametrize("name", ["2_Dense/model.safetensors", "metaembed/heads.safetensors"])
def test_a_file_that_is_missing_is_named_before_anything_is_drawn(folder: folders.ModelFolder, name: str):
    (folder.path / name).unlink()
    with pytest.raises(CallError, match="is missing"):
        model_parts.post_trunk(Recipe(), folder)
    with pytest.raises(CallError, match="is missing"):
        estimate(Job(Recipe(batch_size=8), folder, Target("mlx", "cpu"), "float32", 32, 2))


def test_a_file_that_does_not_fit_is_named(folder: folders.ModelFolder):
    safetensors.write(folder.path / "2_Dense/model.safetensors", {"linear.weight": np.eye(16, dtype=np.float32)})
    with pytest.raises(CallError, match=r"shape \(16, 16\), the configuration says \(16, 32\)"):
        model_parts.post_trunk(Recipe(), folder)
