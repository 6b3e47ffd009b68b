"""Every loss on every output that it accepts: one value and gradient on each engine and in NumPy's float64."""

import numpy as np
import pytest
from arrays import gradient_of, value_of
from losses.samples import arrays, function_of, holes, roles_of

from mlx_metaembed.losses import LOSSES
from mlx_metaembed.losses.directions import DIRECTIONS

CASES = [
    (kind, gives)
    for kind, loss in LOSSES.items()
    for given in loss.accepts
    if not loss.several
    for gives in (("sparse", "words") if given == "sparse" else (given,))
]
SETTINGS = {
    "default": {},
    "symmetric": {"symmetric": True, "false_negative_margin": 0.3},
    "dot": {"similarity": "dot"},
    "mse": {"how": "mse"},
    "soft": {"soft_margin": True},
    "euclidean": {"distance": "euclidean"},
    "large margin": {"margin": 3.0},
    "every direction": {"directions": DIRECTIONS, "false_negative_margin": 0.3},
    "positives": {"same_anchor": "positives"},
    "sum": {"aggregation": "sum"},
    "relative": {"margin_strategy": "relative", "margin": 0.3, "contrast_anchors": False},
}

SET = [
    (kind, gives, name)
    for kind, gives in CASES
    for name in SETTINGS
    if SETTINGS[name].keys() <= LOSSES[kind].__dataclass_fields__.keys()
]


def turned(of, place: int):
    return lambda x, *rest: of(*rest[:place], x, *rest[place:])


def check(engine_name: str, of, given: list[np.ndarray]) -> None:
    """The float64 value, and at every argument slopes of float64 differences."""
    wide = [x.astype(np.float64) for x in given]
    assert value_of(engine_name, of, *given) == pytest.approx(of(*wide), rel=1e-5, abs=1e-6)
    random, step = np.random.default_rng(7), 1e-6
    for place in range(len(given)):
        moved = [given[place], *given[:place], *given[place + 1 :]]
        got = gradient_of(engine_name, turned(of, place), *moved)
        toward = random.standard_normal(given[place].shape)
        ends = [of(*wide[:place], wide[place] + sign * step * toward, *wide[place + 1 :]) for sign in (1, -1)]
        assert (got * toward).sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-4, abs=2e-4)


@pytest.mark.parametrize(("kind", "gives", "name"), SET)
def test_value_and_gradient(engine_name: str, kind: str, gives: str, name: str):
    loss = LOSSES[kind](**SETTINGS[name])
    given = list(arrays(gives, roles_of(kind, gives)).values())
    mask = holes() if "anchor" in roles_of(kind, gives) and LOSSES[kind].roles else None
    check(engine_name, function_of(kind, gives, loss, mask), given)


@pytest.mark.parametrize(("kind", "gives"), [case for case in CASES if case[1] in ("vector", "tokens")])
def test_widths_are_the_weighed_sum_of_cut_outputs(engine_name: str, kind: str, gives: str):
    given = list(arrays(gives, roles_of(kind, gives)).values())
    check(engine_name, function_of(kind, gives, widths=(8, 4), weights=(1.0, 3.0)), given)
    wide = [x.astype(np.float64) for x in given]
    each = [function_of(kind, gives, widths=(width,))(*wide) for width in (8, 4)]
    assert function_of(kind, gives, widths=(8, 4), weights=(1.0, 3.0))(*wide) == pytest.approx(each[0] + 3 * each[1])


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e4])
@pytest.mark.parametrize(("kind", "gives"), CASES)
def test_extreme_outputs_and_a_batch_that_is_all_masked_are_finite(
    engine_name: str, kind: str, gives: str, scale: float
):
    given = [np.full_like(x, scale) for x in arrays(gives, roles_of(kind, gives)).values()]
    for mask in (holes(), np.zeros_like(holes())):
        of = function_of(kind, gives, mask=mask)
        assert np.isfinite(value_of(engine_name, of, *given))
        assert np.isfinite(gradient_of(engine_name, of, *given)).all()


@pytest.mark.parametrize("gives", ["vector", "sparse", "words", "tokens"])
@pytest.mark.parametrize("kind", ["info_nce", "triplet", "margin_mse", "kl"])
def test_all_masked_gives_zero(kind: str, gives: str):
    given = arrays(gives, roles_of(kind, gives)).values()
    assert function_of(kind, gives, mask=np.zeros_like(holes()))(*given) == pytest.approx(0, abs=1e-6)
