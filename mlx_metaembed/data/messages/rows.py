"""Rows out of threads: a message and its answer, two messages of one thread, or all of a thread's with its name."""

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

import numpy as np

from mlx_metaembed.data.messages.threads import Threads
from mlx_metaembed.data.messages.times import written

KINDS = ("pairs", "same-thread", "threads")
REACH = 8
"""Two messages of a thread stand so many apart at most."""
LONGEST = 512
"""Messages of a thread that are held at once."""
MESSAGES = "SELECT row, id, conversation, sender, text, time, thread, group_ FROM messages ORDER BY thread, row"
ANSWERS = """
SELECT m.row, m.id, m.conversation, m.sender, m.text, m.time, m.thread, m.group_,
  p.row, p.id, p.conversation, p.sender, p.text, p.time, p.thread, p.group_
FROM messages m LEFT JOIN links l ON l.child = m.row AND l.parent <> m.row LEFT JOIN messages p ON p.row = l.parent
ORDER BY m.thread, m.row
"""


class Kept(NamedTuple):
    """A message as it lies in the spool."""

    row: int
    id: str
    conversation: str
    sender: str | None
    text: str
    time: float | None
    thread: int
    group: str | None


def answers(base: sqlite3.Connection, threads: Threads) -> Iterator[tuple[Kept, Kept]]:
    """Each message that is answered, and its answer: the message that it replies to, else the one before it.

    The one before it is of the same thread and of another sender, and counts only where reply links don't tell.
    """
    before = None
    for found in base.execute(ANSWERS):
        message = Kept(*found[:8])
        if found[8] is not None:
            asked = Kept(*found[8:])
            if asked.text != message.text:
                yield asked, message
        elif before and (message.group or message.conversation not in threads.by_links) and _follows(before, message):
            yield before, message
        before = message


def same_thread(base: sqlite3.Connection, seed: int) -> Iterator[tuple[Kept, Kept]]:
    """Each message of a thread but the last, with one that follows it within REACH, chosen by `seed`."""
    random = np.random.default_rng(seed)
    for _, found in groupby(map(Kept._make, base.execute(MESSAGES)), key=lambda message: message.thread):
        held: list[Kept] = []
        for message in found:
            held.append(message)
            if len(held) == LONGEST:
                yield from _drawn(held, random)
                held = held[-1:]
        yield from _drawn(held, random)


def whole_threads(base: sqlite3.Connection) -> Iterator[Kept]:
    """The messages of every thread that has two or more, a thread after the other."""
    for _, found in groupby(map(Kept._make, base.execute(MESSAGES)), key=lambda message: message.thread):
        first = next(found)
        for number, message in enumerate(found):
            if not number:
                yield first
            yield message


class Names:
    """Names of threads: the conversation, and the thread's number in it from 1."""

    def __init__(self, base: sqlite3.Connection) -> None:
        self._first = dict(base.execute("SELECT conversation, min(thread) FROM messages GROUP BY conversation"))

    def of(self, message: Kept) -> str:
        """The name of a message's thread."""
        return f"{message.conversation}/{message.thread - self._first[message.conversation] + 1}"


class Negatives:
    """Messages of other threads, drawn by `seed`: of the same conversation where it has others, else of any.

    `parts` has the part (held out or not) of each thread; a negative is of its row's.
    """

    def __init__(self, base: sqlite3.Connection, parts: np.ndarray, seed: int) -> None:
        self._base, self._parts = base, parts
        self._random = np.random.default_rng(seed)
        bounds = base.execute("SELECT conversation, min(row), max(row) FROM messages GROUP BY conversation")
        self._bounds = {conversation: (first, last) for conversation, first, last in bounds}
        self._all = (1, max((last for _, last in self._bounds.values()), default=0))

    def draw(self, pair: tuple[Kept, Kept], count: int) -> list[str]:
        """So many different texts, or fewer where no more were found."""
        found: list[str] = []
        threads, texts = {each.thread for each in pair}, {each.text for each in pair}
        for bounds, tries in ((self._bounds[pair[0].conversation], 8 * count), (self._all, 32 * count)):
            for row in self._random.integers(bounds[0], bounds[1] + 1, tries).tolist():
                if len(found) == count:
                    return found
                text, thread = self._base.execute("SELECT text, thread FROM messages WHERE row = ?", (row,)).fetchone()
                if thread not in threads and text not in texts and self._parts[thread] == self._parts[pair[0].thread]:
                    found.append(text)
                    texts.add(text)
        return found


def as_pair(pair: tuple[Kept, Kept], names: Names, source: str, negatives: list[str]) -> dict[str, object]:
    """A pair as it is written: two texts, negatives, and where they come from."""
    first, second = pair
    return {
        "anchor": first.text,
        "positive": second.text,
        **{f"negative_{number}": text for number, text in enumerate(negatives, 1)},
        "conversation": first.conversation,
        "thread": names.of(first),
        "time": written(second.time),
        "anchor_id": first.id,
        "anchor_sender": first.sender,
        "answer_id": second.id,
        "answer_sender": second.sender,
        "source": source,
    }


def as_text(message: Kept, names: Names, source: str) -> dict[str, object]:
    """A message as it is written: its text, its thread as the label, and where it comes from."""
    return {
        "text": message.text,
        "label": names.of(message),
        "conversation": message.conversation,
        "time": written(message.time),
        "id": message.id,
        "sender": message.sender,
        "source": source,
    }


def _follows(before: Kept, message: Kept) -> bool:
    if before.thread != message.thread or before.text == message.text:
        return False
    return before.sender != message.sender or before.sender is None


def _drawn(held: list[Kept], random: np.random.Generator) -> Iterator[tuple[Kept, Kept]]:
    for place, message in enumerate(held[:-1]):
        other = held[place + 1 + int(random.integers(min(REACH, len(held) - 1 - place)))]
        if other.text != message.text:
            yield message, other
