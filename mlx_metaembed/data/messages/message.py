"""A message as every source of conversations gives it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `time` in seconds since 1970 (UTC); `replies_to` has the ids of messages of the same conversation.

    `thread` is what the source itself calls the message's thread. Ids tell messages of one conversation apart.
    """

    id: str
    conversation: str
    text: str
    sender: str | None = None
    time: float | None = None
    replies_to: tuple[str, ...] = ()
    thread: str | None = None
