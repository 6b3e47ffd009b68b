"""Which column of a table or a log is a message's text, sender, time, ...: as told, else by the names in use."""

from dataclasses import dataclass, field

from mlx_metaembed.data import columns as maps
from mlx_metaembed.data.columns import Columns
from mlx_metaembed.errors import CallError

NAMES = {
    "text": ("text", "content", "body", "message", "msg", "message_text"),
    "conversation": (
        *("conversation_id", "conversation", "chat_id", "chat", "channel_id", "channel", "room_id", "room"),
        *("dialog_id", "session_id", "group_id"),
    ),
    "sender": (
        *("sender", "sender_id", "author", "author_id", "user", "user_id", "username", "from", "from_id", "nick"),
        *("role", "speaker", "name"),
    ),
    "time": ("timestamp", "time", "date", "created_at", "sent_at", "datetime", "ts", "created"),
    "id": ("id", "message_id", "msg_id", "_id", "guid", "uuid", "ts"),
    "reply": (
        *("reply_to", "reply_to_id", "reply_to_message_id", "in_reply_to", "parent_id", "parent", "replies_to"),
        *("in_reply_to_id", "quoted_id"),
    ),
    "thread": ("thread_id", "thread", "thread_ts", "topic_id"),
}
"""The names in use for each role, the most telling first; `text` alone must be there."""


@dataclass
class Roles:
    """Chooses the columns of every kind of row in a source, and remembers which there were."""

    source: object
    columns: Columns
    seen: dict[str, None] = field(default_factory=dict)
    """Every column that was met."""
    missing: dict[str, None] = field(default_factory=dict)
    """The columns that were asked for by name; those that turn up are taken away."""

    def __post_init__(self) -> None:
        self.missing = dict.fromkeys(source for source in self.columns.chosen.values() if source)

    def choose(self, found: tuple[str, ...]) -> dict[str, maps.Path]:
        """Where each role's value lies in rows of such columns."""
        self.seen |= dict.fromkeys(found)
        paths, absent = self.columns.plan(found)
        told = {role: paths[role] for role in NAMES if self.columns.chosen.get(role) and role in paths}
        for source in list(self.missing):
            if source not in absent:
                del self.missing[source]
        plain = {name.lower(): name for name in found}
        taken = {path[0] for path in told.values()}
        for role, names in NAMES.items():
            if role in self.columns.chosen:
                continue
            for name in names:
                if name in plain and plain[name] not in taken:
                    told[role] = (plain[name],)
                    taken.add(plain[name])
                    break
        return told

    def choose_all(self, found: tuple[str, ...]) -> dict[str, maps.Path]:
        """As `choose`, of a source whose rows all have the same columns. Raises CallError as `require` does."""
        told = self.choose(found)
        self.require("text" in told)
        return told

    def require(self, text: bool) -> None:
        """Raise CallError where a column that was asked for, or that of the texts, is nowhere: it lists the others."""
        listed = ", ".join(self.seen) or "none"
        if self.missing:
            names = ", ".join(map(repr, self.missing))
            raise CallError(f"{self.source} has no column {names}; its columns: {listed}")
        if not text:
            raise CallError(
                f"{self.source} has no column of texts by a known name ({', '.join(NAMES['text'])}); its columns: "
                f"{listed}. Name it: --columns text=COLUMN,sender=COLUMN,time=COLUMN,conversation=COLUMN"
            )
