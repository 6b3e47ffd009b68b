"""SPLADE and masked-language-model heads: the stored outputs, every layout of the folder, and what convert keeps.

golden/make_heads.py wrote the folders with transformers; nothing but the last tests needs it.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from arrays import stored
from click.testing import CliRunner
from pickled import save
from states import GOLDEN
from tiny import TEXTS
from word_weights import BERT, WORDS, encoded, expected

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.embed import command
from mlx_metaembed.convert import check, convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.mlx import export as export_mlx
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.heads import Splade, splade
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

FAMILIES = sorted(path.parent.name for path in GOLDEN.glob("splade_*/expected_heads.npz"))


def bare(path: Path) -> Path:
    """BertForMaskedLM as transformers saves it, no sentence-transformers folder."""
    shutil.copytree(BERT, path)
    for name in ("modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"):
        (path / name).unlink()
    shutil.rmtree(path / "1_SpladePooling")
    return path


@pytest.mark.parametrize("family", FAMILIES)
def test_the_references_weights_read_as_saved_and_converted(engine_name: str, tmp_path: Path, family: str):
    np.testing.assert_allclose(encoded(GOLDEN / family, engine_name), expected(family), rtol=0, atol=1e-5)
    found = convert(GOLDEN / family, tmp_path / "out")
    assert (found.head, found.similarity_fn_name) == ("splade", "dot")
    np.testing.assert_allclose(encoded(tmp_path / "out", engine_name), expected(family), rtol=0, atol=1e-5)
    before, after = (safetensors.header(path / "model.safetensors") for path in (GOLDEN / family, tmp_path / "out"))
    # The file is a ForMaskedLM's still, which releases before transformers 5 read only so.
    assert before.keys() == after.keys()


def test_float16_keeps_the_direction(engine_name: str):
    found, wanted = encoded(BERT, engine_name, dtype="float16"), expected()
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    assert ((found * wanted).sum(axis=1) / lengths).min() > 0.9999


def test_the_vocabulary_in_blocks_is_the_same(engine_name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(splade, "WORDS_AT_ONCE", 32)
    np.testing.assert_allclose(encoded(BERT, engine_name), expected(), rtol=0, atol=1e-5)


def test_pooling_and_activation_by_hand():
    """One word, three tokens of which the last is padding; dense and norm leave [3, 1] as [1, -1]."""
    own = {"dense.weight": np.eye(2), "norm.weight": np.ones(2), "decoder.weight": np.array([[2.0, 0.0]])}
    states = np.array([[[3.0, 1.0], [1.0, 3.0], [9.0, 0.0]], [[1.0, 3.0], [3.0, 1.0], [3.0, 1.0]]], np.float32)
    mask = np.array([[True, True, False], [True, False, False]])
    for pooling, activation, first in (
        ("max", "relu", np.log1p(2.0)),
        ("sum", "relu", np.log1p(2.0)),
        ("max", "log1p_relu", np.log1p(np.log1p(2.0))),
    ):
        head = Splade(2, 1, "relu", 0.0, (), "", pooling, activation)
        np.testing.assert_allclose(head(own, states, None, mask), [[first], [0.0]], rtol=1e-6)
    twice = Splade(2, 1, "relu", 0.0, (), "", "sum", "relu")
    np.testing.assert_allclose(twice(own, states, None, np.ones((2, 3), bool))[1], 2 * np.log1p(2.0), rtol=1e-6)


def test_a_bare_masked_language_model_is_dense_and_keeps_its_head(engine_name: str, tmp_path: Path):
    source = bare(tmp_path / "source")
    found = convert(source, tmp_path / "out")
    assert (found.head, found.pooling) == (None, "mean")
    model = load(tmp_path / "out", engine=engine_name)
    assert model.encode(TEXTS).shape == (len(TEXTS), 32)
    # As sentence-transformers' SparseEncoder does with such a folder: max and relu.
    np.testing.assert_allclose(model.encode_sparse(TEXTS).over(WORDS), expected(), rtol=0, atol=1e-5)
    np.testing.assert_array_equal(load(source, engine=engine_name).encode(TEXTS), model.encode(TEXTS))


def test_what_is_there_twice_is_left_out_by_name(tmp_path: Path):
    source = bare(tmp_path / "source")
    arrays = safetensors.read(source / "model.safetensors")
    arrays["cls.predictions.decoder.weight"] = arrays["bert.embeddings.word_embeddings.weight"]
    arrays["cls.predictions.decoder.bias"] = arrays["cls.predictions.bias"]
    arrays["cls.seq_relationship.weight"] = np.ones((2, 32), np.float32)
    (source / "model.safetensors").unlink()
    save(source / "pytorch_model.bin", arrays)
    heard: list[str] = []
    convert(source, tmp_path / "out", note=heard.append)
    assert heard == [
        "Left out, being a task's head: cls.seq_relationship.weight",
        "Left out, being no weights of their own: cls.predictions.decoder.weight, cls.predictions.decoder.bias",
    ]
    names = safetensors.header(tmp_path / "out/model.safetensors").keys()
    assert names == safetensors.header(BERT / "model.safetensors").keys()


def test_a_decoder_of_its_own_is_used(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(BERT, tmp_path / "m"))
    arrays = safetensors.read(path / "model.safetensors")
    disk.write_json(path / "config.json", disk.read_json(path / "config.json") | {"tie_word_embeddings": False})
    with pytest.raises(CallError, match="declares SpladePooling, but its weights have no masked-language-model head"):
        load(path, engine=engine_name)
    own = {"cls.predictions.decoder.weight": arrays["bert.embeddings.word_embeddings.weight"][::-1]}
    own["cls.predictions.bias"] = arrays["cls.predictions.bias"][::-1]
    safetensors.write(path / "model.safetensors", arrays | own)
    np.testing.assert_allclose(encoded(path, engine_name)[:, ::-1], expected(), rtol=0, atol=1e-5)
    convert(path, tmp_path / "out")
    np.testing.assert_allclose(encoded(tmp_path / "out", engine_name)[:, ::-1], expected(), rtol=0, atol=1e-5)


def test_dense_training_keeps_the_head(engine_name: str, pairs: Path, tmp_path: Path):
    convert(bare(tmp_path / "source"), tmp_path / "base")
    settings = {"batch_size": 8, "iters": 2, "learning_rate": 1e-2, "engine": engine_name}
    train(Recipe(model=str(tmp_path / "base"), data=str(pairs), out=str(tmp_path / "run"), **settings))
    before, after = (safetensors.read(tmp_path / name / "model.safetensors") for name in ("base", "run"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed and all(name.startswith("bert.") for name in changed)


def test_a_splade_folder_is_refused_where_one_vector_is_wanted(engine_name: str, pairs: Path, tmp_path: Path):
    model = load(BERT, engine=engine_name)
    for call in (lambda: model.encode(TEXTS), lambda: model.encode(TEXTS, head="dense")):
        with pytest.raises(CallError, match="gives no vector a text: its modules end in the head 'splade'"):
            call()
    with pytest.raises(CallError, match="gives no vector a text"):
        train(Recipe(model=str(BERT), data=str(pairs), out=str(tmp_path / "run"), engine=engine_name))
    with pytest.raises(CallError, match="compares one vector a text"):
        check.check(BERT, engine=engine_name)
    with pytest.raises(CallError, match="'splade' is of the type splade; its output comes from encode_sparse"):
        model.encode(TEXTS, head="splade")
    with pytest.raises(CallError, match=r"no head 'splad'; did you mean 'splade'\?"):
        model.encode_sparse(TEXTS, head="splad")


def test_a_module_that_is_wrong_is_named(tmp_path: Path):
    path = Path(shutil.copytree(BERT, tmp_path / "m"))
    disk.write_json(path / "1_SpladePooling/config.json", {"pooling_strategy": "mean", "activation_function": "gelu"})
    with pytest.raises(CallError, match=r"(?s)pooling_strategy = 'mean'; expected max or sum.*'gelu'; expected relu"):
        folders.read(path)


def test_the_verb_prints_weights_by_token(engine_name: str, tmp_path: Path):
    def run(*words: str) -> str:
        arguments = [str(BERT), "open a socket", "join two paths", "--engine", engine_name, *words]
        return CliRunner().invoke(command, arguments, catch_exceptions=False).stdout

    rows = [json.loads(line) for line in run().splitlines()]
    assert [row["text"] for row in rows] == ["open a socket", "join two paths"]
    assert run() == run("--head", "splade")
    tokens = load(BERT, engine=engine_name)._tokenizer
    for row, wanted in zip(rows, expected()[[2, 5]], strict=True):
        assert list(row["weights"].values()) == sorted(row["weights"].values(), reverse=True)
        for token, weight in row["weights"].items():
            id = int(token[1:]) if tokens.id_of(token) is None else tokens.id_of(token)
            assert weight == pytest.approx(wanted[id], abs=1e-5)
        assert len(row["weights"]) == (wanted > 0).sum()
    run("--output", str(tmp_path / "w.npz"))
    found = stored(tmp_path / "w.npz")
    assert found["starts"].tolist() == [0, *np.cumsum((expected()[[2, 5]] > 0).sum(axis=1))]
    with pytest.raises(CallError, match=r"what splade gives goes into \.npz, or \.jsonl"):
        run("--output", str(tmp_path / "w.npy"))
    with pytest.raises(CallError, match="a width of 8 can't be cut"):
        run("--dims", "8")


@pytest.mark.parametrize("expanded", [True, False])
def test_a_quantized_export_keeps_the_head_whole(mlx_engine: str, tmp_path: Path, expanded: bool):
    export_mlx(folders.read(BERT), tmp_path / "out", bits=8, group_size=32)
    found = safetensors.header(tmp_path / "out/model.safetensors")
    assert "cls.predictions.transform.dense.scales" not in found
    assert "bert.embeddings.word_embeddings.scales" in found
    model = load(tmp_path / "out", engine=mlx_engine)
    if not expanded:
        # As on a GPU, where the word embedding stays quantized.
        model.engine.device = "gpu"
        model.engine.load(model.folder, dtype="float32", heads=model.heads, arrays=_arrays(model))
    np.testing.assert_allclose(model.encode_sparse(TEXTS).over(WORDS), expected(), atol=0.1)


def test_a_quantized_dense_model_goes_without_the_head(mlx_engine: str, tmp_path: Path):
    heard: list[str] = []
    export_mlx(folders.read(bare(tmp_path / "m")), tmp_path / "out", bits=8, group_size=32, note=heard.append)
    assert "Left out, the model's output being dense: its masked-language-model head" in heard
    assert not load(tmp_path / "out", engine=mlx_engine).heads


def _arrays(model) -> dict[str, np.ndarray]:
    from mlx_metaembed import heads
    from mlx_metaembed.folder.parameters import behind_trunk

    return behind_trunk(model.folder, heads.every(model.folder)[1])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", FAMILIES)
def test_sentence_transformers_loads_the_export(sentence_transformers: str, tmp_path: Path, family: str):
    from sentence_transformers import SparseEncoder

    export(folders.read(GOLDEN / family), tmp_path / "out")
    assert "SparseEncoder" in (tmp_path / "out/README.md").read_text()
    model = SparseEncoder(str(tmp_path / "out"), device="cpu", local_files_only=True)
    theirs = model.encode(TEXTS, show_progress_bar=False).to_dense().numpy()
    np.testing.assert_allclose(theirs, expected(family), rtol=0, atol=1e-5)
    np.testing.assert_allclose(encoded(tmp_path / "out", "torch"), theirs, rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_what_sentence_transformers_saves_is_read(sentence_transformers: str, engine_name: str, tmp_path: Path):
    from sentence_transformers import SparseEncoder

    SparseEncoder(str(BERT), device="cpu", local_files_only=True).save(str(tmp_path / "saved"))
    np.testing.assert_allclose(encoded(tmp_path / "saved", engine_name), expected(), rtol=0, atol=1e-5)
    convert(tmp_path / "saved", tmp_path / "out")
    np.testing.assert_allclose(encoded(tmp_path / "out", engine_name), expected(), rtol=0, atol=1e-5)
