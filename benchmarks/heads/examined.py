"""The examination: find the held-out function by its docstring, by the scores that an encoder gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import rows
from benchmarks.heads import LENGTH
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.evaluate.retrieval import measure_ranked
from mlx_metaembed.folder import read
from mlx_metaembed.inputs.tokenizer import Tokenizer


def examine(score: Callable[[list[str], list[str]], np.ndarray], path: str) -> dict[str, float]:
    """`{"ndcg@10": ...}` of scores [queries, corpus], by the same arithmetic for everyone."""
    anchors, positives = rows.read(path)
    task = Pairs(anchors, positives, [()] * len(anchors)).retrieval()
    ranked = np.argsort(-np.asarray(score(task.queries, task.corpus)), axis=1, kind="stable")[:, :10]
    return {"ndcg@10": measure_ranked(ranked, task.relevant)["ndcg@10"]}


def tokens(path: Path, model: Path) -> int:
    """Real tokens of both columns, special ones included, each text cut to the length."""
    texts = [text for column in rows.read(path) for text in column]
    return sum(map(len, Tokenizer(read(model), LENGTH)(texts)))
