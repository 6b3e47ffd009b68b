"""A model's fingerprint: what it takes for the same model, and what for another."""

import json
import shutil

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.search import fingerprint


@pytest.fixture
def model(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "model")
    return tmp_path / "model"


def of(path):
    return fingerprint.of(folders.read(path))


def test_a_dense_module_is_part_of_the_model(tmp_path):
    dense = (DenseModule("2_Dense", 32, 8),)
    one, other = (of(tiny_folder(tmp_path / name, seed=seed, dense=dense)) for name, seed in (("a", 0), ("b", 1)))
    assert of(tmp_path / "a") == one != other
    path = tmp_path / "a" / "2_Dense" / "model.safetensors"
    arrays = safetensors.read(path)
    safetensors.write(path, arrays | {"linear.bias": arrays["linear.bias"] + 1})
    assert of(tmp_path / "a") != one


def change(path, **settings):
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_what_changes_no_vector_changes_no_fingerprint(tiny, model):
    change(model / "config.json", _name_or_path="elsewhere", transformers_version="9", dtype="float32")
    change(model / "tokenizer.json", truncation=None, padding=None)
    arrays = safetensors.read(model / "model.safetensors")
    safetensors.write(model / "model.safetensors", {f"bert.{name}": array for name, array in reversed(arrays.items())})
    assert of(model) == of(tiny)


def test_a_wider_dtype_of_the_same_values_is_the_same(model):
    path = model / "model.safetensors"
    safetensors.write(path, {name: array.astype(np.float16) for name, array in safetensors.read(path).items()})
    narrow = of(model)
    safetensors.write(path, {name: array.astype(np.float32) for name, array in safetensors.read(path).items()})
    assert of(model) == narrow


def test_one_value_of_one_tensor_is_another_model(tiny, model):
    path = model / "model.safetensors"
    arrays = safetensors.read(path)
    for name in ("embeddings.word_embeddings.weight", "encoder.layer.1.output.dense.bias"):
        other = arrays[name].copy()
        other.flat[-1] += 1e-6
        safetensors.write(path, arrays | {name: other})
        found = of(model)
        assert found["weights"] != of(tiny)["weights"]
        assert found["settings"] == of(tiny)["settings"]


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("config.json", {"hidden_act": "relu"}),
        ("config_sentence_transformers.json", {"prompts": {"query": "q: "}}),
        ("tokenizer.json", {"normalizer": None}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_another_setting_is_another_model(tiny, model, name, settings):
    path = model / name
    path.write_text(path.read_text() if path.is_file() else "{}")
    if name == "tokenizer.json" and json.loads(path.read_text())["normalizer"] is None:
        settings = {"normalizer": {"type": "Lowercase"}}
    change(path, **settings)
    found = of(model)
    assert found["settings"] != of(tiny)["settings"]
    assert found["weights"] == of(tiny)["weights"]
