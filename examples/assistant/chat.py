"""A chat as rows: its days in three parts, and of each part messages, answers, and which messages belong together.

A message is written as a chat shows it, "sender: text". Days are whole: none is trained on and judged.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from mlx_metaembed.data.messages.make import Choices, make
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk

HELD_OUT, VALIDATION = 8, 8
"""Days that are judged, and days on which settings were chosen; of a smaller chat a fifth of them each."""
REACH, WINDOW = 8, 4
"""Two messages of a thread that are compared stand at most so many apart; those trained together are in a window."""
SOON = 10.0
"""Minutes in which a message is answered, or is not."""


@dataclass(frozen=True)
class Part:
    """Messages of some days, M of them: texts, each one's thread and day, and whether it was answered soon.

    `answers` int [A, 2] are messages and their answers; `answered` is 1 or 0, NaN where the log does not tell.
    """

    texts: list[str]
    bare: list[str]
    threads: np.ndarray
    days: np.ndarray
    answers: np.ndarray
    answered: np.ndarray


def read(source: Path, folder: Path) -> dict[str, Part]:
    """The parts of a chat, "training", "validation" and "held-out"; its rows are kept in `folder`.

    Raises CallError where the folder holds another chat's, or the chat has too few days.
    """
    made, whose = folder / "chat.json", str(source.resolve())
    if (before := disk.optional_json(made).get("data", whose)) != whose:
        raise CallError(f"{folder} holds what was made of {before}; expected another --out for {source}")
    rows = {}
    for kind in ("threads", "pairs"):
        path = folder / f"{kind}.jsonl"
        if not path.is_file():
            make(str(source), path, Choices(kind=kind))
        rows[kind] = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    disk.write_json(made, {"data": whose})
    days = {day(row) for row in rows["threads"]}
    if len(days) < 3:
        raise CallError(
            f"{source} has threads of {len(days)} days (or conversations without a date); expected 3 or more: some to "
            "train on, some to choose settings on, some to judge"
        )
    part_of = parts(days)
    chosen = {
        name: (lambda row, name=name: part_of[day(row)] == name) for name in ("training", "validation", "held-out")
    }
    return {name: _part(rows["threads"], rows["pairs"], is_own) for name, is_own in chosen.items()}


def day(row: dict) -> str:
    """The day of a row: the date in its conversation's name, else the conversation."""
    found = re.search(r"\d{4}-\d\d-\d\d", row["conversation"])
    return found[0] if found else row["conversation"]


def parts(days: set[str]) -> dict[str, str]:
    """The part of each day, drawn by a hash of its name, so that a day stays where it is when others come."""
    drawn = sorted(days, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    held_out = min(HELD_OUT, max(len(drawn) // 5, 1))
    validation = held_out + min(VALIDATION, max(len(drawn) // 5, 1))
    names = ["held-out"] * held_out + ["validation"] * (validation - held_out)
    return dict(zip(drawn, names + ["training"] * (len(drawn) - validation), strict=True))


def _part(messages: list[dict], answers: list[dict], is_own: Callable[[dict], bool]) -> Part:
    messages, answers = [row for row in messages if is_own(row)], [row for row in answers if is_own(row)]
    place = {(row["conversation"], row["id"]): at for at, row in enumerate(messages)}
    ends = [
        (place[row["conversation"], row["anchor_id"]], place[row["conversation"], row["answer_id"]]) for row in answers
    ]
    return Part(
        [f"{row['sender']}: {row['text']}" for row in messages],
        [row["text"] for row in messages],
        np.array([row["label"] for row in messages]),
        np.array([day(row) for row in messages]),
        np.array(ends, np.int64).reshape(-1, 2),
        _answered(messages, ends),
    )


def _answered(messages: list[dict], answers: list[tuple[int, int]]) -> np.ndarray:
    """Whether each message was answered within SOON minutes, 1 or 0; NaN where nobody can tell.

    What stands before a log's first answer is there only because it was answered, and its last minutes have no after.
    """
    times = np.array(
        [datetime.fromisoformat(row["time"]).timestamp() / 60 if row["time"] else np.nan for row in messages]
    )
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for _, answer in answers:
        log = messages[answer]["conversation"]
        first[log] = min(first.get(log, np.inf), times[answer])
        last[log] = max(last.get(log, -np.inf), times[answer])
    found = np.zeros(len(messages))
    for message, answer in answers:
        if times[answer] - times[message] <= SOON:
            found[message] = 1
    logs = [row["conversation"] for row in messages]
    begins, ends = (np.array([each.get(log, np.nan) for log in logs]) for each in (first, last))
    return np.where((times >= begins) & (times <= ends - SOON), found, np.nan)


def write(part: Part, folder: Path) -> dict[str, Path]:
    """Files to train on: pairs of a message and its answer, stretches of threads, messages with a score.

    A stretch is WINDOW messages of a thread: whole threads would leave a batch two or three of them to tell apart.
    """
    seen: Counter[str] = Counter()

    def stretch(thread: str) -> str:
        seen[thread] += 1
        return f"{thread}/{(seen[thread] - 1) // WINDOW}"

    rows = {
        "pairs": [{"anchor": part.texts[one], "positive": part.texts[other]} for one, other in part.answers],
        "threads": [
            {"text": text, "label": stretch(thread)}
            for text, thread in zip(part.texts, part.threads.tolist(), strict=True)
        ],
        "rated": [
            {"text": text, "score": score}
            for text, score in zip(part.texts, part.answered.tolist(), strict=True)
            if score == score
        ],
    }
    paths = {name: folder / f"training-{name}.jsonl" for name in rows}
    for name, path in paths.items():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows[name]), encoding="utf-8")
    return paths


@dataclass(frozen=True)
class Pairs:
    """Places of two messages each, int [n, 2]: answers, two of one thread, and two of one day and different threads."""

    answers: np.ndarray
    same: np.ndarray
    different: np.ndarray


def pairs(part: Part, seed: int = 0) -> Pairs:
    """A pair of each kind for every message that has one: the same pairs for every model."""
    random = np.random.default_rng(seed)
    same, different = [], []
    for at, (thread, day) in enumerate(zip(part.threads, part.days, strict=True)):
        later = np.flatnonzero(part.threads[at + 1 :] == thread)[:REACH] + at + 1
        others = np.flatnonzero((part.days == day) & (part.threads != thread))
        if len(others):
            different.append((at, random.choice(others)))
        if len(later):
            same.append((at, random.choice(later)))
    return Pairs(part.answers, *(np.array(each, np.int64).reshape(-1, 2) for each in (same, different)))
