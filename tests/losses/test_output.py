"""Outputs of heads: some of their rows, their first features, the words that they use."""

import numpy as np
import pytest
from arrays import on, value_of

from mlx_metaembed.heads.output import Output, WordOutput, cut, detached, take


def test_take_gives_rows_of_every_part(engine_name: str):
    values, ids = np.arange(6, dtype=np.float32).reshape(3, 2), np.arange(6, dtype=np.int32).reshape(3, 2)
    output = Output("sparse", on(engine_name, values), ids, ids > 2)
    rows = np.array([2, 0, 2], np.int32)
    taken = take(output, rows)
    assert value_of(engine_name, lambda x: take(Output("vector", x), rows).values, values).tolist() == [
        [4.0, 5.0],
        [0.0, 1.0],
        [4.0, 5.0],
    ]
    assert taken.gives == "sparse"
    assert taken.ids.tolist() == [[4, 5], [0, 1], [4, 5]] and taken.mask.tolist() == [
        [True] * 2,
        [False] * 2,
        [True] * 2,
    ]


@pytest.mark.parametrize("gives", ["vector", "tokens"])
def test_cut_normalises_the_first_features(engine_name: str, gives: str):
    values = np.array([[3.0, 4.0, 9.0]], np.float32)
    values = values[None] if gives == "tokens" else values
    got = value_of(engine_name, lambda x: cut(Output(gives, x), 2).values, values)
    np.testing.assert_allclose(got.reshape(-1), [0.6, 0.8], rtol=1e-6)


def test_words_are_weighed_where_a_loss_asks_for_them(engine_name: str):
    weights = np.array([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]], np.float32)
    asked = []

    def weigh():
        asked.append(True)
        return on(engine_name, weights)

    output = WordOutput(on(engine_name, weights @ weights.T), np.arange(3, dtype=np.int32), weigh)
    taken = take(detached(output), np.array([2, 0, 2], np.int32))
    assert (len(taken), taken.rows.tolist(), taken.gives, asked) == (3, [2, 0, 2], "sparse", [])
    assert taken.values.tolist() == [[1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]
    assert taken.values is taken.values and asked == [True]
