"""A run averaged with its base after the fact: `metaembed export RUN OUT --average-with-base SHARE`."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from runs import recipe
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.export import command
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import train

SETTINGS = {"fsq": "", "matryoshka": (), "iters": 3, "learning_rate": 1e-2}
NAME = "encoder.layer.0.output.dense.weight"


def weights(folder: Path) -> dict[str, np.ndarray]:
    return safetensors.read(folder / "model.safetensors")


@pytest.mark.parametrize("kind", ["full", "lora"])
def test_a_run_is_averaged_with_its_base(engine_name: str, kind: str, tiny: Path, pairs: Path, tmp_path: Path):
    run, whole, mixed = (tmp_path / name for name in ("run", "whole", "mixed"))
    train(recipe(tiny, pairs, run, train=kind, engine=engine_name, **SETTINGS))
    notes: list[str] = []
    export(folders.read(run), whole, engine=engine_name)
    export(folders.read(run), mixed, average_with_base=0.25, engine=engine_name, note=notes.append)
    assert notes[-1:] == [f"Averaged: 0.75 of {run} and 0.25 of {tiny}"]
    base, own, found = weights(tiny), weights(whole), weights(mixed)
    assert found.keys() == own.keys() and not np.allclose(own[NAME], base[NAME], atol=1e-3)
    for name, array in found.items():
        np.testing.assert_allclose(array, 0.75 * own[name] + 0.25 * base[name], atol=1e-6, err_msg=name)


def test_the_command(tiny: Path, tmp_path: Path):
    other = tiny_folder(tmp_path / "other", seed=1)
    call = [str(other), str(tmp_path / "out"), "--to", "sentence-transformers", "--average-with-base", "0.5"]
    found = CliRunner().invoke(command, [*call, "--base", str(tiny), "--dtype", "float16"])
    assert found.exit_code == 0, found.output
    half = (weights(other)[NAME] + weights(tiny)[NAME]) / 2
    assert weights(tmp_path / "out")[NAME].dtype == np.float16
    np.testing.assert_allclose(weights(tmp_path / "out")[NAME], half, atol=2e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--average-with-base", "0.5"],
            "is no run, so that nothing says what it was trained from",
        ),
        (["--average-with-base", "1"], "average_with_base = 1: expected more than 0 and less than 1"),
        (["--base", "tiny"], "--base belongs to --average-with-base"),
    ],
)
def test_a_wrong_call_writes_nothing(tiny: Path, tmp_path: Path, options: list[str], said: str):
    found = CliRunner().invoke(command, [str(tiny), str(tmp_path / "out"), "--to", "sentence-transformers", *options])
    assert isinstance(found.exception, CallError) and said in str(found.exception)
    assert not (tmp_path / "out").exists()


def test_mlx_s_weights_are_not_averaged(tiny: Path, tmp_path: Path):
    call = [str(tiny), str(tmp_path / "out"), "--to", "mlx", "--average-with-base", "0.5"]
    found = CliRunner().invoke(command, call)
    assert "--average-with-base belongs to --to sentence-transformers" in str(found.exception)


def test_a_base_of_another_shape_is_refused(tiny: Path, tmp_path: Path):
    wider = tiny_folder(tmp_path / "wider", config={"intermediate_size": 32})
    with pytest.raises(CallError, match="which is no base of it"):
        export(folders.read(tiny), tmp_path / "out", average_with_base=0.5, base=wider)
    assert not (tmp_path / "out").exists()
