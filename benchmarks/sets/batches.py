"""The batches of a run of this kit as lists of row numbers, so that another trainer can be given the same ones."""

from collections.abc import Sequence
from itertools import islice

import numpy as np

from benchmarks import rows
from benchmarks.sets import LENGTH, SETS, STEPS, texts
from mlx_metaembed import folder
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.training.batches import epoch


def batches(name: str, own: Sequence[texts.Row], seed: int) -> list[list[int]]:
    """`STEPS` batches of a set's training rows, as a run of one data set with this seed takes them."""
    tokenizer = Tokenizer(folder.read(rows.model()), LENGTH)
    columns = [[row[role] for row in own] for role in own[0] if role != "score"]
    tokens = sum(_lengths(tokenizer(column)) for column in columns)
    made = (batch for number in range(STEPS) for batch in epoch(tokens, SETS[name].batch, seed=(seed, number)))
    return [batch.tolist() for batch in islice(made, STEPS)]


def _lengths(ids: Sequence[Sequence[int]]) -> np.ndarray:
    return np.array([len(each) for each in ids], np.int64)
