"""What changes a base: soft prompts, gains and LoRA, as arithmetic; and the loss of tokens."""

import numpy as np
import pytest
from arrays import gradient_of, value_of

from mlx_metaembed.conditioned_lm import film, lora, prefix, token_loss

DIGITS = np.array([[1, 0], [2, 3]], np.int32)
"""Two IDs of levels [2, 3]; the second one is none."""


def by_name(engine_name: str, made, weights: dict, *others: np.ndarray) -> np.ndarray:
    names = list(weights)
    call = lambda *given: made(dict(zip(names, given, strict=False)), *given[len(names) :])  # noqa: E731
    return value_of(engine_name, call, *weights.values(), *others)


def test_a_prompt_is_each_digits_vectors_in_a_row(engine_name: str):
    # Two vectors of 2 features a digit: (3 + 4) rows of tables.
    tables = prefix.initial((2, 3), 2, np.arange(28).reshape(14, 2))
    assert prefix.rows((2, 3), 2) == 14
    assert {name: array.shape for name, array in tables.items()} == {"prefix.0": (3, 4), "prefix.1": (4, 4)}
    got = by_name(engine_name, lambda weights, digits: prefix.prompt(weights, digits, 2), tables, DIGITS)
    assert got.tolist() == [
        [[4, 5], [6, 7], [12, 13], [14, 15]],
        [[8, 9], [10, 11], [24, 25], [26, 27]],
    ]


def test_a_prompt_takes_the_first_places(engine_name: str):
    states, prompt = np.zeros((1, 3, 2), np.float32), np.ones((1, 2, 2), np.float32)
    assert value_of(engine_name, prefix.before, states, prompt).tolist() == [[[1, 1], [1, 1], [0, 0]]]


def test_gains_are_one_at_the_start_and_then_w_times_the_sum_of_the_digits(engine_name: str):
    begun = film.initial((2, 3), 4, 5, 6, seed=0)
    shapes = {name: array.shape for name, array in begun.items()}
    assert shapes == {"film.0": (3, 4), "film.1": (4, 4), "film.gains": (30, 4)}
    got = by_name(engine_name, lambda weights, digits: film.gains(weights, digits, 5), begun, DIGITS)
    assert got.shape == (2, 5, 6) and (got == 1).all()
    weights = {
        "film.0": np.array([[0, 0], [1, 2], [0, 0]], np.float32),
        "film.1": np.array([[3, 0], [0, 0], [0, 0], [0, 1]], np.float32),
        "film.gains": np.array([[1, 0], [0, 1], [1, 1], [0, 0]], np.float32),
    }
    got = by_name(engine_name, lambda weights, digits: film.gains(weights, digits, 2), weights, DIGITS)
    # e = [1 + 3, 2 + 0] and [0 + 0, 0 + 1].
    assert got.tolist() == [[[1 + 4, 1 + 2], [1 + 6, 1]], [[1, 1 + 1], [1 + 1, 1]]]
    states, gain = np.ones((2, 1, 2), np.float32), np.array([[2, 3], [4, 5]], np.float32)
    assert value_of(engine_name, film.scaled, states, gain).tolist() == [[[2, 3]], [[4, 5]]]


def test_lora_adds_scale_times_b_a_x(engine_name: str):
    begun = lora.initial({"q": (3, 2)}, 1, seed=0)
    assert begun["q.lora_A.weight"].shape == (1, 2) and not begun["q.lora_B.weight"].any()
    weights = {
        "q.lora_A.weight": np.array([[1, 2]], np.float32),
        "q.lora_B.weight": np.array([[1], [0], [-1]], np.float32),
    }
    x, y = np.array([[[3, 4]]], np.float32), np.full((1, 1, 3), 10, np.float32)
    got = by_name(engine_name, lambda weights, x, y: lora.added(weights, "q", 0.5, x, y), weights, x, y)
    # 0.5 * (3 + 8) = 5.5.
    assert got.tolist() == [[[15.5, 10, 4.5]]]


def test_the_loss_of_a_token_is_what_its_logit_lacks_to_their_logsumexp(engine_name: str):
    logits = np.array([[[0, np.log(3)], [5, 5], [0, 0]]], np.float32)
    targets, mask = np.array([[1, 0, 1]], np.int32), np.array([[True, True, False]])
    got = value_of(engine_name, lambda logits: token_loss.of_tokens(logits, *_like(logits, targets, mask)), logits)
    assert got.tolist() == [[pytest.approx(np.log(4) - np.log(3)), pytest.approx(np.log(2)), 0.0]]
    slope = gradient_of(
        engine_name, lambda logits: token_loss.of_tokens(logits, *_like(logits, targets, mask)).sum(), logits
    )
    np.testing.assert_allclose(slope, [[[0.25, -0.25], [-0.5, 0.5], [0, 0]]], atol=1e-6)


def _like(logits, *values):
    from mlx_metaembed.xp import constant

    return [constant(each, logits) for each in values]
