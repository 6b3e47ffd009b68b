"""Optimizers: literal arithmetic, 8-bit moments near the float32 ones, and the same step on both engines."""

import numpy as np
import pytest
from arrays import on

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.optimizers import adafactor, adamw, adamw_8bit
from mlx_metaembed.training.optimizers.rates import RULES, Optimizer

RANDOM = np.random.default_rng(0)


def steps(rule, parameter: np.ndarray, gradients: list[np.ndarray], *, rate: float = 1e-2, keep: float = 1.0):
    """The parameter and state after a step for each gradient, in NumPy."""
    state = rule.initial(parameter)
    for step, gradient in enumerate(gradients, start=1):
        scalars = np.array([rate, keep, *rule.corrections(step)], parameter.dtype)
        parameter, state = rule.apply(parameter, gradient, state, scalars)
    return parameter, state


def test_the_first_step_of_adamw_is_the_sign_of_the_gradient():
    parameter, _ = steps(adamw, np.array([1.0, 1.0, 1.0]), [np.array([5.0, -0.1, 0.0])], rate=0.1, keep=0.5)
    assert parameter.tolist() == pytest.approx([0.5 - 0.1, 0.5 + 0.1, 0.5], abs=1e-6)


def test_the_second_step_of_adamw():
    parameter, (first, second) = steps(adamw, np.array([0.0]), [np.array([1.0]), np.array([3.0])], rate=1.0)
    assert first == pytest.approx(0.9 * 0.1 * 1 + 0.1 * 3)
    assert second == pytest.approx(0.999 * 0.001 * 1 + 0.001 * 9)
    mean, deviation = first / (1 - 0.9**2), np.sqrt(second / (1 - 0.999**2))
    assert parameter == pytest.approx(-1.0 - mean / deviation, rel=1e-6)


def test_adafactor_factors_the_square_of_a_matrix():
    gradient = np.array([[3.0, 1.0], [1.0, 2.0]])
    parameter, (rows, columns) = steps(adafactor, np.zeros((2, 2)), [gradient], rate=1.0)
    # The first step forgets the zeros: its moments are the means themselves.
    assert rows.tolist() == [[(9 + 1) / 2], [(1 + 4) / 2]]
    assert columns.tolist() == [[(9 + 1) / 2, (1 + 4) / 2]]
    update = gradient / np.sqrt(rows / rows.mean()) / np.sqrt(columns)
    size = np.sqrt((update**2).mean())
    assert parameter == pytest.approx(-update / max(size, 1.0))


def test_adafactor_clips_the_update():
    parameter, _ = steps(adafactor, np.zeros((4, 4)), [np.full((4, 4), 1e-3)] * 3 + [np.full((4, 4), 10.0)], rate=1.0)
    before, _ = steps(adafactor, np.zeros((4, 4)), [np.full((4, 4), 1e-3)] * 3, rate=1.0)
    assert np.sqrt(((parameter - before) ** 2).mean()) == pytest.approx(1.0)


def test_eight_bits_keep_six_decades_of_moments():
    x = np.zeros((1, 256), np.float32)
    x[0, :7] = [1.0, -0.5, 1e-2, -1e-3, 1e-5, 1e-6, 0.0]
    back = adamw_8bit.signed(*adamw_8bit.signed_levels(x))[0]
    assert back[:4] == pytest.approx(x[0, :4], rel=0.12)
    assert np.sign(back[:6]).tolist() == np.sign(x[0, :6]).tolist()
    back = adamw_8bit.unsigned(*adamw_8bit.unsigned_levels(np.abs(x)))[0]
    assert back[:5] == pytest.approx(np.abs(x[0, :5]), rel=0.2)
    # A second moment that is not 0 must not become 0: the update is divided by its root.
    assert (back[:6] > 0).all()
    assert back[6] == 0


def test_eight_bit_adamw_goes_where_adamw_goes():
    start = RANDOM.standard_normal((20, 40)).astype(np.float32)
    mean = RANDOM.standard_normal((20, 40))
    gradients = [(mean + 0.5 * RANDOM.standard_normal(mean.shape)).astype(np.float32) for _ in range(30)]
    wide, narrow = (steps(rule, start, gradients)[0] - start for rule in (adamw, adamw_8bit))
    cosine = (wide * narrow).sum() / np.linalg.norm(wide) / np.linalg.norm(narrow)
    assert cosine > 0.999
    assert np.linalg.norm(narrow) == pytest.approx(np.linalg.norm(wide), rel=0.02)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("shape", [(7,), (5, 300), (3, 4, 5)])
def test_the_state_has_the_bytes_that_the_plan_counts(name: str, shape: tuple[int, ...]):
    rule = RULES[name]
    state = rule.initial(np.zeros(shape, np.float32))
    assert sum(each.nbytes for each in state) == rule.state_bytes(shape)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("shape", [(7,), (5, 300)])
def test_both_engines_take_numpys_steps(engine_name: str, name: str, shape: tuple[int, ...]):
    rule = RULES[name]
    start = RANDOM.standard_normal(shape).astype(np.float32)
    gradients = [RANDOM.standard_normal(shape).astype(np.float32) for _ in range(3)]
    expected, _ = steps(rule, start, gradients)
    parameter = on(engine_name, start)
    state = rule.initial(parameter)
    for step, gradient in enumerate(gradients, start=1):
        scalars = on(engine_name, np.array([1e-2, 1.0, *rule.corrections(step)], np.float32))
        parameter, state = rule.apply(parameter, on(engine_name, gradient), state, scalars)
    # A level of 8 bits may round either way.
    got = parameter.numpy() if engine_name == "torch" else np.array(parameter)
    np.testing.assert_allclose(got, expected, atol=2e-3 if "8bit" in name else 1e-6)


def test_decay_is_for_matrices_and_heads_have_their_own_rate():
    recipe = Recipe(
        learning_rate=1.0, head_learning_rate=2.0, weight_decay=0.1, warmup_ratio=0.0, lr_schedule="constant"
    )
    optimizer = Optimizer(recipe, step=1, steps=10)
    assert optimizer.scalars("trunk.a.weight", (2, 2))[:2] == [1.0, 0.9]
    assert optimizer.scalars("trunk.a.bias", (2,))[:2] == [1.0, 1.0]
    assert optimizer.scalars("heads.codes.projection.weight", (2, 2))[:2] == [2.0, 0.8]


def test_heads_alone_report_the_heads_rate_and_an_added_module_has_it():
    recipe = Recipe(
        train="heads",
        dense=8,
        learning_rate=2e-5,
        head_learning_rate=3.0,
        warmup_ratio=0.0,
        lr_schedule="constant",
        weight_decay=0,
    )
    optimizer = Optimizer(recipe, step=1, steps=10, heads=("heads.", "dense.2_Dense."))
    assert optimizer.learning_rate == 3.0
    assert optimizer.scalars("dense.2_Dense.linear.weight", (8, 32))[0] == 3.0
    assert optimizer.scalars("dense.3_Dense.linear.weight", (8, 32))[0] == recipe.learning_rate == 2e-5
