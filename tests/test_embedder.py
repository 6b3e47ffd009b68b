"""What a loaded model gives: the folder's own vectors and widths, one text as one vector, a length for each side."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from states import GOLDEN
from tiny import TEXTS, tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train


def test_without_a_normalize_module_vectors_keep_their_length(engine_name: str, tmp_path: Path):
    model = load(tiny_folder(tmp_path / "m", normalize=False), engine=engine_name, dtype="float32")
    plain, unit = model.encode(TEXTS), model.encode(TEXTS, normalize_embeddings=True)
    lengths = np.linalg.norm(plain, axis=1, keepdims=True)
    assert model.compares_by_cosine and np.abs(lengths - 1).min() > 0.1
    np.testing.assert_allclose(unit, plain / lengths, atol=1e-6)


def test_a_cut_is_not_made_unit_length_again(engine_name: str, tiny: Path):
    model = load(tiny, engine=engine_name, dtype="float32")
    whole, cut = model.encode(TEXTS), model.encode(TEXTS, truncate_dim=8)
    np.testing.assert_allclose(np.linalg.norm(whole, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(cut, whole[:, :8])
    unit = model.encode(TEXTS, truncate_dim=8, normalize_embeddings=True)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)


def test_a_declared_width_is_the_width(engine_name: str, tmp_path: Path):
    path = tiny_folder(tmp_path / "m", truncate_dim=8)
    model = load(path, engine=engine_name, dtype="float32")
    assert (model.dimensions, model.encode(TEXTS).shape, model.encode(TEXTS, truncate_dim=20).shape) == (
        8,
        (6, 8),
        (6, 20),
    )
    assert export(folders.read(path), tmp_path / "out").truncate_dim == 8
    with pytest.raises(CallError, match="A width of 33 was asked for"):
        model.encode(TEXTS, truncate_dim=33)
    wide = folders.read(tiny_folder(tmp_path / "wide", truncate_dim=99))
    assert (wide.dimensions, wide.output_dimensions) == (32, 32)


def test_one_text_gives_one_vector(engine_name: str, tiny: Path):
    model = load(tiny, engine=engine_name, dtype="float32")
    for encode in (model.encode, model.encode_query, model.encode_document):
        one = encode("open a socket")
        assert one.shape == (32,)
        np.testing.assert_allclose(one, encode(["open a socket"])[0], atol=1e-6)
    assert model.encode([]).shape == (0, 32)


def test_one_text_of_a_code_head(engine_name: str, pairs: Path, tiny: Path, tmp_path: Path):
    train(Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "out"), fsq="4x8", engine=engine_name, iters=1))
    model = load(tmp_path / "out", engine=engine_name, dtype="float32")
    assert model.digits("open a socket", head="codes").shape == (8,)
    assert model.encode("open a socket", head="codes").shape == (8,)


def test_one_text_of_the_heads_on_tokens(engine_name: str):
    sparse = load(GOLDEN / "splade_bert", engine=engine_name, dtype="float32")
    several = sparse.encode_sparse(["open a socket", "a list"])
    one = sparse.encode_sparse("open a socket")
    np.testing.assert_array_equal(one[0], several[0][0])
    assert sparse.decode(one, 3) == pytest.approx(sparse.decode(several, 3)[0], rel=1e-4)
    scores = sparse.similarity(one, several, head="splade")
    np.testing.assert_allclose(scores, sparse.similarity(several, several, head="splade")[:1], rtol=1e-4)
    late = load(GOLDEN / "colbert", engine=engine_name, dtype="float32")
    several = late.encode_token_vectors(["open a socket", "a list"])
    one = late.encode_token_vectors("open a socket")
    np.testing.assert_allclose(one, several[0], atol=1e-5)
    np.testing.assert_allclose(
        late.similarity(one, several, head="multi_vector"),
        late.similarity(several, several, head="multi_vector")[:1],
        atol=1e-4,
    )


def test_queries_and_documents_are_cut_at_their_own_lengths(engine_name: str, tmp_path: Path):
    path = tiny_folder(tmp_path / "m", query_length=4, document_length=6)
    model = load(path, engine=engine_name, dtype="float32")
    for side, length in {"query": 4, "document": 6, None: 32}.items():
        cut = load(path, engine=engine_name, dtype="float32", max_seq_length=length)
        np.testing.assert_allclose(model.encode(TEXTS, prompt_name=side), cut.encode(TEXTS), atol=1e-6)
    # A length that is asked for is meant for both sides.
    asked = load(path, engine=engine_name, dtype="float32", max_seq_length=5)
    np.testing.assert_allclose(asked.encode_query(TEXTS), asked.encode(TEXTS), atol=1e-6)


def test_what_a_run_was_cut_at_is_what_its_folder_declares(engine_name: str, pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base", query_length=9)
    for name, length in {"short": 7, "own": None}.items():
        settings = {"max_seq_length": length, "engine": engine_name, "iters": 1}
        train(Recipe(model=str(base), data=str(pairs), out=str(tmp_path / name), **settings))
    short, own = folders.read(tmp_path / "short"), folders.read(tmp_path / "own")
    assert (short.max_seq_length, short.query_length, own.max_seq_length, own.query_length) == (7, None, 32, 9)


@pytest.mark.parametrize("part", ["0_Transformer", ""])
def test_weights_that_no_engine_reads_name_the_command_for_the_whole_folder(tmp_path: Path, tiny: Path, part: str):
    path = tmp_path / "m"
    shutil.copytree(tiny, path)
    if part:
        (path / part).mkdir()
        for name in ("config.json", "model.safetensors", "tokenizer.json", "sentence_bert_config.json"):
            (path / name).rename(path / part / name)
        listing = path / "modules.json"
        listing.write_text(listing.read_text().replace('"path": ""', f'"path": "{part}"'))
    (path / part / "model.safetensors").rename(path / part / "pytorch_model.bin")
    with pytest.raises(CallError) as error:
        folders.read(path).weights()
    assert str(error.value).endswith(f"metaembed convert {path} OUT")


def test_few_texts_are_computed_without_rows_that_fill_up(
    engine_name: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
):
    model, seen = load(tiny, engine=engine_name), []
    embed = model.engine.embed

    def watched(chunk, heads):
        seen.append((chunk.ids.shape[0], chunk.texts))
        return embed(chunk, heads)

    monkeypatch.setattr(model.engine, "embed", watched)
    # Three short texts of one length fill four rows; one text alone is one row, not eight.
    for texts, rows in ((1, [(1, 1)]), (2, [(2, 2)]), (3, [(4, 3)]), (9, [(8, 8), (8, 1)])):
        seen.clear()
        assert model.encode([f"open {'abcdefghi'[at]}" for at in range(texts)]).shape == (texts, 32)
        assert seen == rows
