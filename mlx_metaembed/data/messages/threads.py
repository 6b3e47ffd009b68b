"""Which messages belong together: by reply links where a conversation has them, else by gaps in time."""

import sqlite3
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.data.joined import Joined

DENSE = 0.1
"""From such a share of answers on, what a conversation's messages do not answer is no part of their thread."""
BATCH = 10_000
GROUPED = """SELECT conversation, group_, row FROM messages WHERE group_ IS NOT NULL
ORDER BY conversation, group_, row"""


@dataclass(frozen=True)
class Threads:
    """What was found: how many threads there are, by what, and which of them have one message."""

    count: int
    alone: int
    by_links: frozenset[str]
    """The conversations whose threads are those of the reply links."""
    by_gaps: int
    """Conversations whose threads end at gaps in time."""
    unresolved: int
    """Answers to what is not there."""


def assign(base: sqlite3.Connection, *, way: str, gap: float) -> Threads:
    """Number the threads, in the order of their first messages, into the column `thread` of `messages`.

    `way` is auto, replies or gaps; `gap` are the seconds after which a message begins a new thread. A message that
    answers belongs to the thread of what it answers, in any way but gaps.
    """
    rows = base.execute("SELECT count(*) FROM messages").fetchone()[0]
    joined = Joined(rows)
    linked = np.zeros(rows + 1, bool)
    unresolved = 0
    if way != "gaps":
        unresolved = _join_links(base, joined, linked)
        _join_groups(base, joined, linked)
    dense = frozenset() if way == "gaps" else _dense(base, linked, every=way == "replies")
    gapped = _join_gaps(base, joined, linked, dense, gap)
    numbers, sizes = joined.numbers()
    base.execute("BEGIN")
    for start in range(1, rows + 1, BATCH):
        part = range(start, min(start + BATCH, rows + 1))
        base.executemany("UPDATE messages SET thread = ? WHERE row = ?", [(int(numbers[row - 1]), row) for row in part])
    base.execute("COMMIT")
    base.execute("CREATE INDEX by_thread ON messages (thread, row)")
    return Threads(len(sizes), int((sizes == 1).sum()), dense, gapped, unresolved)


def _join_links(base: sqlite3.Connection, joined: Joined, linked: np.ndarray) -> int:
    """Join answers with what they answer, and those to one and the same missing message; how many of these."""
    missing, places = 0, {}
    for child, parent, conversation, name in base.execute("SELECT child, parent, conversation, name FROM links"):
        if child is None:
            continue
        linked[child] = True
        if parent is None:
            missing += 1
            parent = places.setdefault((conversation, name), child)
        joined.join(child - 1, parent - 1)
    return missing


def _join_groups(base: sqlite3.Connection, joined: Joined, linked: np.ndarray) -> None:
    """Join what the source itself calls one thread."""
    last: tuple = ()
    for conversation, group, row in base.execute(GROUPED):
        linked[row] = True
        if last and last[:2] == (conversation, group):
            joined.join(last[2] - 1, row - 1)
        last = (conversation, group, row)


def _dense(base: sqlite3.Connection, linked: np.ndarray, *, every: bool) -> frozenset[str]:
    """The conversations whose threads are told by links: a share of DENSE has one, or `every` is asked."""
    found = []
    for conversation, first, last in base.execute(
        "SELECT conversation, min(row), max(row) FROM messages GROUP BY conversation"
    ):
        share = linked[first : last + 1].mean()
        if every or share >= DENSE:
            found.append(conversation)
    return frozenset(found)


def _join_gaps(base: sqlite3.Connection, joined: Joined, linked: np.ndarray, dense: frozenset[str], gap: float) -> int:
    """Join each message that answers none with the one before it in its conversation, where no gap is between them.

    The number of conversations. Without times there is no gap.
    """
    before, at, place, found = None, 0.0, 0, 0
    for row, conversation, time in base.execute("SELECT row, conversation, time FROM messages ORDER BY row"):
        if conversation in dense:
            continue
        new = conversation != before
        found += new
        late = time is not None and at is not None and time - at > gap
        if not new and not late and not linked[row]:
            joined.join(place - 1, row - 1)
        before, at, place = conversation, time, row
    return found
