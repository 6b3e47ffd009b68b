"""Conversations in, rows out: read, put in order, cut into threads, write."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.data import sources, writers
from mlx_metaembed.data.messages import parts, rows, spool, threads
from mlx_metaembed.data.messages import sources as messages
from mlx_metaembed.data.messages.message import Message
from mlx_metaembed.data.messages.spool import Spool
from mlx_metaembed.data.messages.threads import Threads
from mlx_metaembed.errors import CallError

Told = Callable[[int], None]


@dataclass(frozen=True)
class Choices:
    """What is asked: the kind of rows, how threads are told (`gap` in seconds), and what is held out."""

    kind: str = "pairs"
    preset: str = "auto"
    table: str = ""
    columns: str = ""
    way: str = "auto"
    gap: float = 1_800.0
    negatives: int = 0
    held_out: Path | None = None
    by: str = "time"
    share: float = 0.1
    seed: int = 0
    max_characters: int = 100_000


@dataclass(frozen=True)
class Made:
    """What was read and written."""

    preset: str
    messages: int
    left_out: int
    threads: Threads
    rows: int
    held_out: int


def make(source: str, out: Path, choices: Choices, told: Told = lambda count: None) -> Made:
    """Write the rows of a source's messages to `out`; `told` hears of messages read, then of rows.

    Raises CallError where the source can't be read, or its threads give no row.
    """
    path = sources.split(source)[0]
    writers.require_name(out, path)
    if choices.held_out:
        writers.require_name(choices.held_out, path)
        if choices.held_out.resolve() == out.resolve():
            raise CallError(f"{out} is to have both parts; name two files")
    if choices.negatives and choices.kind == "threads":
        raise CallError("Texts with their threads have no negatives: in a batch the other threads' texts are")
    with spool.opened(choices.max_characters) as held:

        def take(message: Message) -> None:
            held.add(message)
            told(1)

        preset = messages.fill(
            source,
            take,
            preset=choices.preset,
            table=choices.table,
            mapped=choices.columns,
            most=choices.max_characters,
        )
        if not held.count:
            raise CallError(_silent(source, held.left_out, preset))
        held.order()
        way = "replies" if choices.way == "auto" and preset == "irc" else choices.way
        found = threads.assign(held.base, way=way, gap=choices.gap)
        written = _write(held, found, path.name, out, choices, told)
    return Made(preset, held.count, held.left_out, found, *written)


def _write(held: Spool, found: Threads, source: str, out: Path, choices: Choices, told: Told) -> tuple[int, int]:
    """How many rows went to `out` and how many were held out."""
    apart = np.zeros(found.count, bool)
    if choices.held_out and found.alone < found.count:
        apart = parts.held_out(held.base, by=choices.by, share=choices.share, seed=choices.seed)
    counts = [0, 0]
    with ExitStack() as stack:
        write = [stack.enter_context(writers.json_lines(each)) for each in (out, choices.held_out) if each]
        for thread, row in _rows(held, found, apart, source, choices):
            part = int(apart[thread])
            write[part](row)
            counts[part] += 1
            told(1)
        for name, count in zip((out, choices.held_out), counts, strict=True):
            if name and not count:
                raise CallError(_empty(held, found, name, choices))
    return counts[0], counts[1]


def _rows(
    held: Spool, found: Threads, apart: np.ndarray, source: str, choices: Choices
) -> Iterator[tuple[int, dict[str, object]]]:
    """The number of each row's thread, and the row."""
    names = rows.Names(held.base)
    if choices.kind == "threads":
        for message in rows.whole_threads(held.base):
            yield message.thread, rows.as_text(message, names, source)
        return
    is_pairs = choices.kind == "pairs"
    negatives = rows.Negatives(held.base, apart, choices.seed)
    for pair in rows.answers(held.base, found) if is_pairs else rows.same_thread(held.base, choices.seed):
        if apart[pair[0].thread] != apart[pair[1].thread]:
            # A link across a gap, where threads end at gaps: one of its texts is held out.
            continue
        drawn = negatives.draw(pair, choices.negatives) if choices.negatives else []
        if len(drawn) < choices.negatives:
            raise CallError(
                f"{names.of(pair[0])}: {len(drawn)} of {choices.negatives} negatives found; expected as many messages "
                f"of other threads ({found.count:,} threads are there). Ask for fewer, or make more threads of the "
                "messages with a smaller --gap-minutes"
            )
        yield pair[0].thread, rows.as_pair(pair, names, source, drawn)


def _silent(source: str, left_out: int, preset: str) -> str:
    if not left_out:
        return f"{source} has no messages; expected two or more, each with a text"
    other = ". --columns text=COLUMN names another column" if preset == "table" else ""
    return (
        f"{source} has no message with a text: {left_out:,} have an empty one, none, one that is too long or no valid "
        f"Unicode{other}"
    )


def _empty(held: Spool, found: Threads, name: Path, choices: Choices) -> str:
    of = f"{held.count:,} messages in {found.count:,} threads"
    if found.alone == found.count:
        return (
            f"{of}: each thread has one message, which makes no row. "
            + ("They follow the reply links; --threads gaps cuts by time instead" if found.by_links else "")
            + ("" if found.by_links else "Messages further apart than --gap-minutes begin a new thread: raise it")
        )
    if choices.kind == "pairs":
        return (
            f"{of} give {name} no pair: nobody answers, or one and the same sender wrote all of a thread; "
            "--rows same-thread takes any two messages of a thread"
        )
    return f"{of} give {name} no row; expected two different texts in a thread"
