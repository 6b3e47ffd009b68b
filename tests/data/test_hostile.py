"""Files that might hang, eat memory or confuse: each is refused with a message of the kit's own."""

import gzip
import json
import os
import sqlite3

import pyarrow
import pyarrow.parquet
import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import faults, lines, row_stream, sqlite_file
from mlx_metaembed.data.readers import sqlite
from mlx_metaembed.errors import CallError

PAIR = b'{"anchor": "a", "positive": "b"}\n'


@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv", "a.parquet", "a.db", "a.py", "a.jsonl.gz"])
def test_a_pipe_or_a_device_is_no_file(tmp_path, name):
    os.mkfifo(tmp_path / name)
    assert message(tmp_path / name).endswith("is a pipe, a socket or a device; expected a regular file")
    (tmp_path / "zero.jsonl").symlink_to("/dev/zero")
    assert "expected a regular file" in message(tmp_path / "zero.jsonl")


def test_a_pipe_inside_a_folder_is_passed_over(tmp_path):
    os.mkfifo(tmp_path / "a.py")
    assert "has no function with a docstring" in message(tmp_path)
    os.mkfifo(tmp_path / "corpus.jsonl")
    (tmp_path / "qrels").mkdir()
    os.mkfifo(tmp_path / "qrels" / "test.tsv")
    assert "has 0 files in qrels" in message(tmp_path)


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a.jsonl").symlink_to("a.jsonl")
    assert "a.jsonl" in message(tmp_path / "a.jsonl")


def test_gzip_that_is_cut_no_gzip_or_a_bomb(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl.gz"
    packed = gzip.compress(PAIR * 50)
    for content in (packed[:-12], PAIR, b"\x1f\x8b" + bytes(50), packed[:20] + b"\xff\xff" + packed[22:]):
        path.write_bytes(content)
        assert "is no whole gzip file" in message(path)
    monkeypatch.setattr(lines, "UNPACKED", 1000)
    path.write_bytes(gzip.compress(PAIR * 10_000))
    assert "unpacks to more than 200 times its size" in message(path)


def test_a_line_without_an_end_and_blank_lines_without_one(tmp_path, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 100)
    monkeypatch.setattr(lines, "BLANK", 100)
    path = tmp_path / "a.jsonl"
    path.write_bytes(PAIR + b"x" * 101)
    assert "line 2 has more than 100 bytes" in message(path)
    path.write_bytes(PAIR + b"\n" * 101)
    assert "more than 100 blank lines" in message(path)


def test_reading_stops_after_many_faults(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "MOST", 30)
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x\n" * 1000)
    found = message(path)
    assert "has 30 faults:" in found
    assert found.endswith("Reading stopped after 30 faults.")


@pytest.fixture
def view(tmp_path):
    def view(select):
        path = tmp_path / "a.db"
        base = sqlite3.connect(path)
        base.execute(f"CREATE VIEW v AS {select}")
        base.commit()
        base.close()
        return path

    return view


ENDLESS = (
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT 'a' || n AS anchor, 'b' AS positive FROM r"
)


def test_a_view_without_an_end_or_without_a_row_is_stopped(view, monkeypatch, tmp_path):
    monkeypatch.setattr(sqlite, "COMPUTED_ROWS", 500)
    monkeypatch.setattr(sqlite, "GROWTH", 0)
    monkeypatch.setattr(sqlite_file, "STEPS", 1000)
    monkeypatch.setattr(sqlite_file, "PATIENCE", 50)
    assert "is a view and gives more than 500 rows, 0 times its file; if it has an end, make a table of it" in message(
        view(ENDLESS)
    )
    (tmp_path / "a.db").unlink()
    numbers = ENDLESS.replace("'a' || n AS anchor, 'b' AS positive", "n AS anchor, n AS positive")
    with pytest.raises(CallError, match="is a view and gives more than 500 rows"):
        row_stream.fill(view(numbers), lambda where, row: None)
    (tmp_path / "a.db").unlink()
    assert "computed for long and gave no row" in message(view(f"{ENDLESS} WHERE n < 0"))


def test_a_huge_value_a_view_of_itself_and_a_lock(view, monkeypatch, tmp_path):
    monkeypatch.setattr(sqlite_file, "LONGEST", 10_000)
    assert "string or blob too big" in message(view("SELECT hex(zeroblob(9000)) AS anchor, 'b' AS positive"))
    (tmp_path / "a.db").unlink()
    path = view("SELECT * FROM v")
    assert "a.db can't be read: view v is circularly defined" in message(path)
    base = sqlite3.connect(tmp_path / "b.db")
    base.execute("CREATE TABLE t (text, label)")
    base.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.01)
    assert "another program holds a lock on it" in message(tmp_path / "b.db")
    base.close()


def test_names_that_are_not_utf8(tmp_path):
    path = tmp_path / "a.db"
    base = sqlite3.connect(path)
    base.execute('CREATE TABLE t (anchor, positive, "xyz")')
    base.commit()
    base.close()
    path.write_bytes(path.read_bytes().replace(b'"xyz"', b'"\xff\xff\xff"'))
    assert str(path) in message(path)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (pyarrow.array([1], pyarrow.duration("ns")), ""),
        (pyarrow.array([2**30], pyarrow.date32()), ""),
        (pyarrow.array([[("a", 1)]], pyarrow.map_(pyarrow.string(), pyarrow.int64())), "a list; expected text"),
        (pyarrow.array([{"a": 1}]), "an object; expected text"),
        (pyarrow.nulls(1), "null; expected text"),
        (pyarrow.array([b"a"]), "bytes; expected text"),
    ],
    ids=str,
)
def test_parquet_of_other_types(tmp_path, array, words):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"anchor": array, "positive": ["b"]}), path)
    assert words in message(path)


def test_parquet_with_one_byte_changed_gives_rows_or_a_message(tmp_path):
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"anchor": ["a", "c"], "positive": ["b", "d"]}), path)
    whole = path.read_bytes()
    for at in range(0, len(whole), 13):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            data.read(path)
        except CallError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("value", [None, 5, True, {}, [], [None], [["a"]], {"a": 1}, "", "\ud800", ["\ud800"]])
@pytest.mark.parametrize("name", ["anchor", "positive", "negative", "label", "negatives"])
def test_a_value_of_another_type_anywhere(tmp_path, name, value):
    path = tmp_path / "a.jsonl"
    row = {"anchor": "a", "positive": "b", "negative": "n", "negatives": ["m"], "label": 1, name: value}
    path.write_text(json.dumps(row) + "\n")
    try:
        assert len(data.read(path)) == 1
    except CallError as error:
        assert name in str(error) or "no row whose label" in str(error)


@pytest.mark.parametrize(
    "content", [b"null", b"5", b'"x"', b"{}", b"[]", b"[null]", b"[[]]", b"[{}]", b'{"a": 1}', b"[" * 9999]
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_json_that_holds_no_rows(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    assert str(tmp_path / name) in message(tmp_path / name)


@pytest.mark.parametrize("packed", [False, True])
def test_a_whole_file_takes_its_own_bytes_and_not_its_limit(tmp_path, packed):
    path = tmp_path / ("a.json.gz" if packed else "a.json")
    path.write_bytes(gzip.compress(b"[1]") if packed else b"[1]")
    assert lines.whole(path, faults.Faults(path, 100), 1 << 60) == "[1]"
