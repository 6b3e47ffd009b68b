"""mteb runs a model: tasks in memory, whose figures are those of `metaembed eval`, and what its encoder is asked."""

from enum import Enum
from types import SimpleNamespace

import numpy as np
import pytest
from evaluated_runs import held_out
from tiny import tiny_folder

from mlx_metaembed import data, load
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import mteb as ours
from mlx_metaembed.evaluate.model import measure_model
from mlx_metaembed.evaluate.mteb import Encoder

ABOUT = SimpleNamespace(name="SomeTask", type="Retrieval")
SIDE = Enum("SIDE", {"query": "query", "document": "document"})


@pytest.fixture
def prompted(tmp_path):
    return tiny_folder(tmp_path / "prompted", prompts={"query": "find ", "document": "read "})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("width", [None, 8])
def test_the_figures_are_those_of_eval(mteb_library, engine_name, prompted, pairs, tmp_path, width):
    import mteb
    from mteb_tasks import Pairs, Search

    rows = data.read(pairs).retrieval()
    scored = data.read(held_out(tmp_path, "spearman"))
    model = load(prompted, engine=engine_name)
    encoder = Encoder(model, truncate_dim=width)
    settings = {"cache": None, "show_progress_bar": False, "co2_tracker": False}
    found = mteb.evaluate(encoder, [Search(rows), Pairs(scored)], **settings)
    search, sts = (result.scores["test"][0] for result in found.task_results)
    (line,) = measure_model(model, rows, [width] if width else None)
    measured = ("ndcg", "map", "mrr", "recall", "precision")
    assert [search[f"{name}_at_10"] for name in measured] == pytest.approx(
        [line[f"{name}@10"] for name in measured], abs=1e-5
    )
    assert 0.1 < search["ndcg_at_10"] < 0.9
    (line,) = measure_model(model, scored, [width] if width else None)
    # mteb has Spearman of its own cosines and of the model's similarities.
    for name in ("spearman", "cosine_spearman"):
        assert sts[name] == pytest.approx(line["spearman"], abs=1e-5)
    assert sts["pearson"] == pytest.approx(line["pearson"], abs=1e-4)


def test_it_is_an_encoder_with_a_name_and_a_fingerprint(mteb_library, engine_name, tiny, tmp_path):
    from mteb.models import EncoderProtocol

    one, other = Encoder(tiny, engine=engine_name), Encoder(tiny_folder(tmp_path / "tiny", seed=3), truncate_dim=8)
    assert isinstance(one, EncoderProtocol)
    meta = one.mteb_model_meta
    assert (meta.name, meta.embed_dim, meta.max_tokens) == ("mlx-metaembed/tiny", 32, 32)
    assert meta.similarity_fn_name.value == "cosine" and meta.use_instructions is False
    assert meta.experiment_kwargs["engine"] == engine_name and "truncate_dim" not in meta.experiment_kwargs
    # Results are kept by name and revision: two models of one name are not taken for each other.
    assert other.mteb_model_meta.name == meta.name and other.mteb_model_meta.revision != meta.revision
    assert other.mteb_model_meta.experiment_kwargs["truncate_dim"] == other.mteb_model_meta.embed_dim == 8
    shapes = [tensor.shape for tensor in one.model.folder.trunk().values()]
    assert meta.n_parameters == sum(int(np.prod(shape)) for shape in shapes)


def test_sides_and_tasks_have_their_prompts(mteb_library, engine_name, prompted):
    encoder = Encoder(load(prompted, engine=engine_name))
    batches = [{"text": ["open a socket", "join two paths"]}, {"text": ["sort a list"]}]
    texts = [text for batch in batches for text in batch["text"]]
    for side in SIDE:
        found = encoder.encode(batches, task_metadata=ABOUT, prompt_type=side, batch_size=1)
        assert np.array_equal(found, encoder.model.encode(texts, prompt_name=side.value))
    assert encoder.prompt_name(ABOUT) is None
    encoder.model.prompts.update({"STS": "sort ", "Retrieval-query": "walk "})
    about = SimpleNamespace(name="SomeSts", type="STS")
    found = encoder.encode(batches, task_metadata=about, hf_split="test", hf_subset="default")
    assert np.array_equal(found, encoder.model.encode(texts, prompt="sort "))
    assert [encoder.prompt_name(ABOUT, side) for side in SIDE] == ["Retrieval-query", "document"]
    vectors = encoder.model.encode(texts)
    assert np.array_equal(encoder.similarity(vectors[0], vectors), encoder.model.similarity(vectors[:1], vectors))
    pairwise = encoder.model.similarity_pairwise(vectors, vectors[::-1])
    assert np.array_equal(encoder.similarity_pairwise(vectors, vectors[::-1]), pairwise)


def test_what_it_can_not_do_is_said(mteb_library, tiny):
    with pytest.raises(CallError, match=r"device = 'cuda' can't be chosen here; choose engine='mlx' or 'torch'"):
        Encoder(tiny, device="cuda")
    with pytest.raises(CallError, match=r"revision = 'main' can't be chosen here; give the model's folder"):
        Encoder(tiny, "main")
    with pytest.raises(CallError, match="A width of 99"):
        Encoder(tiny, truncate_dim=99)
    model = load(tiny, engine="mlx")
    with pytest.raises(CallError, match="engine = 'mlx': the model is loaded already"):
        Encoder(model, engine="mlx")
    with pytest.raises(CallError, match="mteb gives image; this model takes text"):
        Encoder(model).encode([{"image": []}], task_metadata=ABOUT)


def test_without_mteb_the_extra_is_named(tiny, monkeypatch):
    monkeypatch.setattr(ours.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CallError, match=r"Running a model in mteb needs mteb, .*\[mteb\]"):
        Encoder(tiny)
