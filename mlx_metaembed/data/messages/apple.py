"""Apple's `chat.db`: the messages of Messages.app, with their chats and senders.

Times count from 2001, in ns since macOS 10.13 and in s before. Newer versions leave `text` empty and keep the text in
`attributedBody`. Tapbacks and what says that somebody joined are rows too; they are left out.
"""

from collections.abc import Callable
from pathlib import Path

from mlx_metaembed.data import sqlite_file
from mlx_metaembed.data.messages import typedstream
from mlx_metaembed.data.messages.message import Message
from mlx_metaembed.errors import faults

TABLES = ("message", "chat", "handle", "chat_message_join")
COLUMNS = {
    "message": ("ROWID", "date"),
    "chat": ("ROWID", "chat_identifier"),
    "handle": ("ROWID", "id"),
    "chat_message_join": ("chat_id", "message_id"),
}
OPTIONAL = {
    "guid": "m.ROWID",
    "text": "NULL",
    "attributedBody": "NULL",
    "is_from_me": "0",
    "handle_id": "0",
    "thread_originator_guid": "NULL",
    "associated_message_type": "0",
    "item_type": "0",
}
"""Columns of `message` that not every version has, and what stands for them."""
EPOCH = 978_307_200.0
"""Seconds from 1970 to 2001."""
NANOSECONDS = 1e11
"""A date above this counts ns: as seconds it were the year 5169."""
ATTACHMENT = "\ufffc"
"""Stands in a text where an image or a file does."""


def is_apple(tables: dict[str, bool]) -> bool:
    """Whether a file has the tables of `chat.db`."""
    return set(TABLES) <= set(tables)


def fill(path: Path, take: Callable[[Message], None]) -> None:
    """Give every message. Raises CallError where a column that is needed isn't there: it lists those that are."""
    with sqlite_file.opened(path) as (base, waiting):
        found = {table: sqlite_file.columns(base, table) for table in TABLES}
        wrong = [
            f"table {table!r} has no column {name!r}; its columns: {', '.join(found[table])}"
            for table, names in COLUMNS.items()
            for name in names
            if name not in found[table]
        ]
        if wrong:
            raise faults(f"{path} has the tables of Apple's chat.db, but not their columns:", wrong)
        chosen = [f"m.{name}" if name in found["message"] else other for name, other in OPTIONAL.items()]
        rows = base.execute(
            f"SELECT {', '.join(chosen)}, m.date, h.id, "
            "(SELECT min(c.chat_identifier) FROM chat_message_join j JOIN chat c ON c.ROWID = j.chat_id "
            "WHERE j.message_id = m.ROWID) "
            f"FROM message m LEFT JOIN handle h ON h.ROWID = {chosen[4]}"
        )
        for guid, text, body, own, _, origin, reaction, kind, date, handle, chat in rows:
            waiting.seen()
            if reaction or kind:
                continue
            if not text and isinstance(body, bytes):
                text = typedstream.text(body)
            take(
                Message(
                    str(guid),
                    str(chat or handle or "unknown"),
                    text.replace(ATTACHMENT, "").strip() if isinstance(text, str) else "",
                    "me" if own else handle,
                    _time(date),
                    (str(origin),) if origin else (),
                )
            )


def _time(date: object) -> float | None:
    if isinstance(date, bool) or not isinstance(date, int | float) or not date:
        return None
    return EPOCH + (date / 1e9 if abs(date) > NANOSECONDS else date)
