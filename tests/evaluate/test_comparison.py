"""Models on the same data: figures, the difference to the first, bytes; and what is refused before anything is read."""

import json
import shutil

import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed import embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.codes import files as stored_codes
from mlx_metaembed.codes import kinds
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import bootstrap, code_fit
from mlx_metaembed.evaluate.comparison import compare, require_comparable, texts
from mlx_metaembed.evaluate.model import encode, full_width
from mlx_metaembed.evaluate.read import read
from mlx_metaembed.folder.weight_files import bytes_on_disk
from mlx_metaembed.search import fingerprint

COSTS = ["latency_median_s", "latency_p95_s", "texts_per_second", "tokens_per_second"]


@pytest.fixture
def other(tmp_path):
    return tiny_folder(tmp_path / "other", seed=1, config={"hidden_size": 16})


def test_a_row_per_model_and_data_with_the_difference_to_the_first(engine_name, tiny, other, pairs, tmp_path):
    scored = tmp_path / "scored.csv"
    scored.write_text("sentence1,sentence2,score\nopen a socket,sort a list,3\na file,two paths,4\none,many,0\n")
    tasks = {"scored": read(scored), "pairs": read(pairs)}
    done = []
    rows = compare([str(tiny), str(other)], tasks, engine=engine_name, draws=50, progress=done.append)
    assert [(row["data"], row["name"], row["task"], row["dimensions"], row["bytes_per_vector"]) for row in rows] == [
        ("scored", str(tiny), "sts", 32, 128),
        ("scored", str(other), "sts", 16, 64),
        ("pairs", str(tiny), "retrieval", 32, 128),
        ("pairs", str(other), "retrieval", 16, 64),
    ]
    assert sum(done) == texts([str(tiny), str(other)], tasks) == 2 * (6 + 6 + 48 + 2 * 6 + 80 + 40 + 48 + 2 * 40)
    assert all(row["engine"] == engine_name and all(row[name] > 0 for name in COSTS) for row in rows)
    first, second = rows[2:]
    assert not [name for name in first if "difference" in name or name.endswith("_p")]
    judged = []
    for path in (tiny, other):
        model = embedder.load(path, engine=engine_name)
        judged.append(tasks["pairs"].judge(full_width(model, encode(model, tasks["pairs"])), ["ndcg@10"]))
    assert (first["ndcg@10"], second["ndcg@10"]) == tuple(each.figures(None)["ndcg@10"] for each in judged)
    assert second["ndcg@10_low"] <= second["ndcg@10"] <= second["ndcg@10_high"]
    expected = bootstrap.differences(*judged, draws=50)
    ends = ("difference", "difference_low", "difference_high", "p")
    assert [second[f"ndcg@10_{end}"] for end in ends] == [expected[f"ndcg@10_{end}"] for end in ends]
    assert second["ndcg@10_difference"] == second["ndcg@10"] - first["ndcg@10"]


def test_the_difference_is_to_the_first_and_a_copy_has_none(tiny, other, pairs, tmp_path):
    copy = shutil.copytree(tiny, tmp_path / "copy")
    models = [str(tiny), str(other), str(copy)]
    _, second, third = compare(models, {"pairs": read(pairs)}, engine="mlx", draws=20)
    assert second["mrr@10_difference"] != 0
    ends = ("difference", "difference_low", "difference_high", "p")
    assert [third[f"mrr@10_{end}"] for end in ends] == [0.0, 0.0, 0.0, 1.0]


def test_widths_and_codes_are_compared_with_the_first_row_and_with_the_best(engine_name, tiny, other, pairs):
    notes: list[str] = []
    settings = {"dims": (32, 16), "codes": ("int8",), "engine": engine_name, "draws": 20, "note": notes.append}
    rows = compare([str(tiny), str(other)], {"pairs": read(pairs)}, **settings)
    assert [(row["name"], row["vector"], row["bytes_per_vector"]) for row in rows] == [
        (str(tiny), "32", 128),
        (str(tiny), "int8@32", 32),
        (str(tiny), "16", 64),
        (str(tiny), "int8@16", 16),
        (str(other), "16", 64),
        (str(other), "int8@16", 16),
    ]
    assert notes[0] == f"{other} has no 32"
    assert all(row["ndcg@10_difference"] == row["ndcg@10"] - rows[0]["ndcg@10"] for row in rows[1:])
    best = max(row["ndcg@10"] for row in rows)
    assert [row["behind_best"] for row in rows] == pytest.approx([row["ndcg@10"] - best for row in rows])
    assert all(row["behind_best_low"] <= row["behind_best"] <= row["behind_best_high"] for row in rows)
    # Of one model the speed is one.
    assert rows[0]["latency_median_s"] == rows[3]["latency_median_s"]


def test_a_code_that_was_fitted_to_a_model_is_compared(tiny, other, pairs, tmp_path):
    own = shutil.copytree(tiny, tmp_path / "own")
    model = embedder.load(own, dtype="float32")
    vectors = model.encode([f"{text} {at}" for text in TEXTS for at in range(8)])
    codec = kinds.fit("pca-binary", vectors, 3)
    fitted = {"model": fingerprint.of(model.folder), "fitted": {}}
    stored_codes.save(codec, code_fit.room(model.folder) / "short", **fitted)
    notes: list[str] = []
    rows = compare([str(own), str(other)], {"pairs": read(str(pairs))}, codes=("short",), draws=0, note=notes.append)
    assert [(row["name"], row["vector"], row["bytes_per_vector"]) for row in rows] == [
        (str(own), "32", 128), (str(own), "short", 3), (str(other), "16", 64)
    ]  # fmt: skip
    assert notes[0] == f"{other} has no short"


def test_a_model_that_the_engine_refuses_is_refused_before_any_is_measured(engine_name, tiny, pairs, tmp_path):
    wide = shutil.copytree(tiny, tmp_path / "wide")
    settings = json.loads((wide / "config.json").read_text())
    (wide / "config.json").write_text(json.dumps(settings | {"intermediate_size": 48}))
    done, notes = [], []
    with pytest.raises(CallError, match="intermediate"):
        compare(
            [str(tiny), str(wide)], {"pairs": read(pairs)}, engine=engine_name, progress=done.append, note=notes.append
        )
    assert done == notes == []


def test_without_draws_there_are_no_intervals(tiny, other, pairs):
    _, second = compare([str(tiny), str(other)], {"pairs": read(pairs)}, engine="mlx", draws=0)
    assert "ndcg@10_difference" in second
    assert not [name for name in second if name.endswith(("_low", "_high", "_p"))]


def test_thresholds_are_not_compared(tiny, other, tmp_path):
    judged = tmp_path / "judged.csv"
    judged.write_text("sentence1,sentence2,label\nopen a socket,sort a list,1\na file,two paths,0\none,many,1\n")
    _, second = compare([str(tiny), str(other)], {"judged": read(judged)}, engine="mlx", draws=5)
    assert "f1_threshold" in second
    assert [name for name in second if name.endswith("_difference")] == [
        "ap_difference",
        "f1_difference",
        "accuracy_difference",
    ]


def test_bytes_on_disk_are_those_of_weights_and_tokenizer(tiny, tmp_path):
    run = shutil.copytree(tiny, tmp_path / "run")
    shutil.copytree(tiny, run / "checkpoints" / "step-1")
    files = [tiny / "model.safetensors", tiny / "tokenizer.json"]
    assert bytes_on_disk(folders.read(run)) == sum(path.stat().st_size for path in files)


def test_fewer_than_two_models_and_one_named_twice_are_refused():
    with pytest.raises(CallError, match="Found 1 model to compare; expected two or more"):
        require_comparable(["a"])
    with pytest.raises(CallError, match=r"^a is named twice; expected different models$"):
        require_comparable(["a", "b", "a"])


def test_every_model_that_can_not_be_measured_is_named(tiny, tmp_path):
    empty = shutil.copytree(tiny, tmp_path / "empty")
    (empty / "model.safetensors").unlink()
    ends = shutil.copytree(tiny, tmp_path / "ends")
    late = json.loads((ends / "modules.json").read_text())
    late[1] = {"idx": 1, "name": "1", "path": "1_Splade", "type": "sentence_transformers.models.Nothing"}
    (ends / "modules.json").write_text(json.dumps(late))
    with pytest.raises(CallError) as error:
        require_comparable([str(tiny), str(empty), str(ends), str(tmp_path / "nope")])
    lines = str(error.value).splitlines()
    assert lines[0] == "These models can't be compared:"
    assert [line.partition(": ")[0] for line in lines[1:] if line.startswith("  - /")] == [
        f"  - {empty}",
        f"  - {ends}",
        f"  - {tmp_path / 'nope'}",
    ]
