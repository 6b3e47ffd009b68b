"""Code heads with float queries: what trains, how it begins, what comes out, on both engines and after a stop."""

import json
from pathlib import Path

import numpy as np
import pytest
from calls import call
from runs import metrics, recipe, stop_after, weights_of

from mlx_metaembed.data.rows import Kinds
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.evaluate.model import measure_model
from mlx_metaembed.evaluate.read import read
from mlx_metaembed.heads import Fsq
from mlx_metaembed.heads.output import Output, asked, detached, take
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import Callbacks, train

SIGNS = {"fsq": "2x24", "matryoshka": (), "iters": 6, "dtype": "float32"}


def tables(tiny: Path, pairs: Path, out: Path, **settings: object) -> Recipe:
    """Codes that learn from pairs and from the base's own neighbours, of a frozen trunk."""
    common = {"model": str(tiny), "out": str(out), "train": "heads", "batch_size": 8, "iters": 6}
    return Recipe(
        **common | settings,
        sources=(DataTable("pairs", str(pairs)),),
        heads=(HeadTable("codes", "fsq", {"levels": "2x24"}),),
        objectives=(
            ObjectiveTable("right", "pairs", "codes", "info_nce"),
            ObjectiveTable("lists", "pairs", "codes", "kl_in_batch", teacher="base"),
        ),
        teachers=(TeacherTable("base", model=str(tiny)),),
    )


def test_queries_are_projected_and_the_rest_is_coded(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "out", engine=engine_name, **SIGNS))
    model = load(tmp_path / "out", engine=engine_name, dtype="float32")
    head = model.heads["codes"]
    assert (head.query, head.gradient, len(head.levels)) == ("float", "noise", 24)
    texts = ["sort a list", "open a socket"]
    plain = model.encode(texts)
    query, document = model.encode_query(texts, head="codes"), model.encode_document(texts, head="codes")
    assert set(np.unique(document)) == {-1, 1} and len(np.unique(query)) == query.size
    weights = weights_of(tmp_path / "out")
    np.testing.assert_allclose(query, plain @ weights["heads.safetensors:codes.query.weight"].T, atol=1e-4)
    # Digits are those of the code, whoever asks.
    np.testing.assert_array_equal(model.digits(texts, head="codes", prompt_name="query"), (document + 1) // 2)


def test_digits_begin_in_balance(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    said: list[str] = []
    settings = SIGNS | {"iters": 1, "head_learning_rate": 1e-9, "learning_rate": 1e-9, "engine": engine_name}
    train(recipe(tiny, pairs, tmp_path / "out", **settings), callbacks=[Callbacks(note=said.append)])
    assert any("Head codes: begins at" in text for text in said)
    model = load(tmp_path / "out", engine=engine_name, dtype="float32")
    texts = [text for line in pairs.read_text().splitlines() for text in json.loads(line).values()]
    ones = model.digits(texts, head="codes").mean(0)
    assert ones.min() > 0.2 and ones.max() < 0.8


@pytest.mark.parametrize("kind", ["full", "heads"])
def test_both_engines_end_alike(two_engines: tuple[str, str], kind: str, tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        train(recipe(tiny, pairs, tmp_path / name, engine=name, train=kind, **SIGNS | {"learning_rate": None}))
    first, second = (weights_of(tmp_path / name) for name in two_engines)
    for name in (name for name in first if name.startswith("heads.")):
        np.testing.assert_allclose(second[name], first[name], atol=2e-3 * np.abs(first[name]).max(), err_msg=name)


@pytest.mark.parametrize("step", [2, 4])
def test_a_stopped_run_draws_the_same_noise(tiny: Path, pairs: Path, tmp_path: Path, step: int):
    train(recipe(tiny, pairs, tmp_path / "whole", **SIGNS))
    with pytest.raises(StoppedError):
        train(recipe(tiny, pairs, tmp_path / "cut", **SIGNS), callbacks=[stop_after(step)])
    train(recipe(tiny, pairs, tmp_path / "cut", **SIGNS), resume=True)
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    assert all(np.array_equal(cut[name], array) for name, array in whole.items())


def test_codes_learn_from_the_model_s_own_lists(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(tables(tiny, pairs, tmp_path / "out", engine=engine_name))
    rows = metrics(tmp_path / "out")
    # Codes tell less than the vectors do, so the lists differ; neither loss is all of the sum.
    assert all(0 < row["loss/lists"] < row["loss"] for row in rows)
    assert {"codes.projection.weight", "codes.query.weight"} <= {
        name.partition(":")[2] for name in weights_of(tmp_path / "out") if name.startswith("heads.")
    }
    # The vectors are those that they were.
    before, after = (load(path, engine=engine_name, dtype="float32") for path in (tiny, tmp_path / "out"))
    np.testing.assert_allclose(after.encode(["sort a list"]), before.encode(["sort a list"]), atol=1e-6)


def test_evaluation_asks_as_training_did(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "out", engine=engine_name, **SIGNS))
    model, rows = load(tmp_path / "out", engine=engine_name, dtype="float32"), read(str(pairs))
    line = next(line for line in measure_model(model, rows, codes=["codes"]) if line["name"] == "codes")
    assert line["bytes_per_vector"] == 3
    assert line["ndcg@10"] == pytest.approx(by_hand(model, rows), abs=1e-6)


def by_hand(model: object, rows: Kinds) -> float:
    queries = model.encode_query(rows.rows.queries, head="codes")
    stored = model.encode_document(rows.rows.corpus, head="codes")
    found = []
    for scores, relevant in zip(queries @ stored.T, rows.rows.relevant, strict=True):
        order = np.argsort(-scores, kind="stable")[:10]
        gains = [1 / np.log2(at + 2) for at, row in enumerate(order) if row in relevant]
        best = sum(1 / np.log2(at + 2) for at in range(min(10, len(relevant))))
        found.append(sum(gains) / best)
    return float(np.mean(found))


def test_a_query_is_asked_for_what_it_is():
    values = np.arange(6.0).reshape(3, 2)
    output = Output("code", np.sign(values), asking=values)
    np.testing.assert_array_equal(asked(take(output, np.array([2, 0]))).values, values[[2, 0]])
    np.testing.assert_array_equal(take(output, np.array([2, 0])).values, np.sign(values)[[2, 0]])
    assert asked(Output("vector", values)).values is values and detached(output).asking is not None


def test_noise_is_a_step_s_and_within_a_quarter_of_a_level():
    head = Fsq(4, (2, 4, 5), "float", "noise")
    noise = head.noise(1_000, (0, 3, 0))
    assert noise.shape == (1_000, 3) and 0.24 < np.abs(noise).max() <= 0.25
    np.testing.assert_array_equal(noise, head.noise(1_000, (0, 3, 0)))
    assert not np.array_equal(noise, head.noise(1_000, (0, 4, 0)))
    assert Fsq(4, (2,)).noise(3, (0,)) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query": "flaot"}, "query = 'flaot', expected code or float"),
        ({"gradient": "rotation"}, "gradient = 'rotation', expected straight_through or noise"),
        ({"start": "pac"}, "start = 'pac' is not known"),
        ({"start": "prefix", "levels": "2x40"}, "start = 'prefix' has 32 features for 40 digits"),
    ],
)
def test_what_a_code_head_can_not_be(settings: dict, message: str, tiny: Path, pairs: Path, tmp_path: Path):
    given = tables(tiny, pairs, tmp_path / "out")
    head = HeadTable("codes", "fsq", {"levels": "2x24"} | settings)
    with pytest.raises(CallError, match=message):
        train(Recipe(**{name: getattr(given, name) for name in given.__dataclass_fields__} | {"heads": (head,)}))
    assert not (tmp_path / "out").exists()


def test_codes_of_queries_from_the_command_line(tiny: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    train(recipe(tiny, pairs, tmp_path / "out", **SIGNS))
    said = {}
    for prompt in ("query", "document"):
        words = ["embed", tmp_path / "out", "sort a list", "--head", "codes", "--prompt", prompt, "--json"]
        status, out, err = call(capsys, *words)
        assert status == 0, err
        (said[prompt],) = json.loads(out)["rows"]
    assert set(said["document"]["codes"]) == {0, 1} and len(said["query"]["embedding"]) == 24
