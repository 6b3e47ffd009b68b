"""The column map, columns that look meant, labels beside pairs, and what is said of the rest."""

import csv
import json
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Pairs
from mlx_metaembed.data.columns import Columns, parse, value
from mlx_metaembed.errors import CallError


@pytest.fixture
def write(tmp_path):
    def write(*rows):
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


PAIR = {"anchor": "a", "positive": "b"}


def test_a_map_is_read_and_written_again():
    assert parse("") == Columns()
    assert parse(' anchor = title , "positive=a,b",score=').chosen == {
        "anchor": "title",
        "positive": "a,b",
        "score": "",
    }
    assert str(parse('anchor="x",positive=y')) == '"anchor=""x""",positive=y'
    assert parse(str(Columns({"anchor": "a,b", "text": 'q"'}))) == Columns({"anchor": "a,b", "text": 'q"'})


def test_every_fault_of_a_map_is_in_one_error():
    with pytest.raises(CallError) as error:
        parse("anchor=a,ancor=b,positive,anchor=c,=d")
    assert str(error.value).split("\n")[1:] == [
        "  - there is no column 'ancor' to fill; did you mean 'anchor'?; known: anchor, positive, label, query, "
        "answer, question, pos, positives, sentence1, sentence2, gold_label, premise, hypothesis, score, text, title, "
        "id, _id, positive_score, negative_score",
        "  - 'positive': expected NAME=COLUMN, like anchor=title,positive=source",
        "  - 'anchor' is given twice: 'a' and 'c'",
        "  - '=d': expected NAME=COLUMN, like anchor=title,positive=source",
    ]


def test_paths_into_a_row():
    row = {"a": {"b": [{"c": 1}, {"c": 2}, 3]}, "a.b": 5}
    assert value(row, ("a", "b", "1", "c")) == 2
    assert value(row, ("a", "b", "c")) == [1, 2, None]
    assert value(row, ("a", "b", "7")) is None
    assert value(row, ("a.b", "x")) is None
    assert Columns({"text": "a.b", "id": "a.x"}).plan(("a", "a.b")) == ({"text": ("a.b",), "id": ("a", "x")}, [])


def test_a_mapped_column_wins_over_one_of_that_name_and_one_text_may_be_both_sides(write):
    path = write({**PAIR, "title": "t"})
    rows = data.read(path, columns="anchor=title")
    assert rows == Pairs(["t"], ["b"], [()])
    assert data.read(path, columns="anchor=title,positive=title") == Pairs(["t"], ["t"], [()])
    assert "line 1, column 'titel': missing; --columns asks for it, and found are anchor, positive, title" in message(
        path, columns="anchor=titel"
    )


def test_what_was_chosen_decides_between_two_shapes(write):
    path = write({"text": "t", "category": "c", **PAIR})
    assert data.read(path, columns="label=category,text=text").labels == ["c"]
    assert data.read(path, columns="anchor=anchor,positive=positive") == Pairs(["a"], ["b"], [()])
    assert "fit no shape that has 'id'" in message(path, columns="id=text")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("score", 0.5, "a score"),
        ("scores", [1], "a score"),
        ("similarity", 1, "a score"),
        ("relevance_score", 0, "a score"),
        ("labels", 0, "a label"),
        ("gold_label", "neutral", "a label"),
        ("is_duplicate", False, "a label"),
        ("isDuplicate", 0, "a label"),
        ("prompt", "Find: ", "a prompt"),
        ("query_prompt", "q: ", "a prompt"),
        ("instruction", "x", "a prompt"),
        ("weight", 2, "a weight"),
        ("teacher_score", 0.1, "a teacher's"),
        ("negative_passages", [{"text": "n"}], "a negative"),
        ("neg_ids", [3], "a negative"),
        ("positive_2", "p", "a positive"),
    ],
)
def test_a_column_that_would_change_training_is_refused_by_name_and_can_be_left_out(write, name, value, what):
    path = write({**PAIR, name: value}, {**PAIR, name: value})
    found = message(path)
    assert f"line 1, column '{name}': {what}, which nothing reads and which would be lost (2 rows like this)" in found
    assert f"To leave them out on purpose, say so: --columns '{name}='" in found
    assert len(data.read(path, columns=f"{name}=")) == 2
    assert len(data.read(write({**PAIR, name: None}))) == 1


def test_other_columns_are_noted_and_texts_need_nothing_else(write):
    rows = data.read(write({**PAIR, "title": "t", "position": 1, "url": "u"}))
    assert rows.notes == ("Columns that nothing reads: 'title', 'position', 'url'",)
    assert data.read_texts(write({"text": "t", "score": 1, "prompt": "p"})).texts == ["t"]
    many = data.read(write({**PAIR, **{f"x{at}": at for at in range(25)}})).notes[0]
    assert many.endswith("'x19' and 5 more")


@pytest.mark.parametrize(
    "name", ["negative", "negatives", "neg", "negs", "hard_negatives", "hard_negative", "hardNegatives", "Negatives"]
)
def test_negatives_by_any_name_hold_a_list_or_a_text(write, name):
    assert data.read(write({**PAIR, name: ["n", "m"]}, {**PAIR, name: []})).negatives == [("n", "m"), ()]
    assert data.read(write({**PAIR, name: "n"})).negatives == [("n",)]


def test_numbered_negatives_by_any_name(write):
    row = {**PAIR, "neg_2": "2", "hard_negative_1": "1", "negative3": ["3", "4"]}
    assert data.read(write(row)).negatives == [("1", "2", "3", "4")]
    assert "column 'neg_2': null; expected text" in message(write({**row, "neg_2": None}))


def test_a_list_in_a_cell_of_text_is_json(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text('query,pos,neg\nq,"[""p"", ""r""]","[""n""]"\n')
    assert data.read(path) == Pairs(["q", "q"], ["p", "r"], [("n",), ("n",)])
    path.write_text("query,pos,neg\nq,\"['p']\",n\n")
    assert "line 2, column 'pos': a text; expected a list of texts" in message(path)


@pytest.mark.parametrize(
    ("one", "zero"), [(1, 0), (True, False), ("1", "0"), (1.0, 0.0), ("entailment", "contradiction")]
)
def test_rows_labelled_zero_are_hard_negatives_and_no_pairs(write, one, zero):
    path = write(
        {"question": "q", "answer": "right", "label": one},
        {"question": "q", "answer": "wrong", "label": zero},
        {"question": "r", "answer": "alone", "label": zero},
    )
    rows = data.read(path)
    assert rows == Pairs(["q"], ["right"], [("wrong",)])
    assert rows.notes[0] == "1 rows labelled 0 or contradiction are hard negatives of their anchor"


def test_a_text_labelled_both_ways_is_no_negative_of_itself(write):
    one, zero = ({"query": "q", "answer": "a", "label": label} for label in (1, 0))
    assert data.read(write(one, zero, one)) == Pairs(["q", "q"], ["a", "a"], [(), ()])


def test_labels_that_say_nothing_clear_are_refused(write):
    assert "line 1, column 'label': the number 2; expected 1 or 0, or entailment, neutral or contradiction" in message(
        write({**PAIR, "label": 2})
    )
    nli = {"premise": "a", "hypothesis": "b", "label": 0}
    assert "expected the words entailment, neutral or contradiction" in message(write(nli))
    assert "has no row whose label says that its texts belong together" in message(write({**PAIR, "label": 0}))


def as_jsonl(path, rows):
    path.with_suffix(".jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path.with_suffix(".jsonl")


def as_array(path, rows):
    path.with_suffix(".json").write_text(json.dumps(rows, indent=1))
    return path.with_suffix(".json")


def as_csv(path, rows):
    with path.with_suffix(".csv").open("w", newline="") as file:
        cells = [[json.dumps(value) if isinstance(value, list) else value for value in row.values()] for row in rows]
        csv.writer(file).writerows([list(rows[0]), *cells])
    return path.with_suffix(".csv")


def as_parquet(path, rows):
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_sqlite(path, rows):
    path.with_suffix(".db").unlink(missing_ok=True)
    base = sqlite3.connect(path.with_suffix(".db"))
    base.execute(f"CREATE TABLE t ({', '.join(rows[0])})")
    cells = [[json.dumps(value) if isinstance(value, list) else value for value in row.values()] for row in rows]
    base.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", cells)
    base.commit()
    base.close()
    return path.with_suffix(".db")


@pytest.mark.parametrize("store", [as_jsonl, as_array, as_csv, as_parquet, as_sqlite])
def test_every_reader_reads_refuses_and_notes_alike(tmp_path, store):
    path = tmp_path / "rows"
    rows = [
        {"query": "q", "answer": "a", "label": 1, "negatives": ["n", "m"], "url": "u"},
        {"query": "q", "answer": "b", "label": 0, "negatives": ["k"], "url": "u"},
    ]
    found = data.read(store(path, rows))
    assert found == Pairs(["q"], ["a"], [("n", "m", "b")])
    assert found.notes[-1] == "Columns that nothing reads: 'url'"
    assert data.read(store(path, rows), columns="anchor=query,positive=url,label=,negatives=").positives == ["u", "u"]
    scored = [{"query": "q", "answer": "a", "score": 0.5}]
    assert "column 'score': a score, which nothing reads" in message(store(path, scored))
    assert "column 'body': missing; --columns asks for it" in message(store(path, scored), columns="anchor=body")
