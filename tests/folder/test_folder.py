"""The model folder: both generations of the layout say the same, contradictions are named, writing is whole or not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mlx_metaembed import adapters
from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import ModelFolder, module_handlers
from mlx_metaembed.folder.module_types import DenseModule

CONFIG = {"model_type": "bert", "hidden_size": 8, "max_position_embeddings": 64}
TANH = "torch.nn.modules.activation.Tanh"
DENSE = {"in_features": 8, "out_features": 4, "bias": True, "activation_function": TANH}


def files(path: Path, contents: dict[str, object]) -> Path:
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def listed(*pairs: tuple[str, str]) -> list[dict]:
    return [{"idx": at, "name": str(at), "path": path, "type": kind} for at, (path, kind) in enumerate(pairs)]


BEFORE = {
    "config.json": CONFIG,
    "modules.json": listed(
        ("", "sentence_transformers.models.Transformer"),
        ("1_Pooling", "sentence_transformers.models.Pooling"),
        ("2_Dense", "sentence_transformers.models.Dense"),
        ("3_Normalize", "sentence_transformers.models.Normalize"),
    ),
    "sentence_bert_config.json": {"max_seq_length": 32, "do_lower_case": False},
    "1_Pooling/config.json": {
        "word_embedding_dimension": 8,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "include_prompt": False,
    },
    "2_Dense/config.json": DENSE,
    "config_sentence_transformers.json": {"prompts": {"query": "q: "}, "similarity_fn_name": "dot"},
}
SINCE = {
    "config.json": CONFIG,
    "modules.json": listed(
        ("", "sentence_transformers.base.modules.transformer.Transformer"),
        ("1_Pooling", "sentence_transformers.sentence_transformer.modules.pooling.Pooling"),
        ("2_Dense", "sentence_transformers.base.modules.dense.Dense"),
        ("3_Normalize", "sentence_transformers.base.modules.normalize.Normalize"),
    ),
    "sentence_bert_config.json": {
        "transformer_task": "feature-extraction",
        "modality_config": {"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        "module_output_name": "token_embeddings",
    },
    "tokenizer_config.json": {"model_max_length": 32},
    "1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "cls", "include_prompt": False},
    "2_Dense/config.json": DENSE
    | {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding"},
    "3_Normalize/config.json": {"module_input_name": "sentence_embedding"},
    "config_sentence_transformers.json": {
        "model_type": "SentenceTransformer",
        "prompts": {"query": "q: "},
        "similarity_fn_name": "dot",
    },
}


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


KIND = "sentence_transformers.models."
CONTRADICTIONS = {
    "pooling none": ({"1_Pooling/config.json": {}}, "1_Pooling/config.json has no embedding_dimension"),
    "no pooling mode": ({"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": []}}, "pooling []"),
    "a pooling that is none": ({"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": "men"}}, "['men']"),
    "two poolings": (
        {"1_Pooling/config.json": {"embedding_dimension": 8, "pooling_mode": ["cls", "mean"]}},
        "2_Dense expects 8 features, the step before gives 16",
    ),
    "width": ({"2_Dense/config.json": DENSE | {"in_features": 9}}, "expects 9 features, the step before gives 8"),
    "no width": ({"2_Dense/config.json": {"bias": True}}, "in_features or out_features is missing"),
    "tokens": (
        {"2_Dense/config.json": DENSE | {"module_input_name": "token_embeddings"}},
        "2_Dense/config.json: module_input_name = 'token_embeddings' is not supported",
    ),
    "activation": (
        {"2_Dense/config.json": DENSE | {"activation_function": "torch.nn.modules.activation.Softmax"}},
        "activation 'torch.nn.modules.activation.Softmax' is not supported",
    ),
    "activation of another library": (
        {"2_Dense/config.json": DENSE | {"activation_function": "transformers.activations.GELUActivation"}},
        "GELUActivation' is not supported",
    ),
    "no activation": ({"2_Dense/config.json": DENSE | {"activation_function": None}}, "activation_function = None"),
    "no trunk": ({"modules.json": listed(("1_Pooling", KIND + "Pooling"))}, "found Pooling first; expected a trunk"),
    "nothing": ({"modules.json": []}, "found no module first"),
    "no pooling": ({"modules.json": listed(("", KIND + "Transformer"))}, "there is no Pooling module"),
    "a trunk at the end": (
        {"modules.json": listed(("1_Pooling", KIND + "Pooling"), ("", KIND + "Transformer"))},
        "a trunk at '' after Pooling",
    ),
    "pooled twice": (
        {"modules.json": listed(("", KIND + "Transformer"), *[("1_Pooling", KIND + "Pooling")] * 2)},
        "module Pooling at '1_Pooling' after Pooling",
    ),
    "normalised before": (
        {
            "modules.json": listed(
                ("", KIND + "Transformer"), ("3", KIND + "Normalize"), ("1_Pooling", KIND + "Pooling")
            )
        },
        "3: Normalize before Pooling is not supported",
    ),
    "its own class": (
        {"modules.json": listed(("", KIND + "Transformer"), ("1_Pooling", "mine.Pooling"))},
        "module 'mine.Pooling' at '1_Pooling' is a class of the folder's own",
    ),
    "words predicted": (
        {
            "modules.json": listed(
                ("", "sentence_transformers.sparse_encoder.models.MLMTransformer"), ("1_Pooling", KIND + "Pooling")
            )
        },
        "the trunk is loaded for fill-mask",
    ),
    "unknown": ({"modules.json": listed(("", KIND + "Transformer"), ("1", KIND + "LSTM"))}, "module LSTM at '1'"),
    "outside": ({"modules.json": listed(("../2_Dense", KIND + "Dense"))}, "lies outside the folder"),
    "deep trunk": ({"modules.json": listed(("0_Transformer", KIND + "Transformer"))}, "the trunk lies in '0_Transfor"),
    "no dict": ({"modules.json": ["Transformer"]}, "expected modules with a type and a path"),
    "order": (
        {"modules.json": listed(("", KIND + "Transformer"), ("3", KIND + "Normalize"), ("2_Dense", KIND + "Dense"))},
        "after Normalize",
    ),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_contradiction_is_named(tmp_path: Path, name: str) -> None:
    changed, message = CONTRADICTIONS[name]
    with pytest.raises(CallError) as error:
        folders.read(files(tmp_path, BEFORE | changed))
    assert message in str(error.value)


def test_all_contradictions_come_at_once(tmp_path: Path) -> None:
    changed = {"1_Pooling/config.json": {}, "2_Dense/config.json": {}}
    with pytest.raises(CallError, match=r"(?s)no embedding_dimension.*out_features is missing"):
        folders.read(files(tmp_path, BEFORE | changed))


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


def test_nothing_stands_at_out_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="No space left"), disk.replacing(tmp_path / "deep" / "out") as partial:
        (partial / "half").write_text("half")
        raise OSError(28, "No space left on device")
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_named_by_a_dot_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with disk.replacing(Path()) as partial:
        (partial / "a").write_text("a")
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["a"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    with disk.replacing(tmp_path / "out") as partial:
        name = partial.name
    (tmp_path / "out").rmdir()
    (tmp_path / name).mkdir()
    (tmp_path / name / "old").write_text("old")
    with disk.replacing(tmp_path / "out") as partial:
        (partial / "new").write_text("new")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["new"]


def test_an_occupied_place_is_refused(tmp_path: Path) -> None:
    files(tmp_path, {"out/a": "a", "file": "f"})
    with pytest.raises(CallError, match=r"already holds something \(a\)"):
        disk.require_vacant(tmp_path / "out")
    with pytest.raises(CallError, match="is a file"):
        disk.require_vacant(tmp_path / "file")
    disk.require_vacant(tmp_path / "absent")


def test_an_adapter_of_an_adapter_is_refused_be_it_its_own(tiny: Path, tmp_path: Path):
    first, second = tmp_path / "first", tmp_path / "second"
    disk.write_json(first / "adapter_config.json", {"base_model_name_or_path": str(second)})
    disk.write_json(second / "adapter_config.json", {"base_model_name_or_path": str(first)})
    with pytest.raises(CallError, match=r"first is an adapter of .*second, which is an adapter itself"):
        folders.read(first)


@pytest.mark.parametrize("alpha", [float("nan"), float("inf"), 10**400, True])
def test_an_adapters_scale_is_a_number(tiny: Path, tmp_path: Path, alpha: float):
    settings = {"base_model_name_or_path": str(tiny), "peft_type": "LORA", "r": 4, "lora_alpha": alpha}
    disk.write_json(tmp_path / "adapter_config.json", settings)
    with pytest.raises(CallError, match="expected a whole number and a number"):
        adapters.read(folders.read(tmp_path))
