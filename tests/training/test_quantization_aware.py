"""A run with rounded weights: what it leaves lies on grids, an export in the same bits gives the same vectors."""

from pathlib import Path

import numpy as np
import pytest
from runs import recipe, stop_after, weights_of
from tiny import TEXTS, tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.export.mlx import export
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import train

PLAIN = {"fsq": "", "matryoshka": (), "iters": 3, "learning_rate": 1e-2}
AWARE = PLAIN | {"quantization_aware": 3, "quantization_group_size": 32}
NAME = "encoder.layer.0.attention.self.query.weight"


def test_an_export_gives_the_trained_vectors(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "run", engine=engine_name, **AWARE))
    trained = safetensors.read(tmp_path / "run/model.safetensors")
    assert not np.allclose(trained[NAME], safetensors.read(tiny / "model.safetensors")[NAME], atol=1e-3)
    assert max(len(np.unique(group)) for group in trained[NAME].reshape(-1, 32)) <= 8
    words = "embeddings.word_embeddings.weight"
    assert max(len(np.unique(group)) for group in trained[words].reshape(-1, 32)) > 8
    export(folders.read(tmp_path / "run"), tmp_path / "packed", bits=3, group_size=32, embedding_bits=8)
    convert(tmp_path / "packed", tmp_path / "plain")
    plain = safetensors.read(tmp_path / "plain/model.safetensors")
    np.testing.assert_allclose(plain[NAME], trained[NAME], atol=1e-3)
    vectors = load(str(tmp_path / "run"), engine=engine_name, dtype="float32").encode(TEXTS)
    found = load(str(tmp_path / "packed"), engine=engine_name, dtype="float32").encode(TEXTS)
    assert (np.sum(vectors * found, axis=1) > 0.9999).all()
    assert "| Linear layers | on grids of 3 bits in groups of 32 |" in (tmp_path / "run/README.md").read_text()


def test_both_engines_leave_the_same(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        train(recipe(tiny, pairs, tmp_path / name, **AWARE | {"engine": name, "learning_rate": 1e-4}))
    first, second = (safetensors.read(tmp_path / name / "model.safetensors") for name in two_engines)
    for name, array in first.items():
        # A number between two codes may fall to either.
        assert np.mean(np.abs(second[name] - array) > 1e-4) < 0.01, name


def test_a_stopped_run_ends_as_one_that_was_not(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = AWARE | {"engine": engine_name}
    train(recipe(tiny, pairs, tmp_path / "whole", **settings))
    with pytest.raises(StoppedError):
        train(recipe(tiny, pairs, tmp_path / "cut", **settings), callbacks=[stop_after(2)])
    # What it goes on from are the masters, not the rounded weights.
    train(recipe(tiny, pairs, tmp_path / "cut", **settings), resume=True)
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    assert all(np.array_equal(cut[name], array) for name, array in whole.items())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantization_aware": 7}, "quantization_aware = 7: MLX has 2, 3, 4, 5, 6, 8"),
        ({"quantization_aware": 4, "quantization_group_size": 16}, "quantization_group_size = 16: MLX has 32, 64, 128"),
        ({"quantization_aware": 4, "train": "lora"}, "quantization_aware = 4 belongs to train = 'full'"),
        (
            {"quantization_group_size": 32},
            "quantization_group_size = 32 belongs to quantization_aware",
        ),
        ({"quantization_aware": 4, "average_with_base": 0.5}, "the mean with the base lies on no grid"),
    ],
)
def test_settings_that_can_t_be(tiny: Path, pairs: Path, tmp_path: Path, settings: dict, said: str):
    with pytest.raises(CallError, match=said):
        train(recipe(tiny, pairs, tmp_path / "run", **PLAIN | settings))


def test_groups_that_no_layer_divides_into(pairs: Path, tmp_path: Path):
    source = tiny_folder(tmp_path / "source")
    with pytest.raises(CallError, match=r"quantization_group_size = 128: no linear layer of .* divides"):
        settings = PLAIN | {"quantization_aware": 4, "quantization_group_size": 128}
        train(recipe(source, pairs, tmp_path / "run", **settings))
    assert not (tmp_path / "run/modules.json").exists()
