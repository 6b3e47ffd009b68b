"""BGE-M3: torch's own files in, three outputs, scores by hand; golden/make_heads.py wrote the folder."""

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

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.cli.embed import command
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.heads.lexical import Lexical
from mlx_metaembed.heads.token_vectors import MultiVector, scores
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

SOURCE = GOLDEN / "bge_m3"
EXPECTED = stored(SOURCE / "expected_heads.npz")


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "bge-m3"
    convert(SOURCE, out)
    return out


def holds(path: Path, engine: str) -> None:
    """A folder gives the reference's three outputs."""
    model = load(path, engine=engine)
    np.testing.assert_allclose(model.encode(TEXTS), EXPECTED["dense"], rtol=0, atol=1e-5)
    weighed = model.encode_sparse(TEXTS, head="lexical").over(np.arange(120))
    np.testing.assert_allclose(weighed, EXPECTED["weights"], rtol=0, atol=1e-5)
    vectors = model.encode_token_vectors(TEXTS)
    assert [len(each) for each in vectors] == EXPECTED["lengths"].tolist()
    np.testing.assert_allclose(np.concatenate(vectors), EXPECTED["vectors"], rtol=0, atol=1e-5)


def test_all_three_outputs_are_the_references(converted: Path, engine_name: str):
    holds(converted, engine_name)


def test_the_heads_are_kept_by_name_and_every_copy_has_them(converted: Path, engine_name: str, tmp_path: Path):
    found, arrays = heads.read(folders.read(converted))
    assert found == {"multi_vector": MultiVector(32, 16), "lexical": Lexical(32, (0, 1, 2, 3))}
    assert arrays["lexical.linear.weight"].shape == (1, 32)
    convert(converted, tmp_path / "again")
    export(folders.read(converted), tmp_path / "exported")
    for name in ("again", "exported"):
        holds(tmp_path / name, engine_name)


def test_special_tokens_are_those_that_the_folder_names(tmp_path: Path):
    source = Path(shutil.copytree(SOURCE, tmp_path / "m"))
    words = {
        "cls_token": {"__type": "AddedToken", "content": "by"},
        "eos_token": "list",
        "pad_token": "<pad>",
        "unk_token": "absent",
    }
    disk.write_json(source / "tokenizer_config.json", words)
    convert(source, tmp_path / "out")
    vocabulary = disk.read_json(source / "tokenizer.json")["model"]["vocab"]
    ignored = heads.read(folders.read(tmp_path / "out"))[0]["lexical"].ignored
    # transformers gives a special token that is no word the next id.
    assert ignored == tuple(sorted([1, vocabulary["by"], vocabulary["list"], len(vocabulary)]))
    (source / "tokenizer_config.json").unlink()
    convert(source, tmp_path / "usual")
    assert heads.read(folders.read(tmp_path / "usual"))[0]["lexical"].ignored == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weight": np.ones((1, 31), np.float32), "bias": np.ones(1, np.float32)}, r"the configuration says \(1, 32\)"),
        ({"weight": np.ones((1, 32), np.float32)}, r"linear.bias \(1,\): missing"),
        ({"w": np.ones((1, 32), np.float32)}, "expected weight and bias of a linear layer"),
    ],
)
def test_a_head_that_does_not_fit_is_named_and_leaves_nothing(tmp_path: Path, arrays: dict, message: str):
    source = Path(shutil.copytree(SOURCE, tmp_path / "m"))
    save(source / "sparse_linear.pt", arrays)
    with pytest.raises(CallError, match=message):
        convert(source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_lexical_weight_by_hand():
    """relu(w.h + b); id 1 is special, the last token is padding, id 7 comes twice."""
    states = np.array([[[2.0, 1.0], [9.0, 9.0], [-5.0, 0.0], [4.0, 0.0], [8.0, 8.0]]], np.float32)
    ids, mask = np.array([[7, 1, 8, 7, 9]]), np.array([[True, True, True, True, False]])
    head = Lexical(2, (1,))
    output = head({"linear.weight": np.array([[1.0, 2.0]]), "linear.bias": np.array([0.5])}, states, ids, mask)
    assert output.tolist() == [[4.5, 0.0, 0.0, 4.5, 0.0]]
    assert [each.tolist() for each in head.sparse(output, ids)[0]] == [[7, 1, 8, 7, 9], [4.5, 0, 0, 4.5, 0]]


def test_scores_are_flagembeddings(converted: Path, engine_name: str):
    """`compute_lexical_matching_score` and `colbert_score`, word by word and token by token."""
    model = load(converted, engine=engine_name)
    queries, documents = TEXTS[:2], TEXTS[2:]
    left, right = (model.encode_sparse(texts, head="lexical") for texts in (queries, documents))
    shared = model.encode_sparse([*queries, *queries], head="lexical")
    own = model.similarity(left, shared, head="lexical")
    for row, (ids, weighed) in enumerate(left):
        assert own[row, row] == pytest.approx((weighed**2).sum(), rel=1e-5) and len(ids)
    expected = EXPECTED["weights"][:2] @ EXPECTED["weights"][2:].T
    np.testing.assert_allclose(model.similarity(left, right, head="lexical"), expected, atol=1e-4)
    left, right = (model.encode_token_vectors(texts) for texts in (queries, documents))
    by_hand = [[(q @ d.T).max(axis=1).mean() for d in right] for q in left]
    np.testing.assert_allclose(model.similarity(left, right, head="multi_vector"), by_hand, atol=1e-5)


def test_maxsim_by_hand():
    query = np.array([[1.0, 0.0], [0.0, 1.0]], np.float32)
    document = np.array([[0.5, 0.0], [0.25, -2.0]], np.float32)
    empty, single = np.zeros((0, 2), np.float32), np.array([[-1.0, -1.0]], np.float32)
    assert scores([query, single], [document, empty]).tolist() == [[0.5 + 0.0, 0.0], [1.75, 0.0]]
    assert scores([query, single], [document], mean=True).tolist() == [[0.25], [1.75]]
    assert scores([], []).shape == (0, 0)


def test_dense_training_leaves_the_heads_as_they_are(converted: Path, engine_name: str, pairs: Path, tmp_path: Path):
    settings = {"batch_size": 8, "iters": 2, "learning_rate": 1e-2, "fsq": "4x8", "engine": engine_name}
    train(Recipe(model=str(converted), data=str(pairs), out=str(tmp_path / "run"), **settings))
    found, arrays = heads.read(folders.read(tmp_path / "run"))
    assert set(found) == {"multi_vector", "lexical", "codes"}
    for name, array in safetensors.read(converted / "metaembed/heads.safetensors").items():
        np.testing.assert_array_equal(arrays[name], array)
    assert load(tmp_path / "run", engine=engine_name).digits(TEXTS, head="codes").shape == (len(TEXTS), 8)


def test_the_verb_gives_each_head(converted: Path, engine_name: str, tmp_path: Path):
    def run(*words: str) -> list[dict]:
        arguments = [str(converted), *TEXTS[:2], "--engine", engine_name, *words]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    for words in ((), ("--head", "dense")):
        np.testing.assert_allclose([row["embedding"] for row in run(*words)], EXPECTED["dense"][:2], atol=1e-5)
    for row, wanted in zip(run("--head", "lexical"), EXPECTED["weights"], strict=False):
        assert sorted(row["weights"].values()) == pytest.approx(sorted(wanted[wanted > 0]), abs=1e-5)
        assert all(token in row["text"].split() for token in row["weights"])
    found = run("--head", "multi_vector")
    assert [len(row["vectors"]) for row in found] == EXPECTED["lengths"][:2].tolist()
    run("--head", "multi_vector", "--output", str(tmp_path / "v.npz"))
    found = stored(tmp_path / "v.npz")
    np.testing.assert_allclose(found["vectors"], EXPECTED["vectors"][: found["starts"][-1]], atol=1e-5)
    assert found["starts"].tolist() == [0, *np.cumsum(EXPECTED["lengths"][:2])]
    with pytest.raises(CallError, match=r"goes into \.npy"):
        run("--output", str(tmp_path / "v.npz"))


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_loads_the_dense_part(sentence_transformers: str, converted: Path):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(converted), device="cpu", local_files_only=True)
    np.testing.assert_allclose(model.encode(TEXTS, show_progress_bar=False), EXPECTED["dense"], rtol=0, atol=1e-5)
