"""ColBERT folders: PyLate's arithmetic, both layouts, and what is declared wrongly.

golden/make_heads.py wrote the folder in a few lines of torch; PyLate 1.6 itself gives the same to 3e-7.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from arrays import stored
from click.testing import CliRunner
from states import FAMILIES, GOLDEN, encoder, expected
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.cli.embed import command
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.layers.dense import dense

SOURCE = GOLDEN / "colbert"
EXPECTED = stored(SOURCE / "expected_heads.npz")
SIDES = ("query", "document")
WINDOWED = ("gemma3_text", "mistral", "longformer")
"""A skipped token that is further from the text than the window sees itself on MLX; of Longformer, any sees nothing in
transformers."""


def altered(path: Path, change: Callable[[dict], dict]) -> Path:
    """A copy of the folder whose config_sentence_transformers.json is changed."""
    shutil.copytree(SOURCE, path)
    top = path / "config_sentence_transformers.json"
    disk.write_json(top, change(disk.read_json(top)))
    return path


def holds(path: Path, engine: str) -> None:
    """A folder gives the reference's vectors."""
    model = load(path, engine=engine)
    for side in SIDES:
        vectors = model.encode_token_vectors(TEXTS, prompt_name=side)
        assert [len(each) for each in vectors] == EXPECTED[f"{side}_lengths"].tolist()
        np.testing.assert_allclose(np.concatenate(vectors), EXPECTED[side], rtol=0, atol=1e-5)


def test_queries_and_documents_are_the_references(engine_name: str, tmp_path: Path):
    holds(SOURCE, engine_name)
    found = convert(SOURCE, tmp_path / "out")
    assert found.late_interaction == folders.read(SOURCE).late_interaction
    holds(tmp_path / "out", engine_name)


def test_without_a_side_a_text_is_a_document(engine_name: str):
    vectors = load(SOURCE, engine=engine_name).encode_token_vectors(TEXTS)
    np.testing.assert_allclose(np.concatenate(vectors), EXPECTED["document"], rtol=0, atol=1e-5)


def test_queries_without_expansion_and_expansion_that_is_seen(engine_name: str, tmp_path: Path):
    plain = load(altered(tmp_path / "plain", lambda top: top | {"do_query_expansion": False}), engine=engine_name)
    vectors = plain.encode_token_vectors(TEXTS, prompt_name="query")
    # [CLS], prefix, at most nine words, [SEP].
    counts = [min(len(text.replace(",", "").split()), 9) + 3 for text in TEXTS]
    assert [len(each) for each in vectors] == counts
    hidden = load(SOURCE, engine=engine_name).encode_token_vectors(TEXTS, prompt_name="query")
    for own, whole, count in zip(vectors, hidden, counts, strict=True):
        np.testing.assert_allclose(own, whole[:count], atol=1e-5)
    seen = load(altered(tmp_path / "seen", lambda top: top | {"attend_to_expansion_tokens": True}), engine=engine_name)
    others = seen.encode_token_vectors(TEXTS, prompt_name="query")
    assert np.abs(others[2][:4] - hidden[2][:4]).max() > 1e-3


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in WINDOWED])
def test_tokens_that_attention_skips_have_the_same_states(two_engines: tuple[str, str], family: str):
    """A query's mask tokens: places counted as transformers does, and nothing from where nothing is seen."""
    ids, mask, _ = expected(family)
    hidden = np.where(mask, ids, 7).astype(np.int32)
    left, right = (encoder(name, GOLDEN / family)(hidden, mask) for name in two_engines)
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-5)


def test_a_skipped_word_that_is_no_token_stands_for_the_unknown(engine_name: str, tmp_path: Path):
    """As in PyLate; `qux` is unknown, `list` is a word."""
    path = altered(tmp_path / "m", lambda top: top | {"skiplist_words": ["\N{SNOWMAN}", "list"]})
    model = load(path, engine=engine_name)
    whole = load(altered(tmp_path / "n", lambda top: top | {"skiplist_words": []}), engine=engine_name)
    texts = ["sort a qux list of numbers"]
    kept, every = (each.encode_token_vectors(texts)[0] for each in (model, whole))
    # [CLS] [D] sort a qux list of numbers [SEP]
    assert len(every) == 9
    np.testing.assert_allclose(kept, np.delete(every, [4, 5], axis=0), atol=1e-6)


def test_scores_are_sums_over_the_query(engine_name: str):
    model = load(SOURCE, engine=engine_name)
    left, right = (model.encode_token_vectors(TEXTS, prompt_name=side) for side in SIDES)
    by_hand = [[(query @ document.T).max(axis=1).sum() for document in right] for query in left]
    np.testing.assert_allclose(model.similarity(left, right, head="multi_vector"), by_hand, atol=1e-4)


def test_a_residual_is_added_through_its_own_matrix_where_widths_differ():
    x = np.array([[1.0, 2.0]])
    own = {"linear.weight": np.array([[3.0, 4.0]]), "residual.weight": np.array([[10.0, 100.0]])}
    assert dense(DenseModule("d", 2, 1, False, use_residual=True), own, x).tolist() == [[11.0 + 210.0]]
    square = {"linear.weight": np.array([[0.0, 1.0], [1.0, 0.0]])}
    assert dense(DenseModule("d", 2, 2, False, use_residual=True), square, x).tolist() == [[3.0, 3.0]]


def test_several_dense_modules_follow_each_other(engine_name: str, tmp_path: Path):
    path = altered(tmp_path / "m", lambda top: top)
    listing = disk.read_json(path / "modules.json")
    disk.write_json(path / "modules.json", [*listing, listing[1] | {"idx": 2, "name": "2", "path": "2_Dense"}])
    settings = disk.read_json(path / "1_Dense/config.json") | {"in_features": 16, "use_residual": True}
    disk.write_json(path / "2_Dense/config.json", settings)
    # Twice the first module's vectors, of the same length once they are normalized.
    safetensors.write(path / "2_Dense/model.safetensors", {"linear.weight": np.eye(16, dtype=np.float32)})
    convert(path, tmp_path / "out")
    for each in (path, tmp_path / "out"):
        holds(each, engine_name)


def test_what_is_declared_wrongly_is_named_at_once(tmp_path: Path):
    path = altered(tmp_path / "m", lambda top: top | {"query_length": "32", "document_length": 2})
    with pytest.raises(CallError, match=r"(?s)query_length = '32'; expected a int.*document_length = 2; expected 4"):
        folders.read(path)
    words = altered(tmp_path / "words", lambda top: top | {"skiplist_words": [".", 1]})
    with pytest.raises(CallError, match=r"skiplist_words = \['\.', 1\]; expected words"):
        folders.read(words)
    long = altered(tmp_path / "long", lambda top: top | {"query_length": 33})
    with pytest.raises(CallError, match="query_length = 33, but the model has 32 positions"):
        folders.read(long)
    disk.write_json(path / "1_Dense/config.json", {"in_features": 32})
    with pytest.raises(CallError, match="in_features or out_features is missing"):
        folders.read(path)


def test_a_prefix_that_is_no_token_is_refused(engine_name: str, tmp_path: Path):
    path = altered(tmp_path / "m", lambda top: top | {"query_prefix": "[Query] ", "document_prefix": ""})
    with pytest.raises(CallError, match=r"query_prefix '\[Query\] ' is no token of tokenizer\.json"):
        load(path, engine=engine_name).encode_token_vectors(TEXTS, prompt_name="query")


def test_a_prompt_of_neither_side_is_refused(engine_name: str, tmp_path: Path):
    path = altered(tmp_path / "m", lambda top: top | {"prompts": {"title": "t "}})
    with pytest.raises(CallError, match="prompt 'title'; expected query or document"):
        load(path, engine=engine_name).encode_token_vectors(TEXTS, prompt_name="title")


def test_the_verb_prints_a_vector_for_every_token(engine_name: str):
    for side in SIDES:
        arguments = [str(SOURCE), *TEXTS, "--prompt", side, "--engine", engine_name]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert [len(row["vectors"]) for row in rows] == EXPECTED[f"{side}_lengths"].tolist()
        np.testing.assert_allclose(np.concatenate([row["vectors"] for row in rows]), EXPECTED[side], atol=1e-5)


def test_the_usual_names_of_special_tokens(engine_name: str, tmp_path: Path):
    """A folder that names none has its mask token found by its usual name."""
    path = altered(tmp_path / "m", lambda top: top)
    (path / "tokenizer_config.json").unlink()
    assert Tokenizer(folders.read(path)).id_of("[MASK]") == 4
    holds(path, engine_name)


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_loads_the_export(sentence_transformers: str, tmp_path: Path):
    from sentence_transformers import MultiVectorEncoder

    export(folders.read(SOURCE), tmp_path / "out")
    assert "MultiVectorEncoder" in (tmp_path / "out/README.md").read_text()
    model = MultiVectorEncoder(str(tmp_path / "out"), device="cpu", local_files_only=True)
    for side, encode in (("query", model.encode_query), ("document", model.encode_document)):
        theirs = np.concatenate([vectors.numpy() for vectors in encode(TEXTS, show_progress_bar=False)])
        np.testing.assert_allclose(theirs, EXPECTED[side], rtol=0, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_what_sentence_transformers_saves_is_read(sentence_transformers: str, engine_name: str, tmp_path: Path):
    from sentence_transformers import MultiVectorEncoder

    saved = tmp_path / "saved"
    MultiVectorEncoder(str(SOURCE), device="cpu", local_files_only=True).save(str(saved))
    holds(saved, engine_name)
    convert(saved, tmp_path / "out")
    holds(tmp_path / "out", engine_name)
    disk.write_json(saved / "2_MultiVectorMask/config.json", {"skiplist_tasks": ["query"], "keep_only_token_ids": [1]})
    with pytest.raises(CallError, match=r"(?s)skiplist_tasks = \['query'\] is not supported.*keep_only_token_ids"):
        folders.read(saved)
