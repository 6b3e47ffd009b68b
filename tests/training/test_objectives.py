"""Runs with many objectives: one pass of the trunk, the same weights however it is cut, heads alone or together."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import metrics, stop_after, weights_of
from tiny import TEXTS

from mlx_metaembed.embedder import Embedder, load
from mlx_metaembed.errors import JobError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train

THREE = ("dense", "lexical", "multi_vector")
HEADS = (HeadTable("lexical", "lexical"), HeadTable("multi_vector", "multi_vector", {"features": 16}))


def three(tiny: Path, pairs: Path, out: Path, **settings: object) -> Recipe:
    """A run of BGE-M3's three outputs, with Matryoshka on the vectors."""
    common = {
        "sources": (DataTable("pairs", str(pairs)),),
        "heads": HEADS,
        "objectives": (ObjectiveTable("", "pairs", THREE, "self_distillation", matryoshka=(32, 8)),),
        "batch_size": 8,
        "iters": 3,
        "learning_rate": 1e-3,
        "chunk_tokens": 64,
        "dtype": "float32",
    }
    return Recipe(model=str(tiny), out=str(out), **common | settings)


def parameters(out: Path) -> dict[str, np.ndarray]:
    """The weights that a run ended in. A key's bias takes no gradient but rounding, which Adam makes a step of."""
    found = weights_of(out)
    return {name: each for name, each in found.items() if not name.startswith("state") and "key.bias" not in name}


def same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray], atol: float) -> None:
    assert found.keys() == wanted.keys()
    for name, each in wanted.items():
        np.testing.assert_allclose(found[name], each, atol=atol, rtol=0, err_msg=name)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_chunks_and_gradcache_change_no_weights(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, dropout: float
):
    ends = {}
    for name, settings in {
        "cached": {"grad_cache": "on"},
        "whole": {"grad_cache": "off"},
        # With other chunks dropout draws other units.
        **({} if dropout else {"fine": {"grad_cache": "on", "chunk_tokens": 32}, "one": {"chunk_tokens": 4096}}),
    }.items():
        train(three(tiny, pairs, tmp_path / name, engine=engine_name, dropout=dropout, **settings), callbacks=[])
        ends[name] = parameters(tmp_path / name)
    for name in ends:
        same(ends[name], ends["cached"], atol=1e-5)
    before = parameters_of_model(tiny)
    assert max(np.abs(ends["cached"][name] - each).max() for name, each in before.items()) > 1e-3
    if dropout:
        train(three(tiny, pairs, tmp_path / "plain", engine=engine_name), callbacks=[])
        other = parameters(tmp_path / "plain")
        assert max(np.abs(other[name] - each).max() for name, each in ends["cached"].items()) > 1e-4


def parameters_of_model(model: Path) -> dict[str, np.ndarray]:
    return {name: each for name, each in weights_of(model).items() if "key.bias" not in name}


@pytest.mark.parametrize("at", [1, 3])
def test_a_stopped_run_resumes_to_the_same_bits(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, at: int):
    texts = tmp_path / "rated.jsonl"
    texts.write_text("".join(f'{{"text": "open {row}", "score": {row / 20}}}\n' for row in range(20)))
    settings = {
        "engine": engine_name,
        "iters": 5,
        "dropout": 0.2,
        "sources": (DataTable("pairs", str(pairs), 2.0), DataTable("rated", str(texts))),
        "multi_dataset_batch_sampler": "weighted",
        "heads": (*HEADS, HeadTable("quality", "regression")),
        "objectives": (
            ObjectiveTable("", "pairs", THREE, "self_distillation"),
            ObjectiveTable("", "rated", "quality", "mse", 0.5),
        ),
    }
    train(three(tiny, pairs, tmp_path / "whole", **settings), callbacks=[])
    with pytest.raises(JobError, match=f"Stopped after step {at} of 5"):
        train(three(tiny, pairs, tmp_path / "parts", **settings), callbacks=[stop_after(at)])
    train(three(tiny, pairs, tmp_path / "parts", **settings), resume=True, callbacks=[])
    whole, parts = weights_of(tmp_path / "whole"), weights_of(tmp_path / "parts")
    assert whole.keys() == parts.keys()
    assert all(np.array_equal(parts[name], each) for name, each in whole.items())
    rows = metrics(tmp_path / "parts")
    assert {name for row in rows for name in row if name.startswith("loss/")} == {
        "loss/dense+lexical+multi_vector",
        "loss/quality",
    }


def test_losses_are_named_by_objective_and_width(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    objectives = (
        ObjectiveTable("", "pairs", "dense", "info_nce", matryoshka=(32, 8), matryoshka_weights=(1.0, 3.0)),
        ObjectiveTable("words", "pairs", "lexical", "info_nce", 0.5),
        ObjectiveTable("late", "pairs", "multi_vector", "info_nce", 0.25, (16, 8)),
    )
    train(three(tiny, pairs, tmp_path / "out", engine=engine_name, objectives=objectives), callbacks=[])
    for row in metrics(tmp_path / "out"):
        named = {name: row[name] for name in row if name.startswith("loss")}
        assert named.keys() == {
            *("loss", "loss/dense", "loss/words", "loss/late"),
            *("loss@32", "loss@8", "loss@words", "loss@late@16", "loss@late@8"),
        }
        assert named["loss@32"] + 3 * named["loss@8"] == pytest.approx(named["loss/dense"], rel=1e-4)
        assert named["loss@late@16"] + named["loss@late@8"] == pytest.approx(named["loss/late"], rel=1e-4)
        total = named["loss/dense"] + 0.5 * named["loss/words"] + 0.25 * named["loss/late"]
        assert total == pytest.approx(named["loss"], rel=1e-4)


def test_a_head_that_no_objective_names_stays_bit_for_bit(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(three(tiny, pairs, tmp_path / "first", engine=engine_name, iters=1), callbacks=[])
    objectives = (ObjectiveTable("", "pairs", "lexical", "info_nce"), ObjectiveTable("", "pairs", "dense", "info_nce"))
    settings = {"engine": engine_name, "heads": (), "objectives": objectives}
    train(three(tmp_path / "first", pairs, tmp_path / "second", **settings), callbacks=[])
    before, after = weights_of(tmp_path / "first"), weights_of(tmp_path / "second")
    own = "heads.safetensors:multi_vector."
    kept = {name for name in before if name.startswith(own)}
    assert kept == {f"{own}linear.bias", f"{own}linear.weight"} == {name for name in after if name.startswith(own)}
    assert all(np.array_equal(after[name], before[name]) for name in kept)
    assert not [name for name in after if name.startswith("state") and "multi_vector" in name]
    moved = "heads.safetensors:lexical.linear.weight"
    assert np.abs(after[moved] - before[moved]).max() > 1e-4
    assert set(load(tmp_path / "second", engine=engine_name).heads) == {"lexical", "multi_vector"}


def test_the_weight_of_an_objective_scales_its_gradient(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    def norm(name: str, *weights: float) -> float:
        heads = ("dense", "lexical")
        objectives = tuple(
            ObjectiveTable("", "pairs", head, "info_nce", weight)
            for head, weight in zip(heads, weights, strict=True)
            if weight
        )
        own = HEADS[:1] if weights[1] else ()
        recipe = three(tiny, pairs, tmp_path / name, engine=engine_name, iters=1, heads=own)
        train(replace(recipe, objectives=objectives), callbacks=[])
        return metrics(tmp_path / name)[0]["grad_norm"]

    once = norm("once", 1.0, 0.0)
    assert norm("half", 0.5, 0.0) == pytest.approx(once / 2, rel=1e-4)
    both = norm("both", 1.0, 1.0)
    assert norm("three", 3.0, 3.0) == pytest.approx(3 * both, rel=1e-4)
    assert norm("unlike", 1.0, 3.0) != pytest.approx(both, rel=1e-2)


@contextmanager
def counted(model: Embedder) -> Iterator[list]:
    """The heads of each pass of the trunk."""
    passes, embed = [], model.engine.embed

    def told(chunk, heads=("dense",), **settings):
        passes.append(tuple(heads))
        return embed(chunk, heads, **settings)

    model.engine.embed = told
    try:
        yield passes
    finally:
        model.engine.embed = embed


def test_encode_gives_what_each_head_gives_in_one_pass(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = {
        "heads": (*HEADS, HeadTable("codes", "fsq", {"levels": "4x8"})),
        "objectives": (
            ObjectiveTable("", "pairs", THREE, "self_distillation"),
            ObjectiveTable("", "pairs", "codes", "info_nce"),
        ),
    }
    train(three(tiny, pairs, tmp_path / "out", engine=engine_name, **settings), callbacks=[])
    model = load(tmp_path / "out", engine=engine_name, dtype="float32")
    names = [*THREE, "codes"]
    with counted(model) as passes:
        found = model.encode(TEXTS, heads=names)
    with counted(model) as alone:
        vectors = model.encode(TEXTS)
    # One pass a chunk, whatever is asked for.
    assert {frozenset(heads) for heads in passes} == {frozenset(THREE)}
    assert len(passes) == len(alone)
    np.testing.assert_allclose(found["dense"], vectors, atol=1e-6)
    np.testing.assert_array_equal(found["codes"], model.encode(TEXTS, head="codes"))
    lexical = model.encode_sparse(TEXTS, head="lexical")
    np.testing.assert_array_equal(found["lexical"].ids, lexical.ids)
    np.testing.assert_allclose(found["lexical"].weights, lexical.weights, atol=1e-6)
    for vectors, wanted in zip(found["multi_vector"], model.encode_token_vectors(TEXTS), strict=True):
        np.testing.assert_allclose(vectors, wanted, atol=1e-6)
