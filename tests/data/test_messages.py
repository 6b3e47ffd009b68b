"""Conversations as rows: Apple's chat.db, tables, logs and IRC; threads, answers and what is held out."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mlx_metaembed.data import read, sqlite_file
from mlx_metaembed.data.messages import typedstream
from mlx_metaembed.data.messages.make import Choices, make
from mlx_metaembed.errors import CallError

HEADER = b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00\x85"
STRING = b"\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+"
END = b"\x86\x84\x02iI\x01\x02\x92\x84\x84\x84\x0cNSDictionary\x00\x95\x84\x01i\x01\x86\x86"


def archived(text: str) -> bytes:
    raw = text.encode()
    size = bytes([len(raw)]) if len(raw) < 128 else b"\x81" + len(raw).to_bytes(2, "little")
    return HEADER + STRING + size + raw + END


def base(path: Path, *statements: str | tuple) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.executemany(*statement) if isinstance(statement, tuple) else connection.execute(statement)
    return path


def made(source: Path, out: Path, **choices) -> list[dict]:
    make(str(source), out, Choices(**choices))
    return [json.loads(line) for line in out.read_text().splitlines()]


def texts(rows: list[dict]) -> list[tuple]:
    return [(row["anchor"], row["positive"]) for row in rows]


def refused(source: Path, out: Path, **choices) -> str:
    with pytest.raises(CallError) as error:
        make(str(source), out, Choices(**choices))
    assert not out.exists()
    return str(error.value)


MESSAGES = "CREATE TABLE messages (conversation_id, sender, text, timestamp)"
TALK = [
    ("a", "ann", "are you there?", 1_700_000_000),
    ("a", "bob", "yes", 1_700_000_060),
    ("a", "bob", "what is it?", 1_700_000_070),
    ("a", "ann", "the door is open", 1_700_000_100),
    ("a", "ann", "next day", 1_700_090_000),
    ("b", "cat", "lunch?", 1_700_000_050),
    ("b", "dan", "at noon", 1_700_000_055),
    ("b", "cat", None, 1_700_000_056),
]


@pytest.fixture
def talk(tmp_path):
    return base(tmp_path / "talk.db", MESSAGES, ("INSERT INTO messages VALUES (?, ?, ?, ?)", TALK))


def test_answers_of_a_table_by_gaps(talk, tmp_path):
    before = talk.read_bytes()
    rows = made(talk, tmp_path / "out.jsonl")
    assert texts(rows) == [
        ("are you there?", "yes"),
        ("what is it?", "the door is open"),
        ("lunch?", "at noon"),
    ]
    assert rows[0] == {
        "anchor": "are you there?",
        "positive": "yes",
        "conversation": "a",
        "thread": "a/1",
        "time": "2023-11-14T22:14:20Z",
        "anchor_id": "1",
        "anchor_sender": "ann",
        "answer_id": "2",
        "answer_sender": "bob",
        "source": "talk.db",
    }
    assert talk.read_bytes() == before
    assert read(tmp_path / "out.jsonl").anchors[0] == "are you there?"
    assert len(made(talk, tmp_path / "out.jsonl", gap=20.0)) == 1


def test_threads_as_labelled_texts_and_same_thread(talk, tmp_path):
    rows = made(talk, tmp_path / "out.jsonl", kind="threads")
    assert [(row["text"], row["label"]) for row in rows] == [
        ("are you there?", "a/1"),
        ("yes", "a/1"),
        ("what is it?", "a/1"),
        ("the door is open", "a/1"),
        ("lunch?", "b/1"),
        ("at noon", "b/1"),
    ]
    rows = made(talk, tmp_path / "same.jsonl", kind="same-thread", negatives=2)
    assert [row["anchor"] for row in rows] == ["are you there?", "yes", "what is it?", "lunch?"]
    for row in rows:
        own = {text for _, _, text, _ in TALK if text and (text in ("lunch?", "at noon")) == (row["thread"] == "b/1")}
        own -= {"next day"}
        assert row["positive"] in own and not {row["negative_1"], row["negative_2"]} & own


def test_what_is_held_out(talk, tmp_path):
    out, held = tmp_path / "train.jsonl", tmp_path / "held.jsonl"
    for by, share in (("time", 0.3), ("conversation", 0.3), ("thread", 0.3)):
        make(str(talk), out, Choices(kind="threads", held_out=held, by=by, share=share))
        labels = [{json.loads(line)["label"] for line in path.read_text().splitlines()} for path in (out, held)]
        assert sorted(map(sorted, labels)) == [["a/1"], ["b/1"]], by
        if by == "time":
            assert labels[1] == {"b/1"}
    one = base(tmp_path / "one.db", MESSAGES, ("INSERT INTO messages VALUES (?, ?, ?, ?)", TALK[:4]))
    assert "1 conversation of two or more messages can't be split by conversation" in refused(
        one, tmp_path / "x.jsonl", held_out=tmp_path / "y.jsonl", by="conversation"
    )


def test_reply_links_of_a_log(tmp_path):
    log = tmp_path / "log.jsonl"
    rows = [
        {"id": 1, "author": "a", "content": "one", "ts": "2024-05-01T12:00:00Z"},
        {"id": 2, "author": "b", "content": "two", "ts": "2024-05-01T12:00:01Z"},
        {"id": 3, "author": "c", "content": "to one", "ts": "2024-05-03T12:00:00Z", "reply_to": 1},
        {"id": 4, "author": "a", "content": "to gone", "ts": "2024-05-03T12:00:01Z", "reply_to": 99},
        {"id": 5, "author": "b", "content": "too", "ts": "2024-05-03T12:00:02Z", "reply_to": 99},
    ]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert texts(made(log, tmp_path / "out.jsonl")) == [("one", "to one")]
    found = made(log, tmp_path / "t.jsonl", kind="threads")
    assert [(row["text"], row["label"]) for row in found] == [
        ("one", "log/1"),
        ("to one", "log/1"),
        ("to gone", "log/3"),
        ("too", "log/3"),
    ]
    choices = {"way": "gaps", "held_out": tmp_path / "held.jsonl", "share": 0.5}
    assert texts(made(log, tmp_path / "part.jsonl", **choices)) == [("one", "two")]
    assert texts(made(log, tmp_path / "g.jsonl", way="gaps")) == [
        ("one", "two"),
        ("one", "to one"),
        ("to one", "to gone"),
        ("to gone", "too"),
    ]


CHAT = (
    "CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid TEXT, text TEXT, attributedBody BLOB, handle_id INTEGER, "
    "date INTEGER, is_from_me INTEGER, associated_message_type INTEGER, item_type INTEGER, "
    "thread_originator_guid TEXT)",
    "CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT)",
    "CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, chat_identifier TEXT)",
    "CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER)",
    "INSERT INTO handle VALUES (1, '+15550001')",
    "INSERT INTO chat VALUES (7, '+15550001')",
    "INSERT INTO chat_message_join VALUES (7, 1), (7, 2), (7, 3), (7, 4)",
)


def test_apple_s_chat_db(tmp_path):
    nano = 700_000_000 * 10**9
    long = "gr\u00fc\u00dfe " * 40
    rows = [
        (1, "G1", "hello", None, 1, nano, 0, 0, 0, None),
        (2, "G2", None, archived(long), 0, nano + 60 * 10**9, 1, 0, 0, None),
        (3, "G3", "Liked \u201chello\u201d", None, 0, nano + 61 * 10**9, 1, 2000, 0, "G1"),
        (4, "G4", None, archived("\ufffclook"), 1, nano + 70 * 10**9, 0, 0, 0, None),
    ]
    path = base(tmp_path / "chat.db", *CHAT, (f"INSERT INTO message VALUES ({', '.join('?' * 10)})", rows))
    found = made(path, tmp_path / "out.jsonl")
    assert texts(found) == [("hello", long.strip()), (long.strip(), "look")]
    assert (found[0]["conversation"], found[0]["time"]) == ("+15550001", "2023-03-08T20:27:40Z")
    assert (found[0]["anchor_sender"], found[0]["answer_sender"]) == ("+15550001", "me")
    base(path, "ALTER TABLE message RENAME COLUMN date TO day")
    assert "table 'message' has no column 'date'; its columns: ROWID, guid, text" in refused(path, tmp_path / "x.jsonl")


def test_typedstreams():
    assert typedstream.text(archived("caf\u00e9")) == "caf\u00e9"
    assert typedstream.text(archived("x" * 300)) == "x" * 300
    for wrong in (b"", HEADER, HEADER + STRING, archived("hello")[:-60], b"bplist00" + STRING + b"\x01a"):
        assert typedstream.text(wrong) is None


def test_irc_with_reply_links(tmp_path):
    folder = tmp_path / "irc" / "train"
    folder.mkdir(parents=True)
    lines = ["[11:59] <ann> how?", "=== bob has joined", "[12:01] <bob> so", "[01:00] <cat> late", "[01:01] <ann> ok"]
    (folder / "2004-11-15.ascii.txt").write_text("\n".join(lines) + "\n")
    (folder / "2004-11-15.annotation.txt").write_text("0 0 -\n0 2 -\n3 3 -\n")
    rows = made(tmp_path / "irc", tmp_path / "out.jsonl")
    assert texts(rows) == [("how?", "so")]
    assert (rows[0]["conversation"], rows[0]["time"]) == ("train/2004-11-15", "2004-11-15T12:01:00Z")
    rows = made(tmp_path / "irc", tmp_path / "gaps.jsonl", way="gaps", kind="threads")
    assert [row["time"][11:16] for row in rows] == ["11:59", "12:01", "13:00", "13:01"]


def test_bad_input(talk, tmp_path, monkeypatch):
    out = tmp_path / "out.jsonl"
    assert "has no table 'chats'; its tables: messages" in refused(talk, out, table="chats")
    listed = "its columns: conversation_id, sender, text, timestamp"
    assert f"has no column 'body'; {listed}" in refused(talk, out, columns="text=body")
    two = base(tmp_path / "two.db", "CREATE TABLE x (a, b)", "CREATE TABLE y (c)")
    assert "has 2 tables; choose one with --table. Its tables and columns:\n  x: a, b\n  y: c" in refused(two, out)
    assert "no column of texts by a known name" in refused(two, out, table="x")
    alone = base(tmp_path / "alone.db", MESSAGES, ("INSERT INTO messages VALUES (?, ?, ?, ?)", TALK[:1]))
    assert "1 messages in 1 threads: each thread has one message" in refused(alone, out)
    assert "negatives found; expected as many messages of other threads" in refused(talk, out, negatives=9)
    silent = base(tmp_path / "silent.db", MESSAGES, ("INSERT INTO messages VALUES (?, ?, ?, ?)", TALK[-1:]))
    assert "has no message with a text: 1 have an empty one, none," in refused(silent, out)
    (tmp_path / "no.db").write_text("text,sender\n" * 99)
    assert "no.db is no SQLite file that can be read (file is not a database)" in refused(tmp_path / "no.db", out)
    assert "There is no file or folder" in refused(tmp_path / "gone.db", out)
    assert "expected a name that ends in .jsonl" in refused(talk, tmp_path / "out.csv")
    monkeypatch.setattr(sqlite_file, "LOCK_SECONDS", 0.01)
    with closing(sqlite3.connect(talk)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program holds a lock on it" in refused(talk, out)


def test_tables_without_rows(tmp_path):
    out, header = tmp_path / "out.jsonl", "conversation_id,sender,text,timestamp\n"
    empty = base(tmp_path / "empty.db", MESSAGES)
    assert refused(empty, out) == f"{empty}?table=messages has no rows; expected a message a row"
    (tmp_path / "empty.csv").write_text(header)
    assert "empty.csv has no rows" in refused(tmp_path / "empty.csv", out)


def test_a_database_that_is_written_through_a_second_file(talk, tmp_path):
    rows, out = tmp_path / "closed.jsonl", tmp_path / "out.jsonl"
    with closing(sqlite3.connect(talk)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["talk.db"]
    assert len(made(talk, rows)) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["closed.jsonl", "talk.db"]
    with closing(sqlite3.connect(talk)) as connection:
        connection.execute("INSERT INTO messages VALUES ('b', 'cat', 'fine', 1700000060)")
        connection.commit()
        assert len(made(talk, out)) == 4
    out.unlink()
    fresh = tmp_path / "fresh.db"
    with closing(sqlite3.connect(fresh)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(MESSAGES)
        connection.execute("PRAGMA wal_checkpoint")
        connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?)", TALK)
        connection.commit()
        (tmp_path / "copy.db").write_bytes(fresh.read_bytes())
        said = refused(tmp_path / "copy.db", out)
    assert said.endswith(
        "has no rows; expected a message a row. If it is a copy, copy copy.db-wal too: the newest rows stand there"
    )
    assert not list(tmp_path.glob("copy.db-*"))


def test_a_database_that_changes_while_it_is_read_as_it_lies(talk):
    with closing(sqlite3.connect(talk)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    with pytest.raises(CallError, match=r"talk\.db was written to while it was read"), sqlite_file.opened(talk):
        talk.write_bytes(talk.read_bytes() + bytes(4096))


def test_a_database_that_is_cut_short(talk, tmp_path):
    cut = tmp_path / "cut.db"
    cut.write_bytes(talk.read_bytes()[:5000])
    assert refused(cut, tmp_path / "out.jsonl") == (
        f"{cut} is cut short: 5,000 bytes, expected whole pages of 4,096. Copy it again"
    )


def test_apple_s_chat_db_without_messages(tmp_path):
    tables = ["message (ROWID, date)", "chat (ROWID, chat_identifier)", "handle (ROWID, id)"]
    path = base(
        tmp_path / "chat.db",
        *(f"CREATE TABLE {table}" for table in [*tables, "chat_message_join (chat_id, message_id)"]),
    )
    said = refused(path, tmp_path / "out.jsonl")
    assert said == f"{path} has no messages; expected two or more, each with a text"
