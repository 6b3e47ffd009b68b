"""Several heads in one call, and what compares their outputs: vectors, sparse weights, vectors by token."""

from pathlib import Path

import numpy as np
import pytest
from states import GOLDEN
from tiny import TEXTS, tiny_folder

from mlx_metaembed import Recipe, train
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import Embedder, load
from mlx_metaembed.errors import CallError
from mlx_metaembed.heads.sparse_vectors import SparseVectors

FUNCTIONS = ("cosine", "dot", "euclidean", "manhattan")
LEFT = np.array([[3.0, 4.0], [0.0, 2.0]], np.float32)
RIGHT = np.array([[1.0, 0.0], [3.0, 4.0], [0.0, 0.0]], np.float32)
EXPECTED = {
    "cosine": [[0.6, 1.0, 0.0], [0.0, 0.8, 0.0]],
    "dot": [[3.0, 25.0, 0.0], [0.0, 8.0, 0.0]],
    "euclidean": [[-(20.0**0.5), 0.0, -5.0], [-(5.0**0.5), -(13.0**0.5), -2.0]],
    "manhattan": [[-6.0, 0.0, -7.0], [-3.0, -5.0, -2.0]],
}


@pytest.fixture(scope="module")
def bge_m3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "bge-m3"
    convert(GOLDEN / "bge_m3", out)
    return out


def same_rows(found: SparseVectors, wanted: SparseVectors) -> None:
    np.testing.assert_array_equal(found.ids, wanted.ids)
    np.testing.assert_allclose(found.weights, wanted.weights, atol=1e-6)


def test_several_heads_give_what_each_gives(engine_name: str, bge_m3: Path):
    model = load(bge_m3, engine=engine_name, dtype="float32")
    told: list[int] = []
    found = model.encode(TEXTS, heads=["multi_vector", "dense", "lexical"], truncate_dim=8, progress=told.append)
    assert (list(found), sum(told)) == (["multi_vector", "dense", "lexical"], len(TEXTS))
    np.testing.assert_allclose(found["dense"], model.encode(TEXTS, truncate_dim=8), atol=1e-6)
    same_rows(found["lexical"], model.encode_sparse(TEXTS, head="lexical"))
    for vectors, wanted in zip(found["multi_vector"], model.encode_token_vectors(TEXTS), strict=True):
        np.testing.assert_allclose(vectors, wanted, atol=1e-6)
    one = model.encode(TEXTS[0], heads=["dense", "lexical", "multi_vector"])
    assert one["dense"].shape == (model.dimensions,)
    np.testing.assert_allclose(one["multi_vector"], found["multi_vector"][0], atol=1e-5)
    np.testing.assert_array_equal(one["lexical"][0], found["lexical"][0][0])
    none = model.encode([], heads=["dense", "lexical", "multi_vector"])
    assert [len(each) for each in none.values()] == [0, 0, 0]


def test_a_code_head_beside_the_vector(engine_name: str, pairs: Path, tiny: Path, tmp_path: Path):
    train(Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "out"), fsq="4x8", engine=engine_name, iters=1))
    model = load(tmp_path / "out", engine=engine_name, dtype="float32")
    found = model.encode(TEXTS, heads=["codes", "dense"], truncate_dim=8, precision="ubinary")
    np.testing.assert_array_equal(found["codes"], model.encode(TEXTS, head="codes"))
    np.testing.assert_array_equal(found["dense"], model.encode(TEXTS, truncate_dim=8, precision="ubinary"))
    codes = found["codes"]
    unit = codes / np.linalg.norm(codes, axis=1, keepdims=True)
    model.similarity_fn_name = "dot"
    np.testing.assert_allclose(model.similarity(codes, codes, head="codes"), unit @ unit.T, atol=1e-6)
    for settings in ({"precision": "int8"}, {"normalize_embeddings": True}):
        with pytest.raises(CallError, match=r"'dense', take (precision|normalize_embeddings); the head 'codes'"):
            model.encode(TEXTS, head="codes", **settings)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"heads": ["lexicl"]}, ["there is no head 'lexicl'; did you mean 'lexical'?", "dense, multi_vector, lexical"]),
        ({"heads": ["x", "dense", "dense"]}, ["there is no head 'x'", "'dense' stands twice"]),
        ({"heads": []}, ["none is asked for", "Its heads: dense, multi_vector, lexical"]),
        ({"heads": "dense"}, ["heads = 'dense': expected a list of names"]),
        ({"heads": ["dense"], "head": "dense"}, ["head = 'dense' and heads = ['dense'] are both given"]),
        ({"heads": ["lexical"], "truncate_dim": 8}, ["'dense', take truncate_dim; the heads that are asked for"]),
        ({"heads": ["dense"], "truncate_dim": 999}, ["A width of 999 was asked for"]),
    ],
)
def test_heads_that_can_not_be(bge_m3: Path, settings: dict, said: list[str]):
    with pytest.raises(CallError) as error:
        load(bge_m3).encode(TEXTS, **settings)
    assert all(each in str(error.value) for each in said), str(error.value)


def test_a_folder_that_ends_in_a_head_has_no_dense(engine_name: str):
    model = load(GOLDEN / "splade_bert", engine=engine_name, dtype="float32")
    assert repr(model).startswith(f"Embedder('{GOLDEN / 'splade_bert'}', bert, ends in splade, ")
    same_rows(model.encode(TEXTS, heads=["splade"])["splade"], model.encode_sparse(TEXTS))
    with pytest.raises(CallError, match=r"no head 'dense'\n(.|\n)*Its heads: splade"):
        model.encode(TEXTS, heads=["dense", "splade"])
    with pytest.raises(CallError, match=r"model.encode_sparse\(texts\)"):
        model.encode(TEXTS)
    late = load(GOLDEN / "colbert", engine=engine_name, dtype="float32")
    with pytest.raises(CallError, match=r"model.encode_token_vectors\(texts\)"):
        late.encode(TEXTS)
    with pytest.raises(CallError, match="cuts queries and documents at lengths of their own"):
        late.max_seq_length = 4


def named(tmp_path: Path, function: str) -> Embedder:
    return load(tiny_folder(tmp_path / function, similarity_fn_name=function), dtype="float32")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_vectors_are_compared_as_the_folder_says(tmp_path: Path, function: str):
    model = named(tmp_path, function)
    found = model.similarity(LEFT, RIGHT)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, EXPECTED[function], atol=2e-6)
    np.testing.assert_allclose(model.similarity(LEFT[0], RIGHT), found[:1], atol=1e-6)
    np.testing.assert_allclose(model.similarity(LEFT.tolist(), list(RIGHT)), found, atol=1e-6)
    assert model.similarity(LEFT[:0], RIGHT).shape == (0, 3)
    pairs = model.similarity_pairwise(LEFT, RIGHT[:2])
    np.testing.assert_allclose(pairs, np.diag(EXPECTED[function]), atol=2e-6)
    np.testing.assert_allclose(model.similarity_pairwise(LEFT[0], RIGHT[0]), found[:1, 0], atol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_similarities_are_theirs(sentence_transformers: str, tmp_path: Path, function: str):
    from sentence_transformers import SimilarityFunction

    random = np.random.default_rng(3)
    left, right = (random.standard_normal((count, 16)).astype(np.float32) for count in (7, 7))
    model = named(tmp_path, function)
    theirs = SimilarityFunction.to_similarity_fn(function)(left, right)
    np.testing.assert_allclose(model.similarity(left, right), theirs, atol=2e-5)
    theirs = SimilarityFunction.to_similarity_pairwise_fn(function)(left, right)
    np.testing.assert_allclose(model.similarity_pairwise(left, right), theirs, atol=2e-5)


def test_the_function_can_be_set(tmp_path: Path):
    model = named(tmp_path, "cosine")
    model.similarity_fn_name = "manhattan"
    np.testing.assert_allclose(model.similarity(LEFT, RIGHT), EXPECTED["manhattan"])
    with pytest.raises(CallError, match=r"'euclid' is not known; did you mean 'euclidean'\?"):
        model.similarity_fn_name = "euclid"


def test_sides_are_known_by_their_types(engine_name: str, bge_m3: Path):
    model = load(bge_m3, engine=engine_name, dtype="float32")
    found = model.encode(TEXTS, heads=["dense", "lexical", "multi_vector"])
    for name in ("lexical", "multi_vector"):
        given = found[name]
        scores = model.similarity(given, given)
        np.testing.assert_array_equal(scores, model.similarity(given, given, head=name))
        np.testing.assert_allclose(model.similarity_pairwise(given, given), np.diag(scores), atol=1e-5)
    np.testing.assert_allclose(np.diag(model.similarity(found["multi_vector"], found["multi_vector"])), 1, atol=1e-5)
    # One text's vectors by token could be vectors of several texts.
    one = found["multi_vector"][0]
    assert model.similarity(one, one).shape == (len(one), len(one))
    assert model.similarity(one, one, head="multi_vector").shape == (1, 1)
    late = load(GOLDEN / "colbert", engine=engine_name, dtype="float32")
    one = late.encode_token_vectors("open a socket", prompt_name="query")
    assert late.similarity(one, late.encode_token_vectors(TEXTS)).shape == (1, 6)


def test_sides_that_do_not_go_together(bge_m3: Path):
    model = load(bge_m3)
    found = model.encode(TEXTS, heads=["dense", "lexical", "multi_vector"])
    dense, lexical, multi = found["dense"], found["lexical"], found["multi_vector"]
    for sides, head, said in [
        ((dense, lexical), None, r"of two kinds, vectors \[n, D\] and sparse weights"),
        ((multi, dense), None, r"of two kinds, vectors by token and vectors"),
        ((dense, dense), "lexical", "Expected sparse weights, as encode_sparse gives them; found ndarray"),
        ((lexical, lexical), "multi_vector", "Expected vectors by token, .* found SparseVectors"),
        ((dense, dense[:, :5]), None, "Queries of 32 dimensions can't search a corpus of 5"),
        ((["a text"], dense), None, r"Expected vectors \[n, D\] or one \[D\], as encode gives them; found list"),
        ((dense, dense), "lexcal", "has no head 'lexcal'; did you mean 'lexical'"),
    ]:
        with pytest.raises(CallError, match=said):
            model.similarity(*sides, head=head)
    with pytest.raises(CallError, match="Pairs need as many on either side; found 6 and 2"):
        model.similarity_pairwise(dense, dense[:2])
    with pytest.raises(CallError, match="no head that gives them; vectors are one array"):
        load(GOLDEN / "bert").similarity(multi, multi)
