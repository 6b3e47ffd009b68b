"""Rows that lack what is asked, and columns that would be lost: what is said of them."""

import pytest
from asks import CANDIDATES, LABELLED, PAIRS, RATED, SCORED, TEXTS, fault, wrote

from mlx_metaembed import data
from mlx_metaembed.data.wanted import TRAINS
from mlx_metaembed.losses import LOSSES

ON_SCORES = "cosent, mse, angle, contrastive or online_contrastive (scored pairs)"
ON_LABELS = (
    "cross_entropy, nt_xent, batch_hard_triplet, batch_hard_soft_margin_triplet, batch_semi_hard_triplet or "
    "batch_all_triplet (labelled texts)"
)
MISSING = "'negative' and 'positive_score' and 'negative_score'"


@pytest.fixture
def write(tmp_path):
    return lambda *rows, name="rows.jsonl": wrote(tmp_path / name, rows)


@pytest.mark.parametrize("value", [float("inf"), "high", None, True], ids=str)
def test_scores_that_are_no_finite_number(write, value):
    row = {"text": "a", "score": 1}
    assert "line 2, column 'score': " in fault(data.read_rows, write(row, row | {"score": value}, row), **RATED)


@pytest.mark.parametrize("value, shown", [(0.5, "the number 0.5"), (float("nan"), "the number nan"), ([1], "a list")])
def test_labels_that_are_no_class_are_refused_alike_by_both_readers(write, value, shown):
    row = {"text": "a", "label": "x"}
    expected = f"line 2, column 'label': {shown}; expected a class: a text or a whole number"
    path = write(row, row | {"label": value}, row | {"text": "b", "label": "y"})
    assert expected in fault(data.read_rows, path, **LABELLED)
    assert expected in fault(data.read, path)


def test_whole_numbers_and_truth_values_are_classes_for_both_readers(write):
    path = write(*({"text": "a", "label": value} for value in (1, 1.0, -1, True)))
    assert data.read(path).labels == ["1", "1", "-1", "true"]
    rows = data.read_rows(path, **LABELLED)
    assert [rows.labels[at] for at in rows.targets["label"]] == ["1", "1", "-1", "true"]


def test_a_missing_label_and_one_class_only(write):
    row = {"text": "a", "label": "x"}
    said = fault(data.read_rows, write(row, row | {"label": None}, {"text": "a"}, row | {"label": ""}), **LABELLED)
    assert said.split("\n")[1:4] == [
        "  - line 2, column 'label': null; expected a class: a text or a whole number",
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


@pytest.mark.parametrize(
    ("name", "value", "taker"),
    [
        ("label", 1, "cross_entropy, nt_xent and the batch triplets take the label of a text"),
        ("negative", "n", "info_nce, gist, triplet, mega_batch_margin, margin_mse, kl and kl_in_batch take negatives"),
        (
            "hard_negatives",
            ["n"],
            "info_nce, gist, triplet, mega_batch_margin, margin_mse, kl and kl_in_batch take negatives",
        ),
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


@pytest.mark.parametrize(
    ("row", "lacks", "losses"),
    [
        (
            {"anchor": "a", "positive": "b"},
            MISSING,
            "info_nce, gist, triplet, mega_batch_margin or kl_in_batch (pairs), distillation, similarity_distillation "
            "or relative_similarity_distillation (texts)",
        ),
        ({"sentence1": "a", "sentence2": "b", "score": 1}, MISSING, ON_SCORES),
        (
            {"sentence1": "a", "sentence2": "b", "label": 1},
            MISSING,
            f"{ON_SCORES}, info_nce, gist, triplet, mega_batch_margin or kl_in_batch (pairs)",
        ),
        ({"text": "a", "label": "x"}, "what is asked", ON_LABELS),
        ({"text": "a", "score": 1}, "what is asked", "mse (scored texts)"),
        (
            {"text": "a"},
            "what is asked",
            "distillation, similarity_distillation or relative_similarity_distillation (texts)",
        ),
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
    said = fault(data.read_rows, write(*[{"sentence1": "a", "sentence2": "b", "score": 1}] * 2), **PAIRS)
    assert (
        "training needs pairs: anchor, positive [, negative]. Such rows train with cosent, mse, angle, contra" in said
    )
    assert "contrastive or online_contrastive (scored pairs)" in said
    assert "Such rows train with mse (scored texts)" in fault(
        data.read_rows, write(*[{"text": "a", "score": 1}] * 2), **PAIRS
    )


def test_every_loss_that_is_named_is_there():
    for _, wanted, losses in TRAINS:
        for name in losses:
            loss = LOSSES[name]
            assert set(loss.roles) <= {*wanted.roles, *wanted.optional}
            assert {target for target in loss.targets if not target.startswith("teacher.")} == set(wanted.targets)


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
