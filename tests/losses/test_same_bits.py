"""The losses of recipes on vectors are bit for bit the functions of vectors that they stand beside."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from arrays import gradient_of, value_of
from losses.samples import NEGATIVES, ROWS, arrays, holes

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample, info_nce, matryoshka, triplet

ROLES = ("anchor", "positive", "negative")
FILTERS = {"symmetric": True, "temperature": 0.1, "false_negative_margin": 0.05, "false_negative_ratio": 0.9}
EUCLIDEAN = {"distance": "euclidean", "margin": 0.4, "soft_margin": True}
WIDTHS, WEIGHTS = (8, 2, 4), (1.0, 0.5, 2.0)


def of_vectors(kind: str, settings: dict, widths: tuple) -> Callable:
    weights = WEIGHTS if widths else ()
    if kind == "info_nce":
        return partial(info_nce, widths=widths, weights=weights, **settings)
    loss = partial(triplet, **settings)
    return matryoshka(loss, widths, weights) if widths else loss


@pytest.mark.parametrize("gives", ["vector", "code"])
@pytest.mark.parametrize("widths", [(), WIDTHS], ids=str)
@pytest.mark.parametrize(
    ("kind", "settings"), [("info_nce", {}), ("info_nce", FILTERS), ("triplet", {}), ("triplet", EUCLIDEAN)], ids=str
)
def test_value_and_gradient_keep_every_bit(engine_name: str, kind: str, settings: dict, widths: tuple, gives: str):
    if gives == "code":
        # A code has one width.
        widths = ()
    plain, loss = of_vectors(kind, settings, widths), LOSSES[kind](**settings)

    def before(anchors, positives, negatives, mask):
        return plain(anchors, positives, negatives.reshape(ROWS, NEGATIVES, -1), mask)

    def now(anchors, positives, negatives, mask):
        outputs = {role: Output(gives, x) for role, x in zip(ROLES, (anchors, positives, negatives), strict=True)}
        return loss(Sample(outputs, mask, {}, widths, WEIGHTS if widths else ()))

    given = [*arrays("vector", ROLES).values(), holes()]
    assert value_of(engine_name, now, *given) == value_of(engine_name, before, *given)
    np.testing.assert_array_equal(*(gradient_of(engine_name, each, *given) for each in (now, before)))
