"""Messages in the order of conversations and time, in a temporary SQLite file of this process: no corpus is held.

SQLite keeps it in memory while it is small, else on the disk without a name, so that nothing can be left behind.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.messages.message import Message
from mlx_metaembed.errors import JobError

BATCH = 2_000
"""Rows that are written at once."""
SCHEMA = """
CREATE TABLE found (row INTEGER PRIMARY KEY, id TEXT, conversation TEXT, sender TEXT, text TEXT, time REAL,
  group_ TEXT);
CREATE TABLE asked (conversation TEXT, child TEXT, parent TEXT);
"""
ORDERED = """
CREATE TABLE messages (row INTEGER PRIMARY KEY, id TEXT, conversation TEXT, sender TEXT, text TEXT, time REAL,
  group_ TEXT, thread INTEGER);
INSERT INTO messages SELECT NULL, id, conversation, sender, text, time, group_, NULL FROM found
  ORDER BY conversation, time, row;
DROP TABLE found;
CREATE INDEX by_id ON messages (conversation, id);
CREATE TABLE links (child INTEGER, parent INTEGER, conversation TEXT, name TEXT);
INSERT INTO links
  SELECT (SELECT min(row) FROM messages m WHERE m.conversation = a.conversation AND m.id = a.child) AS child,
    (SELECT min(row) FROM messages m WHERE m.conversation = a.conversation AND m.id = a.parent) AS parent,
    conversation, a.parent AS name
  FROM asked a;
DROP TABLE asked;
CREATE INDEX by_child ON links (child);
"""


class Spool:
    """Takes messages with `add`; after `order` its `base` has the tables `messages` and `links`, rows from 1.

    A message without a text, or with one that is too long or no valid Unicode, is left out and counted.
    """

    def __init__(self, base: sqlite3.Connection, most: int) -> None:
        self.base = base
        self.left_out = 0
        self.count = 0
        self._most = most
        self._messages: list[tuple] = []
        self._links: list[tuple] = []

    def add(self, message: Message) -> None:
        """Take one message."""
        text = message.text.strip()
        if not text or len(text) >= self._most or not _is_unicode(text):
            self.left_out += 1
            return
        self.count += 1
        names = (_plain(message.id), _plain(message.conversation), _plain(message.sender))
        self._messages.append((*names, text, message.time, _plain(message.thread)))
        self._links += [(names[1], names[0], _plain(each)) for each in message.replies_to]
        if len(self._messages) >= BATCH:
            self._write()

    def order(self) -> None:
        """Put the messages into their order and find what they reply to."""
        self._write()
        self.base.executescript(ORDERED)

    def _write(self) -> None:
        self.base.executemany("INSERT INTO found VALUES (NULL, ?, ?, ?, ?, ?, ?)", self._messages)
        self.base.executemany("INSERT INTO asked VALUES (?, ?, ?)", self._links)
        self._messages.clear()
        self._links.clear()


@contextmanager
def opened(most: int) -> Iterator[Spool]:
    """An empty spool for texts of fewer than `most` characters. Raises JobError where the disk is full."""
    base = sqlite3.connect("", isolation_level=None)
    try:
        base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;" + SCHEMA)
        yield Spool(base, most)
    except sqlite3.Error as error:
        raise JobError(f"The temporary file of messages can't be written ({error}); is the disk full?") from None
    finally:
        base.close()


def _is_unicode(text: str) -> bool:
    return text.isascii() or Faults("", 1 << 62).text("", None, text)


def _plain(name: str | None) -> str | None:
    """A name that UTF-8 can hold."""
    return name if name is None or name.isascii() else name.encode("utf-8", "backslashreplace").decode("utf-8")
