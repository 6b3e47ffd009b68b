"""The examination: find the held-out function by its docstring, the vectors cut to each width."""

from collections.abc import Callable

import numpy as np

from benchmarks import rows
from benchmarks.quality import WIDTHS
from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.evaluate.retrieval import measure


def examine(encode: Callable[[list[str]], np.ndarray], path: str) -> dict[str, float]:
    """`{"ndcg@10 at 384": ...}` of an encoder, by the same arithmetic for everyone."""
    anchors, positives = rows.read(path)
    task = Pairs(anchors, positives, [()] * len(anchors)).retrieval()
    queries, corpus = encode(task.queries), encode(task.corpus)
    return {
        f"ndcg@10 at {width}": measure(unit(queries[:, :width]), unit(corpus[:, :width]), task.relevant)["ndcg@10"]
        for width in WIDTHS
    }
