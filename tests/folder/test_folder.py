"""The model folder: both generations of the layout say the same, contradictions are named, writing is whole or not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from layouts import BEFORE, CONFIG, DENSE, SINCE, TANH, files

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.folder import ModelFolder, module_handlers
from mlx_metaembed.folder.module_types import DenseModule


@pytest.mark.parametrize("layout", [BEFORE, SINCE], ids=["before 5.4", "since 5.4"])
def test_both_generations_declare_the_same(tmp_path: Path, layout: dict) -> None:
    assert folders.read(files(tmp_path, layout)) == ModelFolder(
        path=tmp_path,
        config=CONFIG,
        max_seq_length=32,
        pooling="cls",
        include_prompt=False,
        dense=(DenseModule("2_Dense", 8, 4, True, TANH),),
        normalize=True,
        prompts={"query": "q: "},
        similarity_fn_name="dot",
    )


@pytest.mark.parametrize("pooling", module_handlers.POOLING_FLAGS.values())
def test_what_is_written_reads_back(tmp_path: Path, pooling: str) -> None:
    found = folders.read(files(tmp_path / "a", SINCE))
    written = replace(found, path=tmp_path / "b", pooling=pooling, default_prompt_name="query", do_lower_case=True)
    folders.write(written, tmp_path / "b")
    assert folders.read(tmp_path / "b") == written
    keys = json.loads((tmp_path / "b/1_Pooling/config.json").read_text()).keys()
    assert not {"embedding_dimension", "pooling_mode"} & keys  # 5.3 raises where the two generations are mixed


def test_a_bare_trunk_is_pooled_by_the_mean(tmp_path: Path) -> None:
    found = folders.read(files(tmp_path, {"config.json": CONFIG}))
    assert (found.pooling, found.normalize, found.dense, found.max_seq_length) == ("mean", False, (), 64)


@pytest.mark.parametrize("modes", [["cls", "mean"], ["max", "lasttoken"], ["mean", "cls"], ["cls", "cls"]])
def test_several_poolings_are_side_by_side_and_read_back(tmp_path: Path, modes: list[str]) -> None:
    settings = {"embedding_dimension": 8, "pooling_mode": modes}
    wide = {"1_Pooling/config.json": settings, "2_Dense/config.json": DENSE | {"in_features": 16}}
    found = folders.read(files(tmp_path / "a", SINCE | wide))
    assert (found.pooling, found.pooled_width) == ("+".join(modes), 16)
    folders.write(found, tmp_path / "b")
    assert folders.read(tmp_path / "b") == replace(found, path=tmp_path / "b")
    older = "pooling_mode_cls_token" in json.loads((tmp_path / "b/1_Pooling/config.json").read_text())
    # Flags have an order of their own, in which older releases put the vectors.
    assert older == (modes in (["cls", "mean"], ["max", "lasttoken"]))


def test_the_lengths_of_the_sides_and_the_width_read_back(tmp_path: Path) -> None:
    settings = {"query_length": 9, "document_length": 99, "max_seq_length": 12}
    said = {"sentence_bert_config.json": settings, "config_sentence_transformers.json": {"truncate_dim": 3}}
    found = folders.read(files(tmp_path / "a", BEFORE | said))
    # No length is past the positions.
    assert (found.query_length, found.document_length, found.max_seq_length, found.truncate_dim) == (9, 64, 12, 3)
    folders.write(found, tmp_path / "b")
    assert folders.read(tmp_path / "b") == replace(found, path=tmp_path / "b")


@pytest.mark.parametrize("name", ["roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"])
def test_older_names_of_the_trunks_settings(tmp_path: Path, name: str) -> None:
    settings = {f"sentence_{name}_config.json": {"max_seq_length": 9, "do_lower_case": True}}
    first = files(tmp_path / "a", BEFORE | settings)
    assert folders.read(first).max_seq_length == 32
    (first / "sentence_bert_config.json").write_text("{}")
    found = folders.read(first)
    assert (found.max_seq_length, found.do_lower_case) == (9, True)


@pytest.mark.parametrize("width", [0, -1, 1.5, True, "8"])
def test_a_width_that_is_none(tmp_path: Path, width: object) -> None:
    said = {"config_sentence_transformers.json": {"truncate_dim": width}}
    with pytest.raises(CallError, match="truncate_dim = "):
        folders.read(files(tmp_path, BEFORE | said))


def test_a_prompt_that_is_not_there_can_not_be_the_default(tmp_path: Path) -> None:
    said = {"config_sentence_transformers.json": {"prompts": {"q": None}, "default_prompt_name": "p"}}
    with pytest.raises(CallError, match=r"default_prompt_name = 'p', but prompts has \['q'\]"):
        folders.read(files(tmp_path / "a", BEFORE | said))
    said["config_sentence_transformers.json"]["default_prompt_name"] = "q"
    assert folders.read(files(tmp_path / "b", BEFORE | said)).prompts == {"q": ""}


def test_the_length_never_exceeds_the_positions(tmp_path: Path) -> None:
    endless = {"tokenizer_config.json": {"model_max_length": 10**30}}
    assert folders.read(files(tmp_path / "a", {"config.json": CONFIG} | endless)).max_seq_length == 64
    roberta = {"config.json": CONFIG | {"model_type": "xlm-roberta"}} | endless
    assert folders.read(files(tmp_path / "b", roberta)).max_seq_length == 62


def test_the_older_name_of_the_length_counts_where_the_newer_is_absent(tmp_path: Path) -> None:
    for name, said, length in (("a", {"max_len": 20}, 20), ("b", {"max_len": 20, "model_max_length": 30}, 30)):
        found = folders.read(files(tmp_path / name, {"config.json": CONFIG, "tokenizer_config.json": said}))
        assert found.max_seq_length == length


@pytest.mark.parametrize(
    ("scaling", "longest"),
    [
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}, 128),
        ({"type": "yarn", "factor": 1.5, "original_max_position_embeddings": 32}, 64),
        ({"rope_type": "dynamic", "factor": 2.0}, 128),
        ({"full_attention": {"rope_type": "yarn", "factor": 2.5}}, 160),
        ({"rope_type": "llama3", "factor": 8.0}, 64),
    ],
)
def test_a_scaling_may_go_past_the_stated_positions(tmp_path: Path, scaling: dict, longest: int) -> None:
    for form in ("rope_scaling", "rope_parameters"):
        found = files(tmp_path / form, {"config.json": CONFIG | {form: scaling}})
        assert folders.read(found).max_seq_length == longest


def test_dense_without_an_activation_has_the_one_of_sentence_transformers(tmp_path: Path) -> None:
    silent = {"in_features": 8, "out_features": 4}
    assert folders.read(files(tmp_path, BEFORE | {"2_Dense/config.json": silent})).dense[0].activation_function == TANH


def test_no_folder_and_no_config(tmp_path: Path) -> None:
    with pytest.raises(CallError, match="There is no model folder"):
        folders.read(tmp_path / "absent")
    with pytest.raises(CallError, match=r"it has no config\.json"):
        folders.read(tmp_path)


def test_broken_json_is_named_with_its_line(tmp_path: Path) -> None:
    files(tmp_path, {"config.json": '{\n  "model_type": "bert",\n  oops\n}'})
    with pytest.raises(CallError, match=r"config\.json, line 3, column 3: not JSON"):
        folders.read(tmp_path)


@pytest.mark.parametrize("config", ["[1, 2]", '{"model_type": "bert"}', '{"model_type": 3, "hidden_size": 8}', "7"])
def test_a_config_of_something_else(tmp_path: Path, config: str) -> None:
    with pytest.raises(CallError, match="expected a Hugging Face encoder's configuration"):
        folders.read(files(tmp_path, {"config.json": config}))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
def test_pickled_weights_are_sent_to_convert(tmp_path: Path, name: str) -> None:
    found = folders.read(files(tmp_path, {"config.json": CONFIG, name: "{}"}))
    with pytest.raises(CallError, match="metaembed convert"):
        found.weights()


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    found = folders.read(
        files(tmp_path, {"config.json": CONFIG, "model.safetensors.index.json": index, "model-1.safetensors": ""})
    )
    with pytest.raises(CallError, match=r"(?s)lacks weights.*model-2\.safetensors") as error:
        found.weights()
    assert "model-1" not in str(error.value)
