"""A run beside its base, by every task: rows with what changed and its interval, and what the page shows of them."""

import json
from pathlib import Path

import pytest
from pages import Page
from tiny import TEXTS, tiny_folder

from mlx_metaembed import load, report
from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.compared import compared
from mlx_metaembed.evaluate.model import measure_model, measured, texts_to_encode
from mlx_metaembed.evaluate.read import read
from mlx_metaembed.evaluate.tasks import TASKS

WORDS = " ".join(TEXTS).split()
ROWS = [(" ".join(WORDS[at : at + 4]), " ".join(WORDS[at + 2 : at + 7])) for at in range(24)]
MADE = {
    "retrieval": [{"anchor": one, "positive": two} for one, two in ROWS],
    "sts": [{"sentence1": one, "sentence2": two, "score": at % 5} for at, (one, two) in enumerate(ROWS)],
    "pair_classification": [
        {"sentence1": one, "sentence2": two, "label": at % 2} for at, (one, two) in enumerate(ROWS)
    ],
    "classification": [{"text": one, "label": "ab"[at % 2]} for at, (one, _) in enumerate(ROWS)],
    "clustering": [{"text": one, "label": "ab"[at % 2]} for at, (one, _) in enumerate(ROWS)],
    "reranking": [
        {"query": one, "positives": [two], "negatives": [ROWS[at - 1][1], ROWS[at - 2][1]]}
        for at, (one, two) in enumerate(ROWS)
    ],
    "bitext": [{"sentence1": one, "sentence2": two} for one, two in ROWS],
}
CODES = ("", "int8@", "binary@")
SHOWN = {"retrieval", "bitext"}
"""Tasks with questions and answers."""


def written(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", list(TASKS))
def test_every_task_is_measured_before_and_after(engine_name, tiny, tmp_path, name):
    task = read(written(tmp_path / f"{name}.jsonl", MADE[name]), task=name)
    other = tiny_folder(tmp_path / "other", seed=2)
    done: list[int] = []
    models = [lambda: load(tiny, engine=engine_name), lambda: load(other, engine=engine_name)]
    settings = {"widths": (8,), "data": "rows.jsonl", "progress": done.append, "draws": 20}
    found = compared(*models, task, **settings)
    assert sum(done) == 2 * texts_to_encode(task) and found["task"] == name
    names = [f"{stage}@{code}{width}" for stage in ("before", "after") for width in (32, 8) for code in CODES]
    assert [row["name"] for row in found["rows"]] == names
    rows = {row["name"]: row for row in found["rows"]}
    for stage, model in zip(("before", "after"), models, strict=True):
        (line,) = measure_model(model(), task, draws=20)
        assert rows[f"{stage}@32"].items() >= {key: value for key, value in line.items() if key != "name"}.items()
    (one,), (two,) = (measured(model(), task) for model in models)
    drawn = bootstrap.differences(one.judgement, two.judgement, draws=20)
    for figure in task.figures:
        for ending in ("difference", "difference_low", "difference_high", "p"):
            assert rows["after@32"][f"{figure}_{ending}"] == drawn[f"{figure}_{ending}"]
    assert not [key for key in rows["before@32"] if "difference" in key]
    assert len(found["answers"]) == (6 if name in SHOWN else 0)
    assert [each["stage"] for each in found["scores"]] == ["before", "after"]
    assert (found["neighbours"] is None) == (name in ("sts", "pair_classification", "reranking"))
    assert found["mistakes"]
    page = Page(report.page(title="A run", evaluations=[found]))
    headings = {"Results on rows.jsonl", "The hardest mistakes on rows.jsonl"}
    assert headings <= set(page.text("h2")) and page.lines[0] == ["Vector", "Bytes", "After", "Change", "Before"]


def test_texts_to_learn_from_have_their_neighbours(tiny, tmp_path):
    rows = MADE["classification"]
    test, train = written(tmp_path / "test.jsonl", rows[:12]), written(tmp_path / "train.jsonl", rows[12:])
    task = read(test, train=train)
    found = compared(None, lambda: load(tiny, engine="mlx"), task, widths=(), data="test.jsonl", progress=[].append)
    assert found["note"] == "12 texts, 2 labels, 12 training texts"
    assert [row["name"] for row in found["rows"]] == ["after@32", "after@int8@32", "after@binary@32"]
    assert found["mistakes"][0]["nearest"]["text"] in {row["text"] for row in rows[12:]}


def test_the_text_that_a_query_is_itself_is_no_answer_to_it(tiny, tmp_path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    written(folder / "corpus.jsonl", [{"_id": f"d{at}", "text": text} for at, text in enumerate(TEXTS)])
    written(folder / "queries.jsonl", [{"_id": f"d{at}", "text": text} for at, text in enumerate(TEXTS[:2])])
    (folder / "qrels" / "test.tsv").write_text("d0\td1\t1\nd1\td2\t1\n")
    shown = {}
    for ignored in (True, False):
        task = read(folder, ignore_identical_ids=ignored)
        found = compared(None, lambda: load(tiny, engine="mlx"), task, widths=(), data="beir", progress=[].append)
        shown[ignored] = [answer["after"][0]["text"] for answer in found["answers"]]
    assert shown[False] == TEXTS[:2] and not set(shown[True]) & {TEXTS[0]} and shown[True][1] != TEXTS[1]
