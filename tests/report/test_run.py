"""The page of a run: `train` leaves it, `report` measures the run beside its base and keeps what it found."""

import json
import shutil
from pathlib import Path

import pytest
from calls import refused, run
from pages import Page
from tiny import tiny_folder

from mlx_metaembed import report
from mlx_metaembed.files import disk
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, train


def trained(base: Path, pairs: Path, out: Path, **settings: object) -> Path:
    common = {"batch_size": 8, "epochs": 1, "engine": "mlx", "dtype": "float32", "matryoshka": (32, 8), "fsq": "4x8"}
    result = train(Recipe(model=str(base), data=str(pairs), out=str(out), **common | settings), callbacks=[Callbacks()])
    assert (result.rows, result.report) == (40, str(out / "report.html"))
    return out


def test_training_leaves_its_page(tiny: Path, pairs: Path, tmp_path: Path):
    out = trained(tiny, pairs, tmp_path / "mine")
    page = Page((out / "report.html").read_text())
    assert page.text("h1") == ["mine"] and page.text("p")[0] == "tiny, fine-tuned on pairs.jsonl (40 rows)"
    names = {"Base model", "Trained", "Widths", "Code head", "Peak memory", "Planned memory", "Memory budget"}
    assert {*names, "Loss, last tenth of the steps"} <= set(page.text("dt"))
    shown = page.text("dd")
    assert {"every parameter", "32, 8", "FSQ 4x8", "InfoNCE", "8 GB"} <= set(shown)
    assert any(value.startswith("MLX on ") for value in shown)
    panels = [name for name in page.text("b") if name.startswith("Loss")]
    assert panels == ["Loss", "Loss of dense", "Loss of codes", "Loss by width"]
    assert page.text("code") == [f"metaembed report {out} --eval held-out.jsonl"]
    assert disk.read_json(out / "metaembed/result.json")["steps"] == 5


def test_the_verb_measures_base_and_run_and_keeps_what_it_found(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path
):
    out = trained(tiny, pairs, tmp_path / "mine")
    second = tmp_path / "sts.csv"
    second.write_text("sentence1,sentence2,score\n" + "".join(f"open a socket,join {row},{row}\n" for row in range(9)))
    words = ["--eval", pairs, "--eval", second, "--engine", engine_name, "--json"]
    done = json.loads(run("report", out, *words).stdout)
    assert done["report"] == str(out / "report.html")
    names = [each["data"] for each in done["evaluations"]]
    assert names == ["pairs.jsonl", "sts.csv"]
    rows = {row["name"]: row for row in done["evaluations"][0]["rows"]}
    both = [
        f"{stage}@{name}" for stage in ("before", "after") for name in ("32", "int8@32", "binary@32", "8", "int8@8")
    ]
    assert {*both, "after@codes"} <= rows.keys() and "before@codes" not in rows
    measured = json.loads(run("eval", out, "--data", pairs, "--dims", "8", "--engine", engine_name, "--json").stdout)
    assert rows["after@8"]["ndcg@10"] == pytest.approx(measured["rows"][0]["ndcg@10"])
    answers = done["evaluations"][0]["answers"]
    assert len(answers) == 6 and answers[0]["query"] == json.loads(pairs.read_text().splitlines()[0])["anchor"]
    for answer in answers:
        for stage in ("before", "after"):
            right = [rank for rank, hit in enumerate(answer[stage], 1) if hit["right"]]
            assert len(answer[stage]) == 3 and all(rank == answer[f"right_{stage}"] for rank in right)
    assert done["evaluations"][1]["answers"] == []
    page = Page((out / "report.html").read_text())
    headings = [heading for heading in page.text("h2") if heading.startswith(("Results", "Answers"))]
    assert headings == ["Results on pairs.jsonl", "Answers from pairs.jsonl", "Results on sts.csv"]
    for each, groups in zip(done["evaluations"], (3, 2), strict=True):
        assert [(found["stage"], len(found["groups"])) for found in each["scores"]] == [
            *(("before", groups), ("after", groups))
        ]
    assert done["evaluations"][0]["neighbours"]["queries"] == 40 and done["evaluations"][1]["neighbours"] is None
    assert "The hardest mistakes on sts.csv" in page.text("h2") and len(done["evaluations"][1]["mistakes"]) == 6
    # A later page shows what was measured before, and the same data again takes its place.
    run("report", out, "--output", tmp_path / "other.html")
    assert Page((tmp_path / "other.html").read_text()).text("h2") == page.text("h2")
    again = json.loads(run("report", out, "--eval", pairs, "--dims", "8", "--json", "--engine", engine_name).stdout)
    assert [each["data"] for each in again["evaluations"]] == ["sts.csv", "pairs.jsonl"]


def test_a_run_of_several_sets_says_each(tiny: Path, pairs: Path, tmp_path: Path):
    tables = {"sources": (DataTable("first", str(pairs)), DataTable("second", str(pairs)))}
    tables["objectives"] = tuple(ObjectiveTable(name, name, loss="info_nce") for name in ("first", "second"))
    out = tmp_path / "mine"
    settings = {"batch_size": 8, "epochs": 1, "engine": "mlx", "dtype": "float32"}
    train(Recipe(model=str(tiny), out=str(out), **settings, **tables), callbacks=[])
    page = Page((out / "report.html").read_text())
    assert page.lines[0][:3] == ["Data set", "Rows", "Share of the steps"]
    assert [line[:3] for line in page.lines[1:3]] == [["first", "40", "50 %"], ["second", "40", "50 %"]]
    assert [name for name in page.text("b") if name.startswith("Loss")] == ["Loss on first", "Loss on second"]
    found = json.loads(run("report", out, "--json").stdout)["data_sets"]
    assert found == disk.read_json(out / "metaembed/result.json")["data_sets"]
    assert [(each["name"], each["rows"], each["share"]) for each in found] == [("first", 40, 0.5), ("second", 40, 0.5)]


def test_a_run_is_measured_by_the_task_that_is_named(tiny: Path, pairs: Path, tmp_path: Path):
    out = trained(tiny, pairs, tmp_path / "mine")
    labelled = tmp_path / "labelled.csv"
    labelled.write_text("words,kind\n" + "".join(f"open a socket {row},{'ab'[row % 2]}\n" for row in range(12)))
    words = ["--eval", labelled, "--columns", "text=words,label=kind", "--engine", "mlx", "--bootstrap", "30"]
    done = json.loads(run("report", out, *words, "--task", "clustering", "--json").stdout)
    (found,) = done["evaluations"]
    assert (found["task"], found["note"]) == ("clustering", "12 texts, 2 labels")
    (after,) = (row for row in found["rows"] if row["name"] == "after@32")
    assert after["v_measure_low"] <= after["v_measure"] <= after["v_measure_high"] and 0 < after["v_measure_p"] <= 1
    page = Page((out / "report.html").read_text())
    assert "Results on labelled.csv" in page.text("h2")
    assert "V-measure" in page.text("b") and any(" to " in text for text in page.text("span"))
    # By another task it is another evaluation, and by the same one it takes the place.
    for task in ("classification", "clustering"):
        done = json.loads(run("report", out, *words, "--task", task, "--json").stdout)
    assert [each["task"] for each in done["evaluations"]] == ["classification", "clustering"]
    headings = set(Page((out / "report.html").read_text()).text("h2"))
    assert {"Results on labelled.csv, classification", "Results on labelled.csv, clustering"} <= headings


def test_a_run_without_its_base_is_measured_alone(pairs: Path, tmp_path: Path):
    base = tiny_folder(tmp_path / "base")
    out = trained(base, pairs, tmp_path / "mine")
    base.rename(tmp_path / "moved")
    done = run("report", out, "--eval", pairs, "--engine", "mlx", "--json")
    assert "Without before: the base can't be found; name it with --base" in done.stderr
    names = {row["name"].partition("@")[0] for row in json.loads(done.stdout)["evaluations"][0]["rows"]}
    assert names == {"after"}
    found = json.loads(
        run("report", out, "--eval", pairs, "--engine", "mlx", "--json", "--base", tmp_path / "moved").stdout
    )
    assert found["evaluations"][0]["rows"][0]["name"] == "before@32"


def test_a_moved_adapter_finds_its_base(pairs: Path, tmp_path: Path):
    (tmp_path / "here").mkdir()
    base = tiny_folder(tmp_path / "here/base")
    out = trained(base, pairs, tmp_path / "here/mine", train="lora", fsq="")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there/mine"
    assert not out.exists()
    found = json.loads(run("report", moved, "--eval", pairs, "--engine", "mlx", "--json").stdout)
    assert found["evaluations"][0]["rows"][0]["name"] == "before@32"


def test_an_unfinished_run_has_a_page_too(tiny: Path, pairs: Path, tmp_path: Path):
    from runs import stop_after

    from mlx_metaembed.errors import JobError

    out = tmp_path / "out"
    with pytest.raises(JobError):
        train(
            Recipe(model=str(tiny), data=str(pairs), out=str(out), batch_size=8, iters=5, engine="mlx"),
            callbacks=[stop_after(2)],
        )
    assert not (out / "report.html").exists()
    run("report", out)
    assert "at step 2 of 5" in Page((out / "report.html").read_text()).text("p")[0]


def test_a_page_that_cannot_be_written_fails_no_run(tiny: Path, pairs: Path, tmp_path: Path, monkeypatch):
    from mlx_metaembed.errors import JobError

    def full(*_: object, **__: object) -> Path:
        raise JobError("Could not write: No space left on device")

    monkeypatch.setattr("mlx_metaembed.report.run.write", full)
    notes: list[str] = []
    recipe = Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "out"), batch_size=8, epochs=1, engine="mlx")
    assert train(recipe, callbacks=[Callbacks(note=notes.append)]).report is None
    assert notes[-1].startswith("The run is whole, but its page is not: Could not write")
    assert (tmp_path / "out/modules.json").is_file()


def test_wrong_calls_say_what_was_expected(tiny: Path, pairs: Path, tmp_path: Path):
    assert "expected the folder that `metaembed train --out` wrote" in refused("report", tmp_path / "none")
    assert "holds no run: it has no metaembed/recipe.toml" in refused("report", tiny)
    out = trained(tiny, pairs, tmp_path / "mine")
    assert "--dims belongs to --eval" in refused("report", out, "--dims", "8")
    assert "none.jsonl" in refused("report", out, "--eval", tmp_path / "none.jsonl")
    before = (out / "report.html").read_text()
    assert "Width 64" in refused("report", out, "--eval", pairs, "--dims", "64", "--engine", "mlx")
    assert (out / "report.html").read_text() == before and report.evaluations(out) == []


def test_what_was_kept_may_be_broken(tiny: Path, pairs: Path, tmp_path: Path):
    out = trained(tiny, pairs, tmp_path / "mine", iters=1)
    for text in ('{"evaluations": [1]}', '{"evaluations": [{"data": "d", "rows": "x", "answers": []}]}'):
        (out / "metaembed/evaluations.json").write_text(text)
        run("report", out)
    for text, message in (("{", "not JSON"), ("[]", "expected an object")):
        (out / "metaembed/evaluations.json").write_text(text)
        assert message in refused("report", out)
    shutil.rmtree(out)
