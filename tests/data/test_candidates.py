"""A query with scored candidates: any names of their columns, as many scores as texts."""

import json
import sqlite3
from contextlib import closing

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from asks import CANDIDATES, PAIRS, TEXTS, fault, same_scores, wrote

from mlx_metaembed import data


@pytest.fixture
def write(tmp_path):
    return lambda *rows, name="rows.jsonl": wrote(tmp_path / name, rows)


@pytest.mark.parametrize(("near", "far"), [("positive_score", "negative_score"), ("pos_scores", "neg_scores")])
def test_scores_of_candidates_in_columns(write, near, far):
    path = write(
        {"query": "a", "positive": "p", "negative": "n", near: 9, far: 1},
        {"query": "b", "positive": "q", "negative": ["m", "o"], near: [8.5], far: [2, 3]},
    )
    same_scores(
        data.read_rows(path, **CANDIDATES),
        {"anchor": ["a", "b"], "positive": ["p", "q"], "negative": [("n",), ("m", "o")]},
        [9, 8.5],
        [[1, np.nan], [2, 3]],
    )


def test_numbered_scores_follow_their_negatives(write):
    header = ["negative_score_2", "negative_2", "anchor", "positive", "negative_1", "negative_score_1", "pos_score"]
    path = write(header, [2, "m", "a", "p", "n", 1, 9], [4, "k", "b", "q", "l", 3, 8], name="rows.csv")
    same_scores(
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
    same_scores(data.read_rows(path, **CANDIDATES), *expected)
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


def test_parquet_and_sqlite_give_the_same(tmp_path):
    rows = [
        {"query": "a", "pos": ["p"], "neg": ["n"], "pos_scores": [3.0], "neg_scores": [1.0], "note": 0},
        {"query": "b", "pos": ["r"], "neg": ["m", "o"], "pos_scores": [5.0], "neg_scores": [4.0, 3.0], "note": 0},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    with closing(sqlite3.connect(tmp_path / "rows.db")) as base:
        base.execute("CREATE TABLE rows (query, pos, neg, pos_scores, neg_scores, note)")
        cells = [[json.dumps(each) if isinstance(each, list) else each for each in row.values()] for row in rows]
        base.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)", cells)
        base.commit()
    for name in ("rows.parquet", "rows.db"):
        found = data.read_rows(tmp_path / name, **CANDIDATES)
        same_scores(
            found,
            {"anchor": ["a", "b"], "positive": ["p", "r"], "negative": [("n",), ("m", "o")]},
            [3, 5],
            [[1, np.nan], [4, 3]],
        )
        assert found.notes == ("Columns that nothing reads: 'note'",)
        said = fault(data.read_rows, tmp_path / name, **TEXTS)
        assert "row 1, column 'neg_scores': a score, which nothing reads" in said
        assert data.read_rows(tmp_path / name, columns="pos_scores=,neg_scores=", **TEXTS).texts["text"] == list(
            "apnbrmo"
        )
