"""Residual code heads: where they begin, what trains, what comes out, on both engines and after a stop."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calls import call
from runs import metrics, stop_after, weights_of

from mlx_metaembed.codes.residual import Residual
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.evaluate.model import measure_model
from mlx_metaembed.evaluate.read import read
from mlx_metaembed.heads import Rvq, residual_start
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import Callbacks, train

TEXTS = ["sort a list", "open a socket", "walk a folder"]


def residual(tiny: Path, pairs: Path, out: Path, **settings: object) -> Recipe:
    """Codes of four stages that learn from pairs and from the base's own neighbours, of a frozen trunk."""
    common = {"model": str(tiny), "out": str(out), "train": "heads", "batch_size": 8, "iters": 4, "dtype": "float32"}
    return Recipe(
        **common | settings,
        sources=(DataTable("pairs", str(pairs)),),
        heads=(HeadTable("codes", "rvq", {"levels": "8x4"}),),
        objectives=(
            ObjectiveTable("right", "pairs", "codes", "info_nce"),
            ObjectiveTable("lists", "pairs", "codes", "kl_in_batch", teacher="base"),
        ),
        teachers=(TeacherTable("base", model=str(tiny)),),
    )


def of_run(out: Path) -> dict[str, np.ndarray]:
    """The head's arrays as a run wrote them."""
    start = "heads.safetensors:codes."
    return {name.removeprefix(start): array for name, array in weights_of(out).items() if name.startswith(start)}


def test_codes_begin_at_the_residual_code(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    said: list[str] = []
    given = residual(tiny, pairs, tmp_path / "out", iters=1, head_learning_rate=1e-9, engine=engine_name)
    train(given, callbacks=[Callbacks(note=said.append)])
    assert any("Head codes: begins at the residual code of" in text for text in said)
    model, arrays = load(tmp_path / "out", engine=engine_name, dtype="float32"), of_run(tmp_path / "out")
    vectors = model.encode(TEXTS)
    codec = Residual(32, arrays["mean"], arrays["codebooks"])
    np.testing.assert_array_equal(model.digits(TEXTS, head="codes"), codec.encode(vectors))
    stored = model.encode_document(TEXTS, head="codes")
    np.testing.assert_allclose(stored, codec.decode(codec.encode(vectors)), atol=1e-5)
    np.testing.assert_allclose(model.encode_query(TEXTS, head="codes"), vectors, atol=1e-5)


def test_all_of_it_trains_and_the_vectors_stay(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    for name, rate in (("begun", 1e-9), ("out", 1e-2)):
        given = residual(tiny, pairs, tmp_path / name, head_learning_rate=rate, engine=engine_name)
        train(replace(given, iters=1 if name == "begun" else 4))
    before, after = of_run(tmp_path / "begun"), of_run(tmp_path / "out")
    assert set(after) == {"projection.weight", "projection.bias", "mean", "codebooks", "query.weight"}
    assert all(np.abs(after[name] - before[name]).max() > 1e-3 for name in after)
    assert all(0 < row["loss/lists"] < row["loss"] for row in metrics(tmp_path / "out"))
    first, second = (load(path, engine=engine_name, dtype="float32").encode(TEXTS) for path in (tiny, tmp_path / "out"))
    np.testing.assert_allclose(first, second, atol=1e-6)


def test_both_engines_end_alike(two_engines: tuple[str, str], tiny: Path, pairs: Path, tmp_path: Path):
    for name in two_engines:
        train(residual(tiny, pairs, tmp_path / name, engine=name))
    first, second = (of_run(tmp_path / name) for name in two_engines)
    for name in first:
        np.testing.assert_allclose(second[name], first[name], atol=2e-3 * np.abs(first[name]).max(), err_msg=name)
    models = [load(tmp_path / two_engines[0], engine=name, dtype="float32") for name in two_engines]
    np.testing.assert_array_equal(*(model.digits(TEXTS, head="codes") for model in models))


def test_a_stopped_run_goes_on(tiny: Path, pairs: Path, tmp_path: Path):
    train(residual(tiny, pairs, tmp_path / "whole"))
    with pytest.raises(StoppedError):
        train(residual(tiny, pairs, tmp_path / "cut"), callbacks=[stop_after(2)])
    train(residual(tiny, pairs, tmp_path / "cut"), resume=True)
    whole, cut = (of_run(tmp_path / name) for name in ("whole", "cut"))
    assert all(np.array_equal(cut[name], array) for name, array in whole.items())


def test_evaluation_compares_float_queries_with_codes(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    train(residual(tiny, pairs, tmp_path / "out", engine=engine_name, train="full"))
    model, rows = load(tmp_path / "out", engine=engine_name, dtype="float32"), read(str(pairs))
    line = next(line for line in measure_model(model, rows, codes=["codes"]) if line["name"] == "codes")
    # Four digits of eight levels are 12 bits.
    assert line["bytes_per_vector"] == 2 and 0 < line["ndcg@10"] <= 1


def test_digits_from_the_command_line(tiny: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    train(residual(tiny, pairs, tmp_path / "out"))
    digits = load(tmp_path / "out").digits("sort a list", head="codes")
    said = {}
    for prompt in ("query", "document"):
        words = ["embed", tmp_path / "out", "sort a list", "--head", "codes", "--prompt", prompt, "--json"]
        status, out, err = call(capsys, *words)
        assert status == 0, err
        (said[prompt],) = json.loads(out)["rows"]
    assert said["document"]["codes"] == digits.tolist() and len(said["query"]["embedding"]) == 32
    status, _, err = call(capsys, "embed", tmp_path / "out", "sort a list", "--head", "codes", "--dims", "8")
    assert status == 2 and "a width of 8 can't be cut from it" in err


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"levels": "8,8,4"}, "levels hold 4 and 8; stages have equally many centroids"),
        ({"levels": "1x4"}, "expected levels of 2 to"),
        ({"levels": "8x300"}, "300 levels, expected 1 to 256 stages"),
        ({"query": "flaot"}, "query = 'flaot', expected code or float"),
        ({"start": "pca"}, "start = 'pca' is not known of an rvq head; known: auto"),
        ({"gradient": "noise"}, "unknown key 'gradient'; known: levels, query, start"),
        ({"levels": "256x4"}, "a stage of 256 centroids needs as many texts, and the run has"),
    ],
)
def test_what_a_residual_head_can_not_be(settings: dict, message: str, tiny: Path, pairs: Path, tmp_path: Path):
    given = residual(tiny, pairs, tmp_path / "out")
    with pytest.raises(CallError, match=message):
        train(replace(given, heads=(HeadTable("codes", "rvq", {"levels": "8x4"} | settings),)))
    assert not (tmp_path / "out").exists()


def test_a_head_of_its_own_shapes_and_a_start_at_random():
    head = Rvq(64, (32,) * 3)
    arrays = head.initial(0)
    assert {name: array.shape for name, array in arrays.items()} == head.shapes()
    lengths = np.linalg.norm(arrays["codebooks"], axis=2).mean(1)
    assert (np.diff(lengths) < 0).all()
    head = Rvq(6, (4,) * 3)
    begun = residual_start.begun(head, np.random.default_rng(0).standard_normal((40, 6)), 0)
    assert {name: array.shape for name, array in begun.items()} == head.shapes()
    assert "query.weight" not in Rvq(6, (4,), "code").shapes()


def test_a_prefix_of_a_code_is_a_code():
    """What the first stages stand for comes nearer with each."""
    x = np.random.default_rng(0).standard_normal((300, 6)).astype(np.float32)
    head = Rvq(6, (16,) * 4)
    arrays = residual_start.begun(head, x, 0)
    digits, found = head.coded(arrays, x), []
    for stages in range(1, 5):
        sums = sum(arrays["codebooks"][at][digits[:, at]] for at in range(stages))
        found.append(np.mean((x - arrays["mean"] - sums) ** 2))
    assert (np.diff(found) < 0).all()
