"""A run averaged with its base: the weights that it leaves, and what it can't be averaged with."""

from pathlib import Path

import numpy as np
import pytest
from runs import recipe, stop_after, weights_of

from mlx_metaembed import adapters
from mlx_metaembed.convert import averages
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import train

PLAIN = {"fsq": "", "matryoshka": (), "iters": 3, "learning_rate": 1e-2}


def weights(folder: Path) -> dict[str, np.ndarray]:
    return safetensors.read(folder / "model.safetensors")


def test_a_run_leaves_the_mean_of_its_weights_and_the_base(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = PLAIN | {"engine": engine_name}
    train(recipe(tiny, pairs, tmp_path / "whole", **settings))
    train(recipe(tiny, pairs, tmp_path / "mixed", average_with_base=0.25, **settings))
    base, whole, mixed = (weights(each) for each in (tiny, tmp_path / "whole", tmp_path / "mixed"))
    name = "encoder.layer.0.attention.self.query.weight"
    assert not np.allclose(base[name], whole[name], atol=1e-3)
    assert mixed.keys() == whole.keys()
    for each, array in mixed.items():
        np.testing.assert_allclose(array, 0.75 * whole[each] + 0.25 * base[each], atol=1e-7, err_msg=each)
    assert "0.75 of what was trained and 0.25 of the base model" in (tmp_path / "mixed" / "README.md").read_text()


def test_an_adapter_is_averaged_by_its_change(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = PLAIN | {"engine": engine_name, "train": "lora"}
    train(recipe(tiny, pairs, tmp_path / "whole", **settings))
    train(recipe(tiny, pairs, tmp_path / "mixed", average_with_base=0.25, **settings))
    whole, mixed = (safetensors.read(tmp_path / name / adapters.FILE) for name in ("whole", "mixed"))
    for name, array in mixed.items():
        np.testing.assert_allclose(array, (0.75 if ".lora_B." in name else 1) * whole[name], atol=1e-7, err_msg=name)
    assert load(tmp_path / "mixed", engine=engine_name).encode(["open a socket"]).shape == (1, 32)


def test_both_engines_leave_the_same(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        settings = PLAIN | {"engine": name, "learning_rate": 1e-4, "average_with_base": 0.5}
        train(recipe(tiny, pairs, tmp_path / name, **settings))
    first, second = (weights(tmp_path / name) for name in two_engines)
    for name, array in first.items():
        np.testing.assert_allclose(second[name], array, atol=2e-5, err_msg=name)


def test_a_stopped_run_ends_as_one_that_was_not(tiny: Path, pairs: Path, tmp_path: Path):
    settings = PLAIN | {"average_with_base": 0.5}
    train(recipe(tiny, pairs, tmp_path / "whole", **settings))
    with pytest.raises(StoppedError):
        train(recipe(tiny, pairs, tmp_path / "cut", **settings), callbacks=[stop_after(2)])
    # What it goes on from is what was trained, not the mean.
    train(recipe(tiny, pairs, tmp_path / "cut", **settings), resume=True)
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    assert all(np.array_equal(cut[name], array) for name, array in whole.items())


def test_a_folder_s_own_dense_module_and_head_are_averaged(tiny: Path, pairs: Path, tmp_path: Path):
    settings = {"iters": 2, "learning_rate": 1e-2, "matryoshka": ()}
    train(recipe(tiny, pairs, tmp_path / "base", dense=16, fsq="4x8", **settings))
    again = settings | {"fsq": "", "iters": 3}
    train(recipe(tmp_path / "base", pairs, tmp_path / "whole", **again))
    train(recipe(tmp_path / "base", pairs, tmp_path / "mixed", average_with_base=0.5, **again))
    for file in ("2_Dense/model.safetensors", "metaembed/heads.safetensors"):
        base, whole, mixed = (safetensors.read(tmp_path / each / file) for each in ("base", "whole", "mixed"))
        for name, array in mixed.items():
            np.testing.assert_allclose(array, (whole[name] + base[name]) / 2, atol=1e-7, err_msg=name)
        assert any(not np.array_equal(whole[name], base[name]) for name in base)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"fsq": "4x8"}, "the head 'codes'"),
        ({"dense": 16}, "the Dense module 2_Dense"),
        ({"train": "dora"}, "belongs to train = 'full' or 'lora'"),
        ({"average_with_base": 1.0}, "expected 0 or more, less than 1"),
        ({"average_with_base": -0.5}, "expected 0 or more, less than 1"),
    ],
)
def test_what_can_t_be_averaged_is_refused_before_it_trains(
    tiny: Path, pairs: Path, tmp_path: Path, settings: dict, said: str
):
    with pytest.raises(CallError, match=said):
        train(recipe(tiny, pairs, tmp_path / "out", **PLAIN | {"average_with_base": 0.5} | settings))
    assert not (tmp_path / "out").exists()


def test_an_adapter_that_goes_on_is_refused(tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "lora", **PLAIN | {"train": "lora"}))
    with pytest.raises(CallError, match="the mean of two adapters is none"):
        settings = PLAIN | {"train": "lora", "average_with_base": 0.5}
        train(recipe(tmp_path / "lora", pairs, tmp_path / "out", **settings))


def test_another_model_is_no_base(tiny: Path, tmp_path: Path):
    from tiny import tiny_folder

    wider = tiny_folder(tmp_path / "wider", config={"intermediate_size": 32})
    with pytest.raises(CallError, match=r"intermediate.dense.weight \(64, 32\): the base has \(32, 32\)"):
        averages.of_files(tiny, wider, 0.5)
