"""`metaembed data messages`: conversations as rows."""

from pathlib import Path

import click

from mlx_metaembed.cli.data.progress import counting
from mlx_metaembed.cli.number_range import NumberRange
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, note
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed data messages ~/Library/Messages/chat.db chats.jsonl
  metaembed data messages bot.db chats.jsonl --table log --columns text=body,sender=who,time=sent
  metaembed data messages irc/train irc.jsonl --negatives 1
  metaembed data messages log.jsonl train.jsonl --rows threads --held-out dev.jsonl --by conversation
"""


@click.command("messages", epilog=EPILOG)
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--rows",
    "kind",
    type=click.Choice(["pairs", "same-thread", "threads"]),
    default="pairs",
    show_default=True,
    help="A message and its answer; two messages of a thread; or every text with its thread as the label.",
)
@click.option(
    "--preset",
    type=click.Choice(["auto", "apple", "irc", "table"]),
    default="auto",
    show_default=True,
    help="What SOURCE is; auto tells it by its tables and files.",
)
@click.option("--table", default="", help="The table of an SQLite file. Default: messages, or the only one.")
@click.option(
    "--columns",
    default="",
    metavar="NAME=COLUMN,...",
    help="What SOURCE calls text, sender, time, conversation, id, reply (the id that is answered) and thread.",
)
@click.option(
    "--threads",
    "way",
    type=click.Choice(["auto", "replies", "gaps"]),
    default="auto",
    show_default=True,
    help="What ends a thread: the reply links, or gaps in time. auto: links in conversations that have them.",
)
@click.option(
    "--gap-minutes",
    type=NumberRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="After so long a message begins a new thread.",
)
@click.option(
    "--negatives",
    type=click.IntRange(0, 64),
    default=0,
    show_default=True,
    help="Messages of other threads beside each pair, of the same conversation where it has others.",
)
@click.option("--held-out", type=click.Path(path_type=Path), help="A second file, which gets a share of the threads.")
@click.option(
    "--by",
    type=click.Choice(["time", "conversation", "thread"]),
    default="time",
    show_default=True,
    help="What is held out: the threads that begin last, whole conversations, or any threads.",
)
@click.option(
    "--share",
    type=NumberRange(0, 1, min_open=True, max_open=True),
    default=0.1,
    show_default=True,
    help="The share of the messages that is held out.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Draws negatives, partners and held-out threads.")
@click.option(
    "--max-characters", type=click.IntRange(1), default=100_000, show_default=True, help="Longer texts are left out."
)
@json_option
def command(source: str, out: Path, kind: str, gap_minutes: float, as_json: bool, **chosen: object) -> None:
    """Write the messages of SOURCE as rows to train on into OUT.jsonl.

    SOURCE is Apple's chat.db, a table of an SQLite file, a log (.jsonl, .csv, .parquet) with a message a row, or a
    folder of IRC logs with reply links. Column names in use are known: text, content, sender, timestamp, reply_to, ...
    A thread is never in both files. Each row says its conversation, thread, time, ids and source.
    """
    from mlx_metaembed.data.messages.make import Choices, make

    choices = Choices(kind=kind, gap=60 * gap_minutes, **chosen)
    with Progress(None, "messages") as bar:
        made = make(source, out, choices, counting(bar, "messages and rows", 1_000))
    threads = made.threads
    if made.left_out:
        note(f"Data: {made.left_out:,} messages without a text (empty, too long, or no valid Unicode) are left out")
    if threads.alone:
        note(f"Data: {threads.alone:,} threads have one message, which is beside no other")
    if threads.unresolved:
        note(f"Data: {threads.unresolved:,} answers are to messages that are not there")
    result = {
        "source": source,
        "out": str(out),
        "preset": made.preset,
        "kind": kind,
        "rows": made.rows,
        "held_out": str(choices.held_out) if choices.held_out else None,
        "held_out_rows": made.held_out,
        "messages": made.messages,
        "left_out": made.left_out,
        "threads": threads.count,
        "threads_of_one": threads.alone,
        "conversations_by_replies": len(threads.by_links),
        "conversations_by_gaps": threads.by_gaps,
    }
    ways = [
        f"{len(threads.by_links):,} conversations by reply links" if threads.by_links else "",
        f"{threads.by_gaps:,} by gaps of {gap_minutes:g} minutes" if threads.by_gaps else "",
    ]
    lines = [
        f"{out}: {made.rows:,} rows ({kind}) out of {made.messages:,} messages in {threads.count:,} threads "
        f"({', '.join(filter(None, ways))})."
    ]
    if choices.held_out:
        lines.append(f"{choices.held_out}: {made.held_out:,} rows, held out by {choices.by}.")
    lines.append(f"Train on it with: metaembed train --model MODEL --data {out} --out RUN")
    answer(result, as_json, lines)
