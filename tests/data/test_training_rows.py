"""Rows to train on: what is asked decides how a source is read."""

import numpy as np
import pytest
from asks import CANDIDATES, JUDGED, LABELLED, PAIRS, RATED, SCORED, TEXTS, TRIPLETS, fault, same, wrote

from mlx_metaembed import data


@pytest.fixture
def write(tmp_path):
    return lambda *rows, name="rows.jsonl": wrote(tmp_path / name, rows)


@pytest.mark.parametrize("both", [("anchor", "positive"), ("query", "answer"), ("premise", "hypothesis")])
def test_pairs_are_what_reading_gives(write, both):
    first, second = both
    extra = {"label": "entailment"} if first == "premise" else {}
    path = write({first: "a", second: "p", **extra}, {first: "b", second: "q", **extra})
    same(data.read_rows(path, **PAIRS), {"anchor": ["a", "b"], "positive": ["p", "q"]})


def test_negatives_are_a_tuple_a_row_and_left_out_where_there_are_none(write):
    path = write(
        {"anchor": "a", "positive": "p", "negatives": ["n", "m"]}, {"anchor": "b", "positive": "q", "negatives": []}
    )
    assert data.read_rows(path, **PAIRS).texts["negative"] == [("n", "m"), ()]
    found = (
        f"{path}, row 2 has no negative, and the triplet loss needs one in every row; add it, or use --loss info_nce"
    )
    assert fault(data.read_rows, path, **TRIPLETS) == found
    path = write({"anchor": "a", "positive": "p", "negatives": []}, {"anchor": "b", "positive": "q", "negatives": []})
    assert "negative" not in data.read_rows(path, **PAIRS).texts


def test_labels_beside_pairs_say_which_are_pairs(write):
    rows = [("a", "p", 1), ("a", "n", 0), ("b", "q", 1)]
    path = write(*({"anchor": anchor, "positive": text, "label": label} for anchor, text, label in rows))
    same(data.read_rows(path, **PAIRS), {"anchor": ["a", "b"], "positive": ["p", "q"], "negative": [("n",), ()]})


def test_the_training_judgements_of_a_beir_folder_and_all_its_texts(tmp_path):
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "1", "text": "x"}\n{"_id": "2", "title": "T", "text": "y"}\n{"_id": "3", "text": "z"}\n'
    )
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a"}\n{"_id": "r", "text": "b"}\n')
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "train.tsv").write_text("q\t2\t1\nr\t2\t0\nr\t1\t1\n")
    (tmp_path / "qrels" / "test.tsv").write_text("q\t1\t1\n")
    same(data.read_rows(tmp_path, **PAIRS), {"anchor": ["a", "b"], "positive": ["T y", "x"]})
    same(data.read_rows(tmp_path, **TEXTS), {"text": ["a", "T y", "b", "x", "z"]})
    assert fault(data.read_rows, tmp_path, **LABELLED) == (
        f"{tmp_path} has the columns anchor, positive, and lacks what is asked; taken are (text, label). "
        "Such rows train with info_nce, gist, triplet, mega_batch_margin or kl_in_batch (pairs), "
        "distillation, similarity_distillation or relative_similarity_distillation (texts)"
    )


@pytest.mark.parametrize("both", [("sentence1", "sentence2"), ("anchor", "positive"), ("question", "answer")])
def test_scored_pairs_by_any_names_of_two_texts(write, both):
    first, second = both
    path = write({first: "a", second: "b", "score": 5}, {first: "c", second: "d", "score": 0.25})
    same(data.read_rows(path, **SCORED), {"sentence1": ["a", "c"], "sentence2": ["b", "d"]}, score=[5.0, 0.25])


def test_a_label_of_1_or_0_is_a_score(write):
    rows = [{"sentence1": "a", "sentence2": "b", "label": label} for label in (1, 0, True, "0", 1.0)]
    found = data.read_rows(write(*rows), **SCORED)
    assert found.targets["score"].tolist() == [1, 0, 1, 0, 1]
    assert found.notes == ("The scores are the labels in 'label', 1 or 0",)
    path = write({**rows[0], "label": 2}, {**rows[0], "label": "entailment"})
    said = fault(data.read_rows, path, **SCORED)
    assert "line 1, column 'label': the number 2; expected 1 or 0 as a score; --columns score=label reads any" in said
    assert "line 2, column 'label': 'entailment'; expected 1 or 0 as a score" in said
    path = write({**rows[0], "label": 2}, {**rows[0], "label": 0.5})
    assert data.read_rows(path, columns="score=label", **SCORED).targets["score"].tolist() == [2, 0.5]
    nli = write(*[{"premise": "a", "hypothesis": "b", "label": 0}] * 2)
    assert "columns 'premise', 'hypothesis', 'label' lack 'score'" in fault(data.read_rows, nli, **SCORED)
    both = write({**rows[0], "score": 0.5}, {**rows[0], "score": 0.25})
    assert "column 'label': a label, which nothing reads" in fault(data.read_rows, both, **SCORED)
    assert data.read_rows(both, columns="label=", **SCORED).targets["score"].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("given", "numbers", "names"),
    [
        ((10, 9, 10), [1, 0, 1], ("9", "10")),
        (("no", "yes", "10"), [1, 2, 0], ("10", "no", "yes")),
        ((True, False, True), [1, 0, 1], ("false", "true")),
        ((2.0, 1.0, 1), [1, 0, 0], ("1", "2")),
    ],
)
def test_labels_are_numbers_of_sorted_names(write, given, numbers, names):
    rows = data.read_rows(write(*({"text": "a", "label": label} for label in given)), **LABELLED)
    same(rows, {"text": ["a"] * 3}, label=numbers)
    assert rows.labels == names


def test_a_text_and_a_number_and_a_text_with_both(write):
    path = write({"text": "a", "score": 1, "label": "x"}, {"text": "b", "score": -2.5, "label": "y"})
    assert "column 'label': a label, which nothing reads and which would be lost; cross_entropy, nt_xent and" in fault(
        data.read_rows, path, **RATED
    )
    same(data.read_rows(path, columns="label=", **RATED), {"text": ["a", "b"]}, score=[1, -2.5])
    rows = data.read_rows(path, roles=("text",), targets=("score", "label"))
    same(rows, {"text": ["a", "b"]}, score=[1, -2.5], label=[0, 1])


def test_pairs_with_a_label_keep_the_words_of_nli(write):
    words = ["entailment", "neutral", "contradiction"]
    path = write(*({"premise": "a", "hypothesis": word[0], "label": word} for word in words))
    rows = data.read_rows(path, **JUDGED)
    same(rows, {"sentence1": ["a"] * 3, "sentence2": ["e", "n", "c"]}, label=[1, 2, 0])
    assert rows.labels == ("contradiction", "entailment", "neutral")
    snli = [{"sentence1": "a", "sentence2": word, "gold_label": word} for word in [*words, "-"]]
    rows = data.read_rows(write(*snli), **JUDGED)
    assert rows.texts["sentence2"] == words
    assert rows.notes == ("Rows whose gold_label is - have no class and are left out",)


def test_texts_of_anything(write, tmp_path):
    same(data.read_rows(write({"text": "a"}, {"text": "a", "title": "T"}), **TEXTS), {"text": ["a", "T a"]})
    pairs = [{"query": "a", "pos": ["p", "q"], "neg": ["a", "n"]}, {"query": "b", "pos": ["p"], "neg": []}]
    same(data.read_rows(write(*pairs), **TEXTS), {"text": ["a", "p", "n", "q", "b"]})
    scored = write({"sentence1": "a", "sentence2": "b", "score": 1}, {"sentence1": "c", "sentence2": "a", "score": 1})
    assert "column 'score': a score, which nothing reads and which would be lost; cosent, angle, mse and the" in fault(
        data.read_rows, scored, **TEXTS
    )
    same(data.read_rows(scored, columns="score=", **TEXTS), {"text": ["a", "b", "c"]})
    (tmp_path / "lines.txt").write_text("one\n\ntwo\n")
    same(data.read_rows(tmp_path / "lines.txt", **TEXTS), {"text": ["one", "two"]})
    (tmp_path / "blocks.txt").write_text("a\nb\n***\nc\nb\n")
    same(data.read_rows(tmp_path / "blocks.txt", **TEXTS), {"text": ["a", "b", "c"]})


def test_other_columns_are_noted(write):
    row = {"text": "a", "score": 1, "url": "u"}
    assert data.read_rows(write(row, row), **RATED).notes == ("Columns that nothing reads: 'url'",)


def test_cells_without_names_are_what_is_asked(write):
    path = write(["good", 3], ["bad", 1], name="rows.csv")
    same(data.read_rows(path, no_header=True, **RATED), {"text": ["good", "bad"]}, score=[3, 1])
    assert data.read_rows(path, no_header=True, **LABELLED).labels == ("1", "3")


def test_rows_of_dicts_with_arrays_and_tuples():
    given = (
        {
            "anchor": f"a{at}",
            "positive": "p",
            "negatives": ("n", "m"),
            "pos_score": np.float32(at),
            "neg_scores": scores,
        }
        for at, scores in enumerate([np.array([1.0, 2.0]), (3, 4.5)])
    )
    same(
        data.rows_of(given, **CANDIDATES),
        {"anchor": ["a0", "a1"], "positive": ["p", "p"], "negative": [("n", "m")] * 2},
        positive_score=[0, 1],
        negative_score=[[1, 2], [3, 4.5]],
    )
    pairs = data.rows_of([{"anchor": "a", "positive": "p"}, {"anchor": "b", "positive": "q"}], **PAIRS)
    same(pairs, {"anchor": ["a", "b"], "positive": ["p", "q"]})


def test_where_no_role_is_needed_the_rows_say_what_they_are():
    anything = {"optional": ("anchor", "positive", "sentence1", "sentence2", "text"), "targets": ("score",)}
    texts = data.rows_of([{"text": "a", "score": 1}] * 2, roles=(), **anything)
    same(texts, {"text": ["a", "a"]}, score=[1, 1])
    pairs = data.rows_of([{"sentence1": "a", "sentence2": "b", "score": 1}] * 2, roles=(), **anything)
    same(pairs, {"anchor": ["a", "a"], "positive": ["b", "b"]}, score=[1, 1])
