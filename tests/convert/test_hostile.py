"""Folders whose files say nonsense: `convert` gives a model or one clear error, whatever stands where."""

import copy
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from calls import refused, run
from checkpoints import sharded
from golden_variants import altered
from pickled import archive, number, save, state_dict, tensor, word
from states import GOLDEN
from tiny import tiny_folder

from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder.module_types import DenseModule

NONSENSE = (None, True, -1, 1e30, "../x", [], [1], {"a": 1}, 10**30)


def every_place(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The paths to all the values of a JSON file, of long lists and dicts to the first few."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in list(inside)[:20]:
        yield from every_place(entry, (*path, key))


def with_entry(value: object, path: tuple, new: object) -> object:
    if not path:
        return new
    value = copy.deepcopy(value)
    at = value
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = new
    return value


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with every declaring file, and its weights in shards."""
    path = tmp_path_factory.mktemp("models") / "rich"
    dense = DenseModule("2_Dense", 32, 12, activation_function="torch.nn.modules.activation.Tanh")
    tiny_folder(path, dense=(dense,), prompts={"query": "q: "}, default_prompt_name="query")
    disk.write_json(
        path / "tokenizer_config.json", {"model_max_length": 32, "add_eos_token": True, "eos_token": "[SEP]"}
    )
    config = disk.read_json(path / "config.json")
    scaling = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16}
    disk.write_json(path / "config.json", config | {"rope_scaling": scaling})
    return sharded(path)


FILES = (
    "1_Pooling/config.json",
    "2_Dense/config.json",
    "config.json",
    "config_sentence_transformers.json",
    "model.safetensors.index.json",
    "modules.json",
    "sentence_bert_config.json",
    "tokenizer_config.json",
)


@pytest.mark.parametrize("name", FILES)
def test_nonsense_anywhere_is_one_clear_error(rich: Path, tmp_path: Path, name: str):
    source = Path(shutil.copytree(rich, tmp_path / "source"))
    content = disk.read_json(source / name)
    errors = 0
    for path in every_place(content):
        for new in NONSENSE:
            (source / name).write_text(json.dumps(with_entry(content, path, new)))
            try:
                convert(source, tmp_path / "out")
            except CallError:
                errors += 1
            else:
                shutil.rmtree(tmp_path / "out")
            assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source"], (path, new)
    assert errors


FORMS = {
    "max_seq_length": (
        "sentence_bert_config.json",
        {"max_seq_length": "many"},
        "sentence_bert_config.json: max_seq_length = 'many', expected a number of tokens",
    ),
    "prompts": (
        "config_sentence_transformers.json",
        {"prompts": ["query: "]},
        "prompts = ['query: '], expected texts by name",
    ),
    "modules": ("modules.json", {"0": "Transformer"}, "expected a list of modules, found {'0': 'Transformer'}"),
    "index": ("model.safetensors.index.json", {"weight_map": ["a"]}, "is no index of weights: expected a weight_map"),
}


@pytest.mark.parametrize("case", FORMS)
def test_the_form_that_was_expected_is_named(rich: Path, tmp_path: Path, case: str):
    name, content, message = FORMS[case]
    source = Path(shutil.copytree(rich, tmp_path / "source"))
    disk.write_json(source / name, content)
    assert message in refused("convert", source, tmp_path / "out")


@pytest.mark.parametrize("index", ["model.safetensors.index.json", "pytorch_model.bin.index.json"])
def test_shards_outside_the_folder_and_those_missing_are_named_at_once(rich: Path, tmp_path: Path, index: str):
    source = Path(shutil.copytree(rich, tmp_path / "source"))
    listed = disk.read_json(source / "model.safetensors.index.json")["weight_map"]
    (source / "model.safetensors.index.json").unlink()
    shutil.copyfile(GOLDEN / "bert/model.safetensors", tmp_path / "secret.safetensors")
    extra = {"a": "../secret.safetensors", "b": "/secret.safetensors", "c": "model-7.safetensors"}
    disk.write_json(source / index, {"weight_map": listed | extra})
    message = refused("convert", source, tmp_path / "out")
    for fault in ("'../secret.safetensors': not a file", "'/secret.safetensors': not a file", "- model-7.safetensors"):
        assert fault in message


def test_a_tensor_in_two_shards_is_refused(rich: Path, tmp_path: Path):
    source = Path(shutil.copytree(rich, tmp_path / "source"))
    arrays = safetensors.read(source / "model-1.safetensors")
    name = "embeddings.word_embeddings.weight"
    safetensors.write(source / "model-1.safetensors", arrays | {name: np.zeros((120, 32), np.float32)})
    assert f"{name}: in model-0.safetensors as well" in refused("convert", source, tmp_path / "out")


def test_a_tensor_in_two_pickled_shards_is_refused(rich: Path, tmp_path: Path):
    source = Path(shutil.copytree(rich, tmp_path / "source"))
    (source / "model.safetensors.index.json").unlink()
    names = [f"pytorch_model-{at}.bin" for at in range(2)]
    for name in names:
        save(source / name, {"a": np.ones(3, np.float32)})
    disk.write_json(source / "pytorch_model.bin.index.json", {"weight_map": dict(zip("ab", names, strict=True))})
    assert "pytorch_model-1.bin holds tensors that another file has" in refused("convert", source, tmp_path / "out")


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", "module"])
def test_a_training_checkpoint_gives_its_model(tmp_path: Path, wrapper: str):
    source = altered(tmp_path / "source", "bert")
    arrays = safetensors.read(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    items, storages = {}, {}
    for at, (name, array) in enumerate(arrays.items()):
        steps = tuple(stride // 4 for stride in array.strides)
        items[f"model.{name}"] = tensor(str(at), "float32", array.size, 0, array.shape, steps)
        storages[str(at)] = array.tobytes()
    inner = b"}(" + b"".join(word(name) + value for name, value in items.items()) + b"u"
    archive(source / "best.pt", state_dict({wrapper: inner, "epoch": number(3)}), storages)
    run("convert", source / "best.pt", tmp_path / "out")
    found = safetensors.read(tmp_path / "out/model.safetensors")
    assert found.keys() == arrays.keys()
    assert all(found[name].tobytes() == array.tobytes() for name, array in arrays.items())


ROPES = {
    "factor": {"rope_scaling": {"type": "yarn", "factor": "four"}},
    "original_max_position_embeddings": {
        "rope_scaling": {"type": "llama3", "factor": 2, "original_max_position_embeddings": [1]}
    },
    "short_factor": {"rope_scaling": {"type": "longrope", "short_factor": "x", "long_factor": [1.0] * 6}},
    "rope_theta": {"rope_theta": -1.0},
}


@pytest.mark.parametrize("name", ROPES)
def test_rotary_numbers_that_are_none_are_named(tmp_path: Path, name: str):
    source = altered(tmp_path / "source", "qwen3", ROPES[name])
    message = refused("embed", source, "open a socket", "--engine", "mlx")
    assert f"{name} = " in message and "above 0" in message
