"""Self-distillation against its formula in NumPy's float64, written with whole matrices."""

import numpy as np
import pytest
from arrays import gradient_of, value_of
from losses.samples import arrays, holes, outputs

from mlx_metaembed.heads.output import cut
from mlx_metaembed.losses import LOSSES, Sample
from mlx_metaembed.losses.scorers import scorer
from mlx_metaembed.xp import constant

ROLES = ("anchor", "positive", "negative")
GIVEN = [x for gives in ("vector", "sparse", "tokens") for x in arrays(gives, ROLES).values()]
WEIGHTS = (1.0, 3.0)


def by_role(values) -> list[dict]:
    return [
        outputs(gives, dict(zip(ROLES, values[3 * k : 3 * k + 3], strict=True)))
        for k, gives in enumerate(("vector", "sparse", "tokens"))
    ]


def function(widths=()):
    def of(*values):
        dense, *others = by_role(values)
        weights = WEIGHTS[: len(widths)]
        return LOSSES["self_distillation"]()(
            Sample(dense, constant(holes(), values[0]), {}, widths, weights, others=others)
        )

    return of


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True))


def plain(*values, widths=(), taught_by=None) -> float:
    """The formula of arXiv:2402.03216 with scores [B, C] whole; the teacher is that of the values `taught_by`."""

    def scores(outputs):
        found = scorer(outputs["anchor"], [outputs["positive"], outputs["negative"]])
        all_rows = found.tile(slice(0, len(found.rows)), found.rows, found.columns)[0]
        return np.where(holes(), all_rows / 0.02, -1e9)

    def summed_of(dense, sparse, tokens) -> np.ndarray:
        return np.where(holes(), scores(dense) + 0.3 * scores(sparse) + scores(tokens), -1e9)

    dense, sparse, tokens = by_role(values)
    cuts = [{role: cut(x, width) for role, x in dense.items()} for width in widths] or [dense]
    summed = summed_of(dense, sparse, tokens)
    parts = [(scores(x), w) for x, w in zip(cuts, WEIGHTS, strict=False)]
    parts += [(scores(sparse), 0.1), (scores(tokens), 1.0)]
    hard = [-np.mean(np.diag(log_softmax(x))) * w for x, w in [*parts, (summed, 1.0)]]
    teacher = np.exp(log_softmax(summed_of(*by_role(taught_by or values))))
    soft = [-np.mean((teacher * log_softmax(x)).sum(axis=1)) * w for x, w in parts]
    return (sum(hard) / 4 + sum(soft) / 3) / 2


@pytest.mark.parametrize("widths", [(), (8, 4)], ids=str)
def test_value_is_the_formula(engine_name: str, widths: tuple[int, ...]):
    wide = [x.astype(np.float64) for x in GIVEN]
    got = value_of(engine_name, function(widths), *GIVEN)
    assert got == pytest.approx(plain(*wide, widths=widths), rel=1e-5)


@pytest.mark.parametrize("widths", [(), (8, 4)], ids=str)
@pytest.mark.parametrize("place", range(9))
def test_the_gradient_does_not_go_through_the_teacher(engine_name: str, place: int, widths: tuple[int, ...]):
    wide, step = [x.astype(np.float64) for x in GIVEN], 1e-7
    toward = np.random.default_rng(7).standard_normal(wide[place].shape)

    def at_place(x, *rest):
        return function(widths)(*rest[:place], x, *rest[place:])

    got = gradient_of(engine_name, at_place, GIVEN[place], *GIVEN[:place], *GIVEN[place + 1 :])
    ends = [
        plain(*wide[:place], wide[place] + sign * step * toward, *wide[place + 1 :], widths=widths, taught_by=wide)
        for sign in (1, -1)
    ]
    assert (got * toward).sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=2e-3)
