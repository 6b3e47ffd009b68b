"""How fast a model encodes: one text by itself, and many together, after a warm-up over the same texts.

Of a task with queries, one text is a query, as it waits for its answer, and many are what is stored.
"""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.evaluate.model import texts_by_prompt
from mlx_metaembed.evaluate.task import Task
from mlx_metaembed.heads import choices
from mlx_metaembed.inputs import token_store

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

SINGLE, TOGETHER = 48, 256
"""Texts timed one by one, from the first again where there are fewer; texts timed at once, at most."""


def speed(
    embedder: "Embedder",
    task: Task,
    clock: Callable[[], float] = time.perf_counter,
    progress: Callable[[int], object] = lambda count: None,
) -> dict[str, float]:
    """`latency_median_s`, `latency_p95_s` of one text in seconds, `texts_per_second`, `tokens_per_second` of many.

    Tokenising is part of both. Tokens are the model's own, the prompt and special tokens included. `clock` gives
    seconds; `progress` hears of each pass how many of the `texts_timed` it had.
    """
    (asks, single), (stored, together) = _chosen(task)

    def seconds(texts: Sequence[str], prompt_name: str | None) -> float:
        began = clock()
        embedder.encode(texts, prompt_name=prompt_name)
        taken = clock() - began
        progress(len(texts))
        return taken

    # Engines compile for each shape that they have not seen.
    for text in single:
        embedder.encode([text], prompt_name=asks)
        progress(1)
    alone = [seconds([single[at % len(single)]], asks) for at in range(SINGLE)]
    embedder.encode(together, prompt_name=stored)
    progress(len(together))
    whole = seconds(together, stored)
    return {
        "latency_median_s": float(np.median(alone)),
        "latency_p95_s": float(np.quantile(alone, 0.95)),
        "texts_per_second": len(together) / whole,
        "tokens_per_second": tokens(embedder, together, stored) / whole,
    }


def texts_timed(task: Task) -> int:
    """How many texts `speed` encodes, the warm-up's included."""
    (_, single), (_, together) = _chosen(task)
    return len(single) + SINGLE + 2 * len(together)


def _chosen(task: Task) -> tuple[tuple[str | None, list[str]], tuple[str | None, list[str]]]:
    """The texts that are encoded alone and those that go together, with their prompts."""
    groups = list(texts_by_prompt(task).items())
    (asks, single), (stored, together) = groups[0], groups[-1]
    return (asks, spread(single, SINGLE)), (stored, spread(together, TOGETHER))


def spread(texts: Sequence[str], most: int) -> list[str]:
    """At most so many of the texts, evenly over all of them."""
    places = np.linspace(0, len(texts) - 1, min(most, len(texts))).round().astype(int)
    return [texts[place] for place in places]


def tokens(embedder: "Embedder", texts: Sequence[str], prompt_name: str | None) -> int:
    """The tokens that the model reads of texts."""
    asked = choices.request(embedder.folder, prompt_name)
    store = token_store.tokenize(embedder.tokenizer_of(asked.side), texts, asked.prompt, tasks=asked.task)
    return int(store.lengths.sum())
