"""Rows to train on: what is asked decides how a source is read, and what is said where it lacks that."""

import csv
import json

import numpy as np
import pytest

from mlx_metaembed import data
from mlx_metaembed.errors import CallError
from mlx_metaembed.losses import LOSSES

PAIRS = {"roles": ("anchor", "positive"), "optional": ("negative",)}
TRIPLETS = {"roles": ("anchor", "positive", "negative")}
SCORED = {"roles": ("sentence1", "sentence2"), "targets": ("score",)}
LABELLED = {"roles": ("text",), "targets": ("label",)}
RATED = {"roles": ("text",), "targets": ("score",)}
JUDGED = {"roles": ("sentence1", "sentence2"), "targets": ("label",)}
CANDIDATES = {"roles": ("anchor", "positive", "negative"), "targets": ("positive_score", "negative_score")}
TEXTS = {"roles": ("text",)}
MISSING = "'negative' and 'positive_score' and 'negative_score'"


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="rows.jsonl"):
        path = tmp_path / name
        with path.open("w", newline="") as out:
            if path.suffix == ".csv":
                csv.writer(out).writerows(rows)
            else:
                out.writelines(json.dumps(row) + "\n" for row in rows)
        return path

    return write


def fault(call, *args, **options) -> str:
    with pytest.raises(CallError) as error:
        call(*args, **options)
    return str(error.value)


def same(rows, texts, **targets):
    """Whether rows hold these texts and targets, and no others."""
    assert rows.texts == texts
    assert {name: values.tolist() for name, values in rows.targets.items()} == targets
    kinds = {"label": np.int32}
    assert all(values.dtype == kinds.get(name, np.float32) for name, values in rows.targets.items())


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
        "Such rows train with info_nce or triplet (pairs), distillation (texts)"
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
    assert "column 'label': a label, which nothing reads and which would be lost; cross_entropy takes" in fault(
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


@pytest.mark.parametrize(("near", "far"), [("positive_score", "negative_score"), ("pos_scores", "neg_scores")])
def test_scores_of_candidates_in_columns(write, near, far):
    path = write(
        {"query": "a", "positive": "p", "negative": "n", near: 9, far: 1},
        {"query": "b", "positive": "q", "negative": ["m", "o"], near: [8.5], far: [2, 3]},
    )
    same_nan(
        data.read_rows(path, **CANDIDATES),
        {"anchor": ["a", "b"], "positive": ["p", "q"], "negative": [("n",), ("m", "o")]},
        [9, 8.5],
        [[1, np.nan], [2, 3]],
    )


def same_nan(rows, texts, near, far):
    assert rows.texts == texts
    assert set(rows.targets) == {"positive_score", "negative_score"}
    np.testing.assert_array_equal(rows.targets["positive_score"], np.array(near, np.float32))
    np.testing.assert_array_equal(rows.targets["negative_score"], np.array(far, np.float32))
    assert {values.dtype for values in rows.targets.values()} == {np.dtype(np.float32)}


def test_numbered_scores_follow_their_negatives(write):
    header = ["negative_score_2", "negative_2", "anchor", "positive", "negative_1", "negative_score_1", "pos_score"]
    path = write(header, [2, "m", "a", "p", "n", 1, 9], [4, "k", "b", "q", "l", 3, 8], name="rows.csv")
    same_nan(
        data.read_rows(path, **CANDIDATES),
        {"anchor": ["a", "b"], "positive": ["p", "q"], "negative": [("n", "m"), ("l", "k")]},
        [9, 8],
        [[1, 2], [3, 4]],
    )


def test_flag_embeddings_lists_give_a_row_a_positive(write):
    wide = {"query": "a", "pos": ["p", "q"], "neg": ["n"], "pos_scores": [3, 2], "neg_scores": [1]}
    path = write(wide, {"query": "b", "pos": ["r"], "neg": ["m", "o"], "pos_scores": [5], "neg_scores": [4, 3]})
    expected = (
        {"anchor": ["a", "a", "b"], "positive": ["p", "q", "r"], "negative": [("n",), ("n",), ("m", "o")]},
        [3, 2, 5],
        [[1, np.nan], [1, np.nan], [4, 3]],
    )
    same_nan(data.read_rows(path, **CANDIDATES), *expected)
    cells = [[json.dumps(each) if isinstance(each, list) else each for each in wide.values()] for _ in range(2)]
    found = data.read_rows(write(list(wide), *cells, name="rows.csv"), **CANDIDATES)
    assert found.texts["positive"] == ["p", "q", "p", "q"]
    assert "column 'pos_scores': a score, which nothing reads and which would be lost; margin_mse and kl take" in fault(
        data.read_rows, path, **PAIRS
    )
    assert data.read_rows(path, columns="pos_scores=,neg_scores=", **PAIRS).texts == expected[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"neg_scores": [1, 2]}, "line 2: 2 scores of 1 negative; expected one of each"),
        ({"pos_scores": [1, 2]}, "line 2: 2 scores of 1 positive; expected one of each"),
        ({"pos": ["p", "q"]}, "line 2: 1 score of 2 positives; expected one of each"),
        ({"pos_scores": []}, "line 2: 0 scores of 1 positive; expected one of each"),
        ({"neg": [], "neg_scores": []}, "line 2: no negative; expected one or more, each with its score"),
        ({"neg_scores": [float("nan")]}, "line 2, item 1, column 'neg_scores': nan; expected a finite number"),
        ({"pos_scores": None}, "line 2, column 'pos_scores': null; expected a number"),
        ({"pos_scores": "[1"}, "line 2, column 'pos_scores': not a list in JSON"),
        (
            {"pos_scores": [1e39]},
            "line 2, item 1, column 'pos_scores': 1e+39; expected a number of at most 3.4",
        ),
    ],
    ids=str,
)
def test_scores_that_do_not_fit_their_texts(write, changed, said):
    row = {"query": "a", "pos": ["p"], "neg": ["n"], "pos_scores": [2], "neg_scores": [1]}
    assert said in fault(data.read_rows, write(row, row | changed), **CANDIDATES)


@pytest.mark.parametrize("value", [float("inf"), "high", None, True], ids=str)
def test_scores_that_are_no_finite_number(write, value):
    row = {"text": "a", "score": 1}
    assert "line 2, column 'score': " in fault(data.read_rows, write(row, row | {"score": value}, row), **RATED)


def test_a_missing_label_and_one_class_only(write):
    row = {"text": "a", "label": "x"}
    said = fault(data.read_rows, write(row, row | {"label": None}, {"text": "a"}, row | {"label": ""}), **LABELLED)
    assert said.split("\n")[1:4] == [
        "  - line 2, column 'label': null; expected text",
        "  - line 3, column 'label': missing; line 1 has it, and found are text",
        "  - line 4, column 'label': empty; expected text",
    ]
    path = write(row, row)
    assert fault(data.read_rows, path, **LABELLED) == f"{path} has one class only, 'x'; expected two or more"


@pytest.mark.parametrize(
    ("asked", "row"),
    [
        (SCORED, {"sentence1": "a", "sentence2": "b", "score": 1}),
        (LABELLED, {"text": "a", "label": "x"}),
        (TEXTS, {"text": "a"}),
        (PAIRS, {"anchor": "a", "positive": "b"}),
    ],
    ids=str,
)
def test_one_row_is_too_few(write, asked, row):
    assert "has one row; " in fault(data.read_rows, write(row), **asked)


def test_texts_of_anything(write, tmp_path):
    same(data.read_rows(write({"text": "a"}, {"text": "a", "title": "T"}), **TEXTS), {"text": ["a", "T a"]})
    pairs = [{"query": "a", "pos": ["p", "q"], "neg": ["a", "n"]}, {"query": "b", "pos": ["p"], "neg": []}]
    same(data.read_rows(write(*pairs), **TEXTS), {"text": ["a", "p", "n", "q", "b"]})
    scored = write({"sentence1": "a", "sentence2": "b", "score": 1}, {"sentence1": "c", "sentence2": "a", "score": 1})
    assert "column 'score': a score, which nothing reads and which would be lost; cosent and mse take" in fault(
        data.read_rows, scored, **TEXTS
    )
    same(data.read_rows(scored, columns="score=", **TEXTS), {"text": ["a", "b", "c"]})
    (tmp_path / "lines.txt").write_text("one\n\ntwo\n")
    same(data.read_rows(tmp_path / "lines.txt", **TEXTS), {"text": ["one", "two"]})
    (tmp_path / "blocks.txt").write_text("a\nb\n***\nc\nb\n")
    same(data.read_rows(tmp_path / "blocks.txt", **TEXTS), {"text": ["a", "b", "c"]})


@pytest.mark.parametrize(
    ("name", "value", "taker"),
    [
        ("label", 1, "cross_entropy takes the label of a text"),
        ("negative", "n", "info_nce, triplet, margin_mse and kl take negatives"),
        ("hard_negatives", ["n"], "info_nce, triplet, margin_mse and kl take negatives"),
        ("prompt", "p", "a recipe gives prompts by role, in [[data]]"),
        ("pos_scores", [1], "margin_mse and kl take the scores of positives and negatives"),
        ("neg_scores", [1], "margin_mse and kl take the scores of positives and negatives"),
        ("negative_score_1", 1, "margin_mse and kl take the scores of positives and negatives"),
    ],
)
@pytest.mark.parametrize("asked", [RATED, SCORED], ids=["text", "sentences"])
def test_a_column_that_looks_meant_is_refused_with_what_takes_it(write, asked, name, value, taker):
    row = {"score": 1, name: value} | ({"text": "a"} if asked is RATED else {"anchor": "a", "positive": "b"})
    said = fault(data.read_rows, write(row, row), **asked)
    assert f"column '{name}': a " in said
    assert f"which nothing reads and which would be lost; {taker} (2 rows like this)" in said
    assert said.endswith(f"To leave them out on purpose, say so: --columns '{name}='")
    assert len(data.read_rows(write(row, row), columns=f"{name}=", **asked)) == 2


def test_other_columns_are_noted(write):
    row = {"text": "a", "score": 1, "url": "u"}
    assert data.read_rows(write(row, row), **RATED).notes == ("Columns that nothing reads: 'url'",)


@pytest.mark.parametrize(
    ("row", "lacks", "losses"),
    [
        ({"anchor": "a", "positive": "b"}, MISSING, "info_nce or triplet (pairs), distillation (texts)"),
        ({"sentence1": "a", "sentence2": "b", "score": 1}, MISSING, "cosent or mse (scored pairs)"),
        (
            {"sentence1": "a", "sentence2": "b", "label": 1},
            MISSING,
            "cosent or mse (scored pairs), info_nce or triplet (pairs)",
        ),
        ({"text": "a", "label": "x"}, "what is asked", "cross_entropy (labelled texts)"),
        ({"text": "a", "score": 1}, "what is asked", "mse (scored texts)"),
        ({"text": "a"}, "what is asked", "distillation (texts)"),
    ],
    ids=str,
)
def test_rows_that_lack_what_is_asked_say_which_losses_take_them(write, row, lacks, losses):
    found = ", ".join(map(repr, row))
    assert (
        f"line 1: columns {found} lack {lacks}; taken are (anchor, positive, negative or negative_1 .. negative_n or "
        f"negatives, positive_score, negative_score). Such rows train with {losses} (2 rows like this)"
    ) in fault(data.read_rows, write(row, row), **CANDIDATES)


def test_the_column_that_is_missing_is_named(write):
    row = {"anchor": "a", "positive": "b", "negative": "n", "pos_score": 1}
    assert "'pos_score' lack 'negative_score'; taken are (anchor, positive, " in fault(
        data.read_rows, write(row), **CANDIDATES
    )


def test_pairs_that_are_none_say_which_losses_take_them(write):
    assert "training needs pairs: anchor, positive [, negative]. Such rows train with cosent or mse (scored pairs)" in (
        fault(data.read_rows, write(*[{"sentence1": "a", "sentence2": "b", "score": 1}] * 2), **PAIRS)
    )
    assert "Such rows train with mse (scored texts)" in fault(
        data.read_rows, write(*[{"text": "a", "score": 1}] * 2), **PAIRS
    )


def test_every_loss_that_is_named_is_there():
    from mlx_metaembed.data.wanted import TRAINS

    for _, wanted, losses in TRAINS:
        for name in losses:
            loss = LOSSES[name]
            assert set(loss.roles) <= {*wanted.roles, *wanted.optional}
            assert {target for target in loss.targets if not target.startswith("teacher.")} == set(wanted.targets)


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


def test_faults_of_dicts_name_the_row():
    said = fault(data.rows_of, [{"text": "a", "score": 1}, 3, {"text": "", "score": 1}, {1: "x"}], **RATED)
    assert said.split("\n")[:4] == [
        "The list of rows has 3 faults:",
        "  - row 2: the number 3; expected a dict of columns",
        "  - row 3, column 'text': empty; expected text",
        "  - row 4: a column called 1; expected text",
    ]
    assert fault(data.rows_of, iter([]), **RATED) == (
        "The list of rows has no rows; expected at least one.\nKnown columns: (text, score)"
    )
    assert fault(data.rows_of, None, **RATED) == "The rows are null; expected dicts of columns, one after another"
    said = fault(data.rows_of, [{"text": "a", "score": 1, "label": 2}] * 2, **RATED)
    assert said.endswith("To leave them out on purpose, drop the keys label")


def test_where_no_role_is_needed_the_rows_say_what_they_are():
    anything = {"optional": ("anchor", "positive", "sentence1", "sentence2", "text"), "targets": ("score",)}
    texts = data.rows_of([{"text": "a", "score": 1}] * 2, roles=(), **anything)
    same(texts, {"text": ["a", "a"]}, score=[1, 1])
    pairs = data.rows_of([{"sentence1": "a", "sentence2": "b", "score": 1}] * 2, roles=(), **anything)
    same(pairs, {"anchor": ["a", "a"], "positive": ["b", "b"]}, score=[1, 1])


def test_what_no_row_has():
    assert "No row has anchor, positive, text all together" in fault(
        data.rows_of, [], roles=("anchor", "positive", "text")
    )
    assert fault(data.rows_of, [{"text": "a"}], roles=("text",), targets=("positive_score",)) == (
        "No row has a text alone and positive_score; ask for anchor and positive"
    )
    assert fault(data.rows_of, [], roles=("anker",)).startswith("There is no role 'anker'; known: anchor, ")
    assert fault(data.rows_of, [], roles=("text",), targets=("grade",)).startswith(
        "There is no target 'grade'; known: "
    )
