"""The check against transformers: it holds for a right model and fails loudly for a wrong one."""

import importlib.util
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from golden_variants import altered
from states import FAMILIES, GOLDEN
from tiny import tiny_folder
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from mlx_metaembed.cli.convert import command
from mlx_metaembed.convert import check
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import module_handlers
from mlx_metaembed.folder.module_types import DenseModule


def test_each_pooling_by_hand() -> None:
    states = np.array([[[1.0, 10.0], [3.0, 20.0], [8.0, 0.0], [99.0, 99.0]]])
    mask = np.array([[1.0, 1.0, 1.0, 0.0]])
    expected = {
        "cls": [1, 10],
        "mean": [(1 + 3 + 8) / 3, (10 + 20 + 0) / 3],
        "max": [8, 20],
        "mean_sqrt_len_tokens": [12 / 3**0.5, 30 / 3**0.5],
        "weightedmean": [(1 * 1 + 2 * 3 + 3 * 8) / 6, (1 * 10 + 2 * 20 + 3 * 0) / 6],
        "lasttoken": [8, 0],
    }
    assert expected.keys() == set(module_handlers.POOLING_FLAGS.values())
    for mode, vector in expected.items():
        np.testing.assert_allclose(check.pool(states, mask, mode)[0], vector, err_msg=mode)


def test_compare_by_hand() -> None:
    found = check.compare(np.array([0.0, 2.0]), np.array([2.0, 2.0]))
    assert found == {"cosine": pytest.approx(0.5**0.5), "largest_difference": 2.0}


def test_a_row_out_of_tolerance_fails_the_job() -> None:
    good = {"dtype": "float32", "tokens": 2, "cosine": 1.0, "largest_difference": 0.0, "tolerance": "t", "holds": True}
    check.require([good])
    bad = good | {"dtype": "float16", "tokens": 9, "cosine": 0.5, "largest_difference": 2.0, "holds": False}
    with pytest.raises(JobError, match=r"float16, 9 tokens: cosine 0\.500000, largest difference 2\.00e\+00") as error:
        check.require([good, bad])
    assert "float32" not in str(error.value)


@pytest.fixture(scope="module")
def wordpiece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model with everything that a folder may declare, and a tokenizer that transformers takes."""
    path = tmp_path_factory.mktemp("models") / "wordpiece"
    dense = DenseModule("2_Dense", 32, 12, activation_function="torch.nn.modules.activation.Tanh")
    tiny_folder(path, dense=(dense,), pooling="cls", prompts={"query": "sort: "}, default_prompt_name="query")
    letters = [chr(code) for code in range(33, 64)] + [chr(code) for code in range(97, 123)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    made = Tokenizer(models.WordPiece({token: at for at, token in enumerate(tokens)}, unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(path / "tokenizer.json"))
    disk.write_json(path / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": 32})
    return path


@pytest.mark.parametrize("pooling", ["cls", "mean", "lasttoken"])
def test_both_engines_hold(wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...], pooling: str) -> None:
    disk.write_json(
        wordpiece / "1_Pooling/config.json",
        {"embedding_dimension": 32, "pooling_mode": pooling, "include_prompt": pooling == "cls"},
    )
    for engine in two_engines:
        out = str(tmp_path / engine)
        done = CliRunner().invoke(
            command, [str(wordpiece), out, "--check", "--engine", engine, "--json"], catch_exceptions=False
        )
        found = json.loads(done.stdout)
        rows, texts = found["check"], len(check.TEXTS)
        assert [(row["dtype"], row["engine"], row["holds"]) for row in rows] == [
            *[("float32", engine, True)] * texts,
            *[("float16", engine, True)] * texts,
        ]
        assert [row["tokens"] for row in rows[:texts]] == [row["tokens"] for row in rows[texts:]]
        assert max(row["largest_difference"] for row in rows[:texts]) < 1e-5
        # Half precision was really computed in.
        assert max(row["largest_difference"] for row in rows[texts:]) > 1e-5
        assert found["reference"].endswith(f"BertModel on {wordpiece}; AutoTokenizer's ids (BertTokenizer)")


def test_weights_that_changed_on_the_way_do_not_hold(
    wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...]
) -> None:
    tiny_folder(tmp_path / "other", seed=9)
    with pytest.raises(JobError, match="does not give the reference's vectors"):
        check.require(check.check(wordpiece, reference=tmp_path / "other", engine=two_engines[0])[0])


def test_a_reference_with_a_tensor_missing_is_none(
    wordpiece: Path, tmp_path: Path, two_engines: tuple[str, ...]
) -> None:
    tiny_folder(tmp_path / "other")
    arrays = safetensors.read(tmp_path / "other/model.safetensors")
    del arrays["encoder.layer.1.output.dense.weight"]
    safetensors.write(tmp_path / "other/model.safetensors", arrays)
    with pytest.raises(CallError, match=r"finds no encoder\.layer\.1\.output\.dense\.weight"):
        check.check(wordpiece, reference=tmp_path / "other")


def test_the_reference_is_the_source_where_nothing_was_changed(tiny: Path, tmp_path: Path) -> None:
    assert check.reference_for(tiny, None) == tiny
    assert check.reference_for(tiny, "float16") is None
    assert check.reference_for(tiny / "model.safetensors", None) is None
    # Of an adapter's folder transformers' AutoModel would read the base, or what it can of the adapter.
    disk.write_json(tmp_path / "adapter" / "adapter_config.json", {"base_model_name_or_path": str(tiny)})
    assert check.reference_for(tmp_path / "adapter", None) is None


NAMED = {
    "new": "its gte with the weights under its own names, and the kit's frequencies (ntk), which transformers has not",
    "gte": "its gte with the weights under its own names; the authors' own code is never run",
    "nomic_bert": "its nomic_bert with the weights under its own names; the authors' own code is never run",
    "nomic_moe": "its jina_embeddings_v3 with the weights under its own names, and the kit's mixture of experts, which",
    "jina_embeddings_v3": "its jina_embeddings_v3 with the weights under its own names; the authors' own code",
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_reference_and_it_is_named(
    two_engines: tuple[str, ...], tmp_path: Path, family: str
) -> None:
    words = [str(GOLDEN / family), str(tmp_path / "out"), "--check", "--engine", "mlx"]
    done = CliRunner().invoke(command, words, catch_exceptions=False)
    assert NAMED.get(family, f" on {GOLDEN / family}; ") in done.stdout
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("float")]
    assert [line[0] for line in lines] == ["float32"] * len(check.TEXTS) + ["float16"] * len(check.TEXTS)
    assert all(line[-1] == "yes" for line in lines)


def test_a_tokenizer_that_a_class_rebuilds_is_followed(two_engines: tuple[str, ...], tmp_path: Path) -> None:
    # Words, which transformers makes word pieces of in a BERT.
    source = altered(tmp_path / "source", "bert")
    (source / "tokenizer_config.json").unlink()
    rows, said = check.check(source, engine="mlx")
    assert said.endswith("; AutoTokenizer's ids (BertTokenizer)")
    check.require(rows)


def test_a_tokenizer_that_transformers_can_not_make_has_no_reference(
    two_engines: tuple[str, ...], tmp_path: Path
) -> None:
    source = altered(tmp_path / "source", "t5")
    (source / "tokenizer_config.json").unlink()
    with pytest.raises(JobError, match=r"AutoTokenizer does not read the tokenizer of .*source \(TypeError: "):
        check.check(source, engine="mlx")


def test_other_ids_than_the_sources_fail_and_name_the_text(
    wordpiece: Path, two_engines: tuple[str, ...], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(wordpiece, other)
    settings = disk.read_json(other / "tokenizer_config.json")
    disk.write_json(other / "tokenizer_config.json", settings | {"truncation_side": "left"})
    with pytest.raises(JobError, match=r"Of the text '  two .* token 1 is 95 \('##c'\), expected 55 \('t'\)"):
        check.check(other, words=wordpiece, engine="mlx")
    disk.write_json(other / "tokenizer_config.json", settings | {"cls_token": "[MASK]"})
    with pytest.raises(
        JobError, match=r"Of the text '' token 0 is 4 \('\[MASK\]'\), expected 2 \('\[CLS\]'\)"
    ) as found:
        check.check(other, words=wordpiece, engine="mlx")
    assert found.value.exit_status == 1


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("new", "encoder.layer.1.mlp.down_proj.weight"),
        ("nomic_bert", "encoder.layers.1.mlp.fc2.weight"),
        ("bert", "encoder.layer.1.output.dense.weight"),
    ],
)
def test_an_encoder_that_computes_otherwise_fails_with_status_1(
    two_engines: tuple[str, ...], tmp_path: Path, family: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlx_metaembed.on_mlx import trunk

    load = trunk.load

    def broken(*words: object, **options: object) -> object:
        found = load(*words, **options)
        found.load_weights([(name, dict(tree_flatten(found.parameters()))[name] * 1.05)], strict=False)
        return found

    from mlx.utils import tree_flatten

    monkeypatch.setattr(trunk, "load", broken)
    done = CliRunner().invoke(command, [str(GOLDEN / family), str(tmp_path / "out"), "--check", "--engine", "mlx"])
    assert isinstance(done.exception, JobError) and done.exception.exit_status == 1
    assert "NO" in done.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_without_what_the_check_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else found(name, *rest)
    )
    done = CliRunner().invoke(command, [str(GOLDEN / "bert"), str(tmp_path / "out"), "--check"])
    assert isinstance(done.exception, CallError) and "--check needs torch, which is not installed" in str(
        done.exception
    )
    assert not list(tmp_path.iterdir())


def test_a_head_is_not_checked_and_not_written(two_engines: tuple[str, ...], tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(GOLDEN / "splade_bert"), str(tmp_path / "out"), "--check"])
    assert isinstance(done.exception, CallError) and "ends in the head 'splade'. Convert it without" in str(
        done.exception
    )
    assert not list(tmp_path.iterdir())


def test_a_model_without_a_reference_says_so(two_engines: tuple[str, ...], tmp_path: Path) -> None:
    reference = altered(tmp_path / "reference", "bert", {"model_type": "unheard_of"})
    with pytest.raises(CallError, match=r"has no reference for .*: transformers does not know 'bert', or not in this"):
        check.check(GOLDEN / "bert", reference=reference)


def test_an_export_is_checked_against_what_came_of_it(tmp_path: Path) -> None:
    source = altered(tmp_path / "source", "bert")
    (source / "model.safetensors").rename(source / "model.onnx")
    assert check.reference_for(source, None) is None


def test_a_text_past_the_trained_length_is_checked_as_it_is_alone(two_engines: tuple[str, ...], tmp_path: Path) -> None:
    scaling = {"rope_scaling": {"type": "dynamic", "factor": 4.0}, "max_position_embeddings": 8}
    for engine in two_engines:
        rows, _ = check.check(altered(tmp_path / engine, "qwen3", scaling), engine=engine)
        check.require(rows)
        assert max(row["tokens"] for row in rows) > 8
