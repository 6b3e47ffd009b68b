"""Checkpoints in: every format gives the same trunk, nothing is dropped unsaid, a bad source leaves nothing at OUT."""

import json
from pathlib import Path

import numpy as np
import pytest
from checkpoints import with_weights
from click.testing import CliRunner
from pickled import save
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.cli.convert import command
from mlx_metaembed.config import families
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder.module_types import DenseModule


def same_weights(out: Path, tiny: Path) -> None:
    found, expected = safetensors.read(out / "model.safetensors"), safetensors.read(tiny / "model.safetensors")
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)


def test_a_model_folder_comes_out_as_it_went_in(tiny: Path, tmp_path: Path) -> None:
    found = convert(tiny, tmp_path / "out")
    expected = folders.read(tiny)
    assert found.config == expected.config | {"dtype": "float32"}
    assert (found.pooling, found.normalize, found.max_seq_length) == ("mean", True, 32)
    same_weights(tmp_path / "out", tiny)
    assert (tmp_path / "out/tokenizer.json").read_bytes() == (tiny / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("prefix", ["bert.", "model.", "module.bert.", "0.auto_model."])
def test_prefixes_go_heads_are_left_out_by_name_and_the_pooler_stays(
    source: Path, tiny: Path, tmp_path: Path, prefix: str
) -> None:
    arrays = {f"{prefix}{name}": array for name, array in safetensors.read(tiny / "model.safetensors").items()}
    arrays |= {"cls.predictions.bias": np.ones(3), "classifier.weight": np.ones(3)}
    arrays |= {f"{prefix}embeddings.position_ids": np.arange(48)[None]}
    heard: list[str] = []
    convert(with_weights(source, arrays), tmp_path / "out", note=heard.append)
    same_weights(tmp_path / "out", tiny)
    assert heard == [
        "Left out, being a task's head: cls.predictions.bias, classifier.weight",
        f"Left out, being no weights of their own: {prefix}embeddings.position_ids",
    ]


def test_the_names_of_old_norms(source: Path, tiny: Path, tmp_path: Path) -> None:
    def old(name: str) -> str:
        return name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")

    arrays = {old(name): array for name, array in safetensors.read(tiny / "model.safetensors").items()}
    assert "embeddings.LayerNorm.gamma" in arrays
    convert(with_weights(source, arrays), tmp_path / "out")
    same_weights(tmp_path / "out", tiny)


def test_two_tensors_of_one_name_are_refused(source: Path, tiny: Path, tmp_path: Path) -> None:
    arrays = safetensors.read(tiny / "model.safetensors")
    arrays |= {f"bert.{name}": array for name, array in list(arrays.items())[:1]}
    with pytest.raises(CallError, match="hold tensors twice"):
        convert(with_weights(source, arrays), tmp_path / "out")


def test_what_no_engine_loads_is_not_written(source: Path, tiny: Path, tmp_path: Path) -> None:
    arrays = safetensors.read(tiny / "model.safetensors") | {"adapter.down": np.ones(2, np.float32)}
    with pytest.raises(CallError) as error:
        convert(with_weights(source, arrays), tmp_path / "out")
    said = str(error.value)
    assert said.startswith(
        f"{source} was not converted: no engine here loads what comes of it. The weights in {source} "
    )
    assert "adapter.down (2,): not part of this architecture" in said and "Fetch the folder again" in said
    assert not list(tmp_path.glob("*out*"))


def test_numbers_that_are_not_finite_are_listed(source: Path, tiny: Path, tmp_path: Path) -> None:
    arrays = {name: array.copy() for name, array in safetensors.read(tiny / "model.safetensors").items()}
    arrays["encoder.layer.0.output.dense.weight"][0, :2] = np.nan, -np.inf
    arrays["pooler.dense.bias"][3] = np.inf
    with pytest.raises(CallError) as error:
        convert(with_weights(source, arrays), tmp_path / "out")
    assert str(error.value).splitlines() == [
        f"The weights of {source} can't be used:",
        "  - pooler.dense.bias: 1 of 32 numbers are NaN or infinite",
        "  - encoder.layer.0.output.dense.weight: 2 of 2,048 numbers are NaN or infinite",
        "Fetch them again, or take an earlier save.",
    ]
    assert not list(tmp_path.glob("*out*"))


def test_what_one_engine_takes_is_converted_and_the_others_words_are_told(
    two_engines: tuple[str, str], source: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # MLX does not read float64.
    monkeypatch.setattr("mlx_metaembed.engine.choice.preferred", lambda **machine: ("mlx", "auto: a Mac"))
    arrays = {name: array.astype(np.float64) for name, array in safetensors.read(tiny / "model.safetensors").items()}
    heard: list[str] = []
    convert(with_weights(source, arrays), tmp_path / "out", note=heard.append)
    assert [line.partition(" has float64")[0] for line in heard] == [f"It loads on torch alone; mlx says: {source}"]
    with pytest.raises(CallError, match=f"metaembed convert {source} OUT --dtype float32 makes them float32"):
        convert(source, tmp_path / "other", engine="mlx")


@pytest.mark.parametrize("form", ["sharded", "pickle", "pickled shards", "single safetensors", "single pickle"])
def test_every_form_of_weights_gives_the_same(source: Path, tiny: Path, tmp_path: Path, form: str) -> None:
    arrays = safetensors.read(tiny / "model.safetensors")
    halves = [dict(list(arrays.items())[:9]), dict(list(arrays.items())[9:])]
    (source / "model.safetensors").unlink()
    given = source
    if form == "sharded":
        for at, half in enumerate(halves):
            safetensors.write(source / f"model-{at}.safetensors", half)
        listed = {name: f"model-{at}.safetensors" for at, half in enumerate(halves) for name in half}
        disk.write_json(source / "model.safetensors.index.json", {"weight_map": listed})
    elif form == "pickle":
        save(source / "pytorch_model.bin", arrays)
    elif form == "pickled shards":
        for at, half in enumerate(halves):
            save(source / f"pytorch_model-{at}.bin", half)
        listed = {name: f"pytorch_model-{at}.bin" for at, half in enumerate(halves) for name in half}
        disk.write_json(source / "pytorch_model.bin.index.json", {"weight_map": listed})
    elif form == "single safetensors":
        given = source / "step-100.safetensors"
        safetensors.write(given, arrays)
    else:
        given = save(source / "best.pt", arrays)
    convert(given, tmp_path / "out")
    same_weights(tmp_path / "out", tiny)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_dtype_is_written_said_and_kept(source: Path, tmp_path: Path, dtype: str) -> None:
    config = disk.read_json(source / "config.json") | {"torch_dtype": "float32"}
    disk.write_json(source / "config.json", config)
    for name in ("a", "b"):
        found = convert(
            source if name == "a" else tmp_path / "a", tmp_path / name, dtype=dtype if name == "a" else None
        )
        assert (found.config["dtype"], found.config["torch_dtype"]) == (dtype, dtype)
        words = {tensor.dtype for tensor in safetensors.header(tmp_path / name / "model.safetensors").values()}
        assert words == {safetensors.FLOATING[dtype]}


def test_both_generations_and_a_bare_trunk(source: Path, tmp_path: Path) -> None:
    before = convert(source, tmp_path / "before")
    disk.write_json(source / "1_Pooling/config.json", {"embedding_dimension": 32, "pooling_mode": "mean"})
    disk.write_json(source / "sentence_bert_config.json", {"transformer_task": "feature-extraction"})
    disk.write_json(source / "tokenizer_config.json", {"model_max_length": 32})
    listed = json.loads((source / "modules.json").read_text())
    kinds = [
        "base.modules.transformer.Transformer",
        "sentence_transformer.modules.pooling.Pooling",
        "base.modules.normalize.Normalize",
    ]
    since = [module | {"type": f"sentence_transformers.{kind}"} for module, kind in zip(listed, kinds, strict=True)]
    disk.write_json(source / "modules.json", since)
    convert(source, tmp_path / "since")
    for name in ("modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config.json"):
        assert (tmp_path / "since" / name).read_text() == (tmp_path / "before" / name).read_text()
    (source / "modules.json").unlink()
    bare = convert(source, tmp_path / "bare")
    assert (bare.pooling, bare.normalize) == ("mean", False)
    assert before.normalize


@pytest.mark.parametrize("form", ["model.safetensors", "pytorch_model.bin"])
def test_dense_comes_along_in_the_dtype(tmp_path: Path, form: str) -> None:
    dense = DenseModule("2_Dense", 32, 5, activation_function="torch.nn.modules.activation.Tanh")
    source = tiny_folder(tmp_path / "source", dense=(dense,))
    linear = safetensors.read(source / "2_Dense/model.safetensors")
    if form == "pytorch_model.bin":
        (source / "2_Dense/model.safetensors").unlink()
        save(source / "2_Dense" / form, linear)
    found = convert(source, tmp_path / "out", dtype="float16")
    assert found.dense == (dense,)
    written = safetensors.read(tmp_path / "out/2_Dense/model.safetensors")
    for name in ("linear.weight", "linear.bias"):
        np.testing.assert_array_equal(written[name], linear[name].astype(np.float16))
    safetensors.write(source / "2_Dense/model.safetensors", {"linear.weight": np.ones((5, 31), np.float32)})
    with pytest.raises(CallError, match=r"(?s)linear\.bias \(5,\): missing.*the configuration says \(5, 32\)"):
        convert(source, tmp_path / "wrong")
    (source / "2_Dense/model.safetensors").unlink()
    (source / "2_Dense/pytorch_model.bin").unlink(missing_ok=True)
    with pytest.raises(CallError, match="2_Dense has no weights"):
        convert(source, tmp_path / "wrong")
    assert not (tmp_path / "wrong").exists()


def test_heads_come_along_and_what_a_run_leaves_does_not(source: Path, tmp_path: Path) -> None:
    head = heads.Fsq(in_features=32, levels=(4, 4, 4))
    arrays = {f"code.{name}": array for name, array in head.initial(0).items()}
    heads.write({"code": head}, arrays, source)
    for name in ("recipe.toml", "metrics.jsonl", "state.safetensors"):
        (source / "metaembed" / name).write_text("left")
    found, written = heads.read(convert(source, tmp_path / "out", dtype="float16"))
    assert found == {"code": head}
    np.testing.assert_array_equal(written["code.projection.weight"], arrays["code.projection.weight"])
    assert sorted(file.name for file in (tmp_path / "out/metaembed").iterdir()) == ["heads.json", "heads.safetensors"]


def test_licence_and_card_come_along(source: Path, tmp_path: Path) -> None:
    (source / "LICENSE").write_text("as is")
    (source / "README.md").write_text("# A model")
    convert(source, tmp_path / "out")
    assert ((tmp_path / "out/LICENSE").read_text(), (tmp_path / "out/README.md").read_text()) == ("as is", "# A model")


def test_a_tokenizer_is_made_from_a_vocabulary(source: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    (source / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "sort", "list", "##s"]
    (source / "vocab.txt").write_text("\n".join(words) + "\n")
    disk.write_json(source / "tokenizer_config.json", {"do_lower_case": True, "tokenizer_class": "BertTokenizer"})
    heard: list[str] = []
    convert(source, tmp_path / "out", note=heard.append)
    assert heard == ["Made tokenizer.json from the older files of the tokenizer"]
    found = Tokenizer.from_file(str(tmp_path / "out/tokenizer.json")).encode("SORT lists")
    assert found.tokens == ["[CLS]", "sort", "list", "##s", "[SEP]"]


def test_families_are_the_files_that_stand_there() -> None:
    known = families.supported()
    assert "bert" in known
    assert not any(name.startswith("_") for name in known)


def test_the_verb_prints_one_json_object(tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = CliRunner().invoke(command, [str(tiny), str(out), "--json", "--dtype", "float16"], catch_exceptions=False)
    found = json.loads(done.stdout)
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    assert found == {
        "out": str(out),
        "kind": "embedder",
        "model_type": "bert",
        "dtype": "float16",
        "dimensions": 32,
        "max_seq_length": 32,
        "pooling": "mean",
        "head": None,
        "bytes_on_disk": size,
    }
