"""Logs of IRC with reply links: each file a conversation, its messages told by their lines.

A line is `[15:29] <nick> text`, a channel and a date may stand before it; the date may stand in the file's name too.
What the program says itself (`=== nick has joined`) is no message.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.messages.message import Message
from mlx_metaembed.data.readers import replies

LINE = re.compile(
    r"(?:\S+ )?(?:(?P<date>\d{4}-\d\d-\d\d) )?\[(?P<clock>\d\d:\d\d(?::\d\d)?)\] "
    r"(?:<(?P<nick>[^>]+)>|\* (?P<actor>\S+)) ?(?P<text>.*)"
)
DATE = re.compile(r"\d{4}-\d\d-\d\d")
HALF_DAY, DAY, BACK = 43_200, 86_400, 3_600
"""Seconds; so far a clock goes back only where its half day or its day is over."""


def is_irc(folder: Path) -> bool:
    """Whether files of reply links lie in a folder or below it."""
    return next(folder.rglob(f"*{replies.LINKS}"), None) is not None


def fill(folder: Path, faults: Faults, take: Callable[[Message], None]) -> None:
    """Give every message of every file below a folder, in the order of names. Notes the faults."""
    for links in sorted(folder.rglob(f"*{replies.LINKS}")):
        name = links.relative_to(folder).as_posix().removesuffix(replies.LINKS)
        messages = replies.messages(links, faults)
        if messages is None:
            continue
        answered: dict[int, list[str]] = {}
        for first, second in replies.links(links, len(messages), faults):
            answered.setdefault(second, []).append(str(first))
        clock = _Clock(name)
        for number, line in enumerate(messages):
            found = LINE.fullmatch(line)
            time = clock.read(found["date"], found["clock"]) if found else None
            sender = (found["nick"] or found["actor"]) if found else None
            text = found["text"].strip() if found else ""
            take(Message(str(number), name, text, sender, time, tuple(answered.get(number, ()))))


class _Clock:
    """The times of a file's lines in seconds since 1970; a clock without a date goes on from the file's."""

    def __init__(self, name: str) -> None:
        found = DATE.search(name)
        self._day = _midnight(found[0]) if found else None
        self._latest = 0.0

    def read(self, date: str | None, clock: str) -> float | None:
        hours, minutes, *seconds = map(int, clock.split(":"))
        day = _midnight(date) if date else self._day
        if day is None:
            return None
        time = day + 3600 * hours + 60 * minutes + (seconds[0] if seconds else 0)
        if not date and self._latest - time > BACK:
            # Old logs have a clock of twelve hours.
            step = HALF_DAY if time + HALF_DAY >= self._latest else DAY
            while time < self._latest:
                time += step
        # Lines stand in the order in which they came.
        self._latest = max(self._latest, time)
        return self._latest


def _midnight(date: str) -> float | None:
    try:
        return datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None
