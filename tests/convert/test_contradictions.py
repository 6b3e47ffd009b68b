"""A config.json that contradicts its weights: every number is named, in its own words, and nothing is written."""

import shutil
from pathlib import Path

import pytest
from calls import refused, run
from golden_variants import altered
from states import FAMILIES, GOLDEN

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import contradictions
from mlx_metaembed.errors import faults
from mlx_metaembed.files import disk, safetensors

KEYS = {
    "distilbert": ("dim", "n_layers", "n_heads", "hidden_dim"),
    "nomic_bert": ("n_embd", "n_layer", "n_head", "n_inner"),
    "nomic_moe": ("n_embd", "n_layer", "n_head", "n_inner"),
    "t5": ("d_model", "num_layers", "num_heads", "d_ff"),
    "t5_gated": ("d_model", "num_layers", "num_heads", "d_ff"),
}
BERTS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_golden_folders_do_not_contradict_themselves(family: str):
    folder = folders.read(GOLDEN / family)
    assert not contradictions.found(folder.config, shapes(folder))


@pytest.mark.parametrize("family", ["bert", "clip_text_model"])
@pytest.mark.parametrize("stray", ["1", {"hidden_size": 1}, None])
def test_a_nested_configuration_counts_in_models_of_two_towers_alone(family: str, stray: object):
    folder = folders.read(GOLDEN / family)
    assert not contradictions.found(folder.config | {"text_config": stray}, shapes(folder))


def shapes(folder: folders.ModelFolder) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in folder.trunk().items()}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_contradiction_is_named_in_every_family(family: str):
    folder = folders.read(GOLDEN / family)
    config = folder.config
    hidden, layers, heads, middle = KEYS.get(family, BERTS)
    nested = "text_config" if "text_config" in config else ""
    config = config[nested] if nested else config

    def found(changed: dict) -> list[str]:
        whole = folder.config | {nested: config | changed} if nested else config | changed
        return contradictions.found(whole, shapes(folder))

    before = f"{nested}: " if nested else ""
    changed = {hidden: config[hidden] + 1, layers: config[layers] + 2, middle: config[middle] * 2, "vocab_size": 99}
    assert found(changed)[:4] == [
        f"{before}vocab_size = 99, but the weights have 120 words",
        f"{before}{hidden} = {config[hidden] + 1}, but the weights have {config[hidden]} features",
        f"{before}{layers} = {config[layers] + 2}, but the weights have {config[layers]} layers",
        f"{before}{middle} = {config[middle] * 2}, but the weights have {config[middle]} features between",
    ]
    for count in (3, 0):
        assert any(f"{heads} = {count}" in line for line in found({heads: count}))


def test_all_of_them_come_at_once_and_nothing_is_written(tmp_path: Path):
    config = {"hidden_size": 48, "num_hidden_layers": 6, "vocab_size": 100, "intermediate_size": 60}
    config |= {"num_attention_heads": 5, "max_position_embeddings": 512, "type_vocab_size": 1}
    source = altered(tmp_path / "source", "bert", config)
    assert refused("convert", source, tmp_path / "out") == "metaembed: " + str(
        faults(
            f"{source / 'config.json'} contradicts the weights:",
            [
                "vocab_size = 100, but the weights have 120 words",
                "hidden_size = 48, but the weights have 32 features",
                "num_hidden_layers = 6, but the weights have 2 layers",
                "max_position_embeddings = 512, but the weights have 32 positions",
                "type_vocab_size = 1, but the weights have 2 types of tokens",
                "intermediate_size = 60, but the weights have 64 features between",
                "hidden_size = 48 is no multiple of num_attention_heads = 5",
            ],
            "Fetch the folder again, or take the config.json that belongs to these weights.\n",
        )
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_layer_that_is_not_there(tmp_path: Path):
    def without(arrays: dict) -> dict:
        return {name: array for name, array in arrays.items() if "layer.0." not in name}

    source = altered(tmp_path / "source", "bert", change=without)
    assert "the weights have nothing of layer 0" in refused("convert", source, tmp_path / "out")


def test_tasks_that_the_weights_do_not_have(tmp_path: Path):
    source = altered(tmp_path / "source", "jina_embeddings_v3", {"lora_adaptations": ["separation"]})
    said = refused("convert", source, tmp_path / "out")
    assert "lora_adaptations lists 1 tasks, but the weights have 5" in said


def test_weights_that_are_hardly_there(tmp_path: Path):
    source = altered(tmp_path / "source", "bert", change=lambda arrays: {})
    said = refused("convert", source, tmp_path / "out")
    assert "the weights have no word embedding" in said
    assert "num_hidden_layers = 2, but the weights have 0 layers" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"num_key_value_heads": 3}, "num_attention_heads = 4 is no multiple of num_key_value_heads = 3"),
        (
            {"num_key_value_heads": 4},
            "num_key_value_heads = 4 of head_dim = 12 make 48 features, but the weights have 24",
        ),
        ({"head_dim": 10}, "num_attention_heads = 4 of head_dim = 10 make 40 features, but the weights have 48"),
        ({"head_dim": None, "num_attention_heads": 3}, "hidden_size = 32 is no multiple of num_attention_heads = 3"),
    ],
)
def test_heads_of_their_own_width(tmp_path: Path, changed: dict, message: str):
    assert message in refused("convert", altered(tmp_path / "source", "qwen3", changed), tmp_path / "out")


def test_a_family_that_is_not_there(tmp_path: Path):
    for model_type, said in (
        ("berd", "; did you mean 'bert'? Supported: bert,"),
        ("rwkv", "not supported. Supported: "),
    ):
        source = altered(tmp_path / model_type, "bert", {"model_type": model_type})
        message = refused("convert", source, tmp_path / "out")
        assert said in message
        assert "To ask for another, open an issue with the model's id and its config.json" in message
    assert not (tmp_path / "out").exists()


def test_no_tokenizer(tmp_path: Path):
    source = Path(shutil.copytree(GOLDEN / "bert", tmp_path / "source"))
    (source / "tokenizer.json").unlink()
    message = refused("convert", source, tmp_path / "out")
    assert "has no tokenizer; expected tokenizer.json, or one of vocab.txt" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_what_a_configuration_does_not_say_is_not_contradicted(tmp_path: Path):
    arrays = safetensors.read(GOLDEN / "bert/model.safetensors")
    config = {"model_type": "bert", "hidden_size": 32}
    assert not contradictions.found(config, {name: array.shape for name, array in arrays.items()})


def test_a_fitting_configuration_is_kept(tmp_path: Path):
    run("convert", GOLDEN / "bert", tmp_path / "out")
    found, given = (disk.read_json(path / "config.json") for path in (tmp_path / "out", GOLDEN / "bert"))
    assert found == given | {"dtype": "float32"}
