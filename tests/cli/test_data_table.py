"""`metaembed data table`: each kind of source as JSON lines, and what JSON has no form for."""

import datetime
import json
import sqlite3

import pytest
from calls import call


@pytest.fixture
def made(tmp_path, capsys):
    """The rows that a source gives."""

    def make(source, *words):
        out = tmp_path / "out.jsonl"
        status, said, err = call(capsys, "data", "table", source, out, *words, "--json")
        assert status == 0, err
        rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
        assert json.loads(said)["rows"] == len(rows)
        return rows

    return make


@pytest.fixture
def refused(tmp_path, capsys):
    """The message of a source that can't be written; nothing is left behind."""

    def refuse(source, *words):
        status, said, err = call(capsys, "data", "table", source, tmp_path / "out.jsonl", *words)
        assert (status, said) == (2, "") and not list(tmp_path.glob("*out.jsonl*"))
        return err

    return refuse


def lines(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_csv_with_names_of_its_own(tmp_path, made):
    (tmp_path / "a.csv").write_text('Question,Answer,pos_scores\n"a, b",c,0.5\nd,é,1\n')
    assert made(tmp_path / "a.csv", "--columns", "query=Question,positive=Answer") == [
        {"query": "a, b", "positive": "c", "pos_scores": 0.5},
        {"query": "d", "positive": "é", "pos_scores": 1},
    ]


def test_csv_without_a_header(tmp_path, made):
    (tmp_path / "a.csv").write_text("one,two,4.5\nthree,four,0\n")
    assert made(tmp_path / "a.csv", "--no-header") == [
        {"sentence1": "one", "sentence2": "two", "score": 4.5},
        {"sentence1": "three", "sentence2": "four", "score": 0},
    ]


def test_parquet_with_dates_and_lists(tmp_path, made, refused):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    day = datetime.date(2024, 2, 29)
    columns = {"anchor": ["a"], "negatives": [["b", "c"]], "day": [day], "score": [float("nan")]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    assert made(tmp_path / "a.parquet") == [
        {"anchor": "a", "negatives": ["b", "c"], "day": "2024-02-29", "score": None}
    ]


def test_an_sqlite_table_whose_cells_spell_lists(tmp_path, made):
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("CREATE TABLE pairs (anchor TEXT, positive TEXT, negatives TEXT)")
        base.execute("INSERT INTO pairs VALUES ('a', '[b]', '[\"c\", \"d\"]')")
    base.close()
    assert made(tmp_path / "a.db") == [{"anchor": "a", "positive": "[b]", "negatives": ["c", "d"]}]


def test_lists_of_positives_are_a_row_each(tmp_path, made, refused):
    row = {"query": "q", "pos": ["a", "b"], "neg": ["c"], "pos_scores": [2, 1], "neg_scores": [0.5], "prompt": "p"}
    path = lines(tmp_path / "a.jsonl", row)
    assert made(path, "--columns", "prompt=") == [
        {"query": "q", "positive": "a", "negatives": ["c"], "positive_score": 2, "neg_scores": [0.5]},
        {"query": "q", "positive": "b", "negatives": ["c"], "positive_score": 1, "neg_scores": [0.5]},
    ]
    (tmp_path / "out.jsonl").unlink()
    assert "1 scores of 2 positives" in refused(lines(path, row | {"pos_scores": [1]}))
    assert "have no positive" in refused(lines(path, {"query": "q", "pos": []}))


def test_a_beir_folder_trains(tiny, tmp_path, made, capsys):
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    lines(folder / "corpus.jsonl", *({"_id": f"d{at}", "title": "T", "text": f"text {at}"} for at in range(4)))
    lines(folder / "queries.jsonl", *({"_id": f"q{at}", "text": f"query {at}"} for at in range(4)))
    judged = "".join(f"q{at}\td{at}\t{1 if at else 0}\n" for at in range(4))
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    rows = made(folder)
    assert rows == [
        {"query": f"query {at}", "positive": f"T text {at}", "query_id": f"q{at}", "corpus_id": f"d{at}"}
        for at in (1, 2, 3)
    ]
    words = ["train", "--model", tiny, "--data", tmp_path / "out.jsonl", "--out", tmp_path / "run", "--iters", 1]
    status, _, err = call(capsys, *words, "--batch-size", 2)
    assert status == 0, err


def test_what_json_has_no_form_for(tmp_path, refused):
    with sqlite3.connect(tmp_path / "a.db") as base:
        base.execute("CREATE TABLE t (anchor TEXT, image BLOB)")
        base.execute("INSERT INTO t VALUES ('a', x'00ff')")
    base.close()
    said = refused(tmp_path / "a.db")
    assert "row 1, column 'image'" in said and "bytes" in said and "--columns image=" in said
    (tmp_path / "a.jsonl").write_text('{"text": "\\ud800"}\n')
    assert "line 1, column 'text': half a character" in refused(tmp_path / "a.jsonl")
    assert "There is no file or folder" in refused(tmp_path / "none.csv")
