"""Which task rows are for: by their columns, by name, by a figure; and what is refused."""

import json
from pathlib import Path

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.read import WANTED, allowed, read
from mlx_metaembed.evaluate.tasks import TASKS

PAIRS = [{"anchor": f"a{n}", "positive": f"p{n}"} for n in range(3)]
ROWS = {
    "retrieval": PAIRS,
    "sts": [{"sentence1": f"a{n}", "sentence2": f"b{n}", "score": n} for n in range(3)],
    "pair_classification": [{"sentence1": f"a{n}", "sentence2": f"b{n}", "label": n % 2} for n in range(4)],
    "classification": [{"text": f"t{n}", "label": f"l{n % 2}"} for n in range(4)],
    "bitext": [{"sentence1": f"a{n}", "sentence2": f"b{n}"} for n in range(3)],
}
LISTS = [{"query": "q", "positives": ["a", "b"], "negatives": ["c"]}]


def written(folder: Path, rows: list[dict]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", ROWS)
def test_the_columns_say_what_rows_are_for(tmp_path, name):
    assert read(written(tmp_path, ROWS[name])).name == name


@pytest.mark.parametrize(
    ("rows", "name", "counts"),
    [
        (LISTS, "reranking", {"queries": 1, "candidates": 3}),
        (ROWS["classification"], "clustering", {"texts": 4, "labels": 2}),
        (PAIRS, "bitext", {"pairs": 3}),
        (ROWS["pair_classification"], "retrieval", {"queries": 2, "corpus": 2}),
        (ROWS["pair_classification"], "sts", {"pairs": 4}),
    ],
)
def test_a_name_overrides_them(tmp_path, rows, name, counts):
    found = read(written(tmp_path, rows), task=name)
    assert (found.name, found.counts) == (name, counts)


def test_a_figure_chooses_among_what_the_columns_allow(tmp_path):
    path = written(tmp_path, ROWS["classification"])
    assert read(path, figure="v_measure").name == "clustering"
    assert read(path, figure="logistic_macro_f1").name == read(path, figure="nothing").name == "classification"
    assert read(written(tmp_path, LISTS), figure="map").name == "reranking"


def test_every_task_asks_for_columns_and_names_figures():
    assert list(WANTED) == list(TASKS)
    names = {name: TASKS[name].names_of((1, 10)) for name in TASKS}
    assert names["retrieval"][:6] == ("ndcg@1", "recall@1", "mrr@1", "map@1", "precision@1", "ndcg@10")
    assert all(len(set(each)) == len(each) > 1 for each in names.values())
    assert allowed(["sentence1", "sentence2", "label"])[0] == "pair_classification"


def test_words_of_nli_are_labels(tmp_path):
    words = ["entailment", "contradiction", "neutral"]
    rows = [{"premise": f"a{n}", "hypothesis": f"b{n}", "label": word} for n, word in enumerate(words)]
    found = read(written(tmp_path, rows), task="pair_classification")
    assert found.rows.together == [True, False] and "1 rows labelled neutral are left out" in found.notes


def test_training_texts_are_read_beside(tmp_path):
    train = tmp_path / "train.jsonl"
    train.write_text('{"text": "x", "label": "l0"}\n{"text": "y", "label": "l1"}\n')
    found = read(written(tmp_path, ROWS["classification"]), train=train)
    assert found.counts == {"texts": 4, "labels": 2, "training texts": 2}
    assert found.sides == ((["t0", "t1", "t2", "t3"], None), (["x", "y"], None))


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (PAIRS, {"task": "sts"}, "columns anchor, positive, which allow retrieval, bitext. sts takes sentence1"),
        (PAIRS, {"task": "clusterin"}, r"no task 'clusterin'; did you mean 'clustering'\? Tasks: retrieval, sts"),
        (PAIRS, {"train": "x"}, "is for retrieval; training texts are for classification"),
        (PAIRS, {"task": "reranking"}, "which allow retrieval, bitext. reranking takes query, positives"),
        ([{"text": "a", "label": "x"}] * 2, {}, "at least 2 different labels; found 1"),
        (ROWS["pair_classification"][::2], {}, "one class|both labels"),
        ([{"sentence1": "a", "sentence2": "b", "label": n} for n in (1, 7)], {}, "the labels '7'; expected 1 or 0"),
        (PAIRS[:1] * 2, {"task": "bitext"}, "at least 2 pairs that differ; found 1"),
        ([{"body": "a"}], {}, "columns 'body' fit no known shape"),
    ],
)
def test_what_can_t_be_measured_is_refused(tmp_path, rows, settings, message):
    with pytest.raises(CallError, match=message):
        read(written(tmp_path, rows), **settings)


def test_identical_ids_are_a_switch(tmp_path):
    folder = tmp_path / "beir"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "1", "text": "a"}\n{"_id": "2", "text": "b"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "1", "text": "a"}\n')
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n1\t2\t1\n")
    dropped, kept = read(folder), read(folder, ignore_identical_ids=False)
    assert "left out of their rankings" in dropped.notes[-1] and "stays in their rankings" in kept.notes[-1]
    assert list(dropped.shared) == ["a", "b"]
    with pytest.raises(CallError, match="is for retrieval, not for sts"):
        read(folder, task="sts")
