"""SQLite tables: which one, and what is in it. The file is never written to."""

import sqlite3
from contextlib import closing

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Labelled, Pairs, Scored


@pytest.fixture
def base(tmp_path):
    def base(*statements, name="chats.db"):
        path = tmp_path / name
        with closing(sqlite3.connect(path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)
        return path

    return base


SCORED = ("CREATE TABLE sts (sentence1, sentence2, score, vector)", "INSERT INTO sts VALUES ('a', 'b', 3.5, x'00ff')")
PAIRS = ('CREATE TABLE "my ""pairs" (anchor, positive)', """INSERT INTO "my ""pairs" VALUES ('a', 'b'), ('c', 'd')""")


@pytest.mark.parametrize("name", ["chats.db", "chats.sqlite", "chats.sqlite3", "what? 100%#.db"])
def test_the_only_table(base, name):
    path = base(*SCORED, name=name)
    before = path.read_bytes()
    assert data.read(path) == Scored(["a"], ["b"], [3.5])
    assert path.read_bytes() == before


def test_one_of_several_tables_or_views_is_chosen_by_name(base):
    view = """CREATE VIEW named AS SELECT anchor AS text, positive AS label FROM "my ""pairs\""""
    path = base(*SCORED, *PAIRS, view)
    assert data.read(f"{path}?table=sts") == Scored(["a"], ["b"], [3.5])
    assert data.read(f'{path}?table=my+"pairs') == Pairs(["a", "c"], ["b", "d"], [(), ()])
    assert data.read(f"{path}?table=named") == Labelled(["a", "c"], ["b", "d"])


def test_several_tables_without_a_choice(base):
    path = base(*SCORED, *PAIRS)
    assert f"{path} has 2 tables (my \"pairs, sts); choose one like this: '{path}?table=my \"pairs'" in message(path)
    assert "has no table 'st'; its tables: my \"pairs, sts; did you mean 'sts'?" in message(f"{path}?table=st")
    assert "has no table ''" in message(f"{path}?table=")
    assert "there is no such choice; known: table; did you mean 'table'?" in message(f"{path}?tabel=sts")


def test_every_fault_of_a_table(base):
    path = base(
        "CREATE TABLE pairs (anchor, positive)",
        "INSERT INTO pairs VALUES (NULL, 'b'), ('a', ' '), (3, x'00'), (CAST(x'ff' AS TEXT), 'b')",
    )
    assert message(path).split("\n") == [
        f"{path}?table=pairs has 5 faults:",
        "  - row 1, column 'anchor': null; expected text",
        "  - row 2, column 'positive': only white space; expected text",
        "  - row 3, column 'anchor': the number 3; expected text",
        "  - row 3, column 'positive': bytes; expected text",
        "  - row 4, column 'anchor': not valid Unicode (half of a surrogate pair, or bytes that are not UTF-8)",
        "Mend these rows or leave them out; nothing was done.",
    ]


def test_a_table_of_other_columns_and_an_empty_one(base):
    assert "its schema: columns 'id', 'body' fit no known shape" in message(base("CREATE TABLE posts (id, body)"))
    assert "has no rows" in message(base("CREATE TABLE t (text, label)", name="empty.db"))
    assert "has 0 tables (none)" in message(base("CREATE TABLE t (x)", "DROP TABLE t", name="none.db"))


def test_a_file_that_is_no_database(tmp_path):
    path = tmp_path / "chats.db"
    path.write_text("anchor,positive\n" * 100)
    assert "is no SQLite file that can be read (file is not a database)" in message(path)
