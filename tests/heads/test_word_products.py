"""Dot products over words, some at a time: the plain text's value and gradient, with little held."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from benchmarks.memory.counted import counted
from mlx_metaembed.heads import Splade, word_products
from mlx_metaembed.xp import constant, namespace

WORDS, FEATURES = 11, 4
HEAD = Splade(FEATURES, WORDS)
MASKS = [np.arange(3) < np.array([[3], [1]]), np.arange(5) < np.array([[5], [2], [4]])]


def given(bias: bool = True) -> list[np.ndarray]:
    """What stands before the decoder of two chunks, and the decoder; a token stands twice, and no text has word 0."""
    random = np.random.default_rng(2)
    hidden = [random.standard_normal((*mask.shape, FEATURES)).astype(np.float32) for mask in MASKS]
    hidden[1][0, 1] = hidden[1][0, 3]
    decoder = random.standard_normal((WORDS, FEATURES)).astype(np.float32)
    own = random.standard_normal(WORDS).astype(np.float32)
    own[0] = -100
    decoder[0] = 0 if bias else decoder[0]
    return [*hidden, decoder, *([own] if bias else [])]


def weights_of(arrays) -> dict:
    return dict(zip(("decoder.weight", "decoder.bias"), arrays[2:], strict=False))


def of(head: Splade, masks=MASKS) -> Callable:
    return lambda *arrays: word_products.word_products(head, weights_of(arrays), arrays[:2], masks)


def plain(head: Splade) -> Callable:
    """All weights of all words, and the engine's own gradient."""

    def products(*arrays):
        xp = namespace(arrays[0])
        pairs = zip(arrays[:2], MASKS, strict=True)
        rows = [head.by_word(weights_of(arrays), x, constant(mask, x)) for x, mask in pairs]
        rows = xp.concatenate(rows, axis=0)
        return xp.matmul(rows, rows.T)

    return products


def slope(of: Callable, place: int) -> Callable:
    """Of all products, each times a number of its own, as a function of one array first."""
    toward = np.random.default_rng(9).standard_normal((5, 5)).astype(np.float32)

    def value(x, *rest):
        arrays = [*rest[:place], x, *rest[place:]]
        return namespace(x).sum(of(*arrays) * constant(toward, x))

    return value


def test_products_of_weights_that_can_be_counted(engine_name: str):
    head = Splade(1, 3, biases=())
    hidden = np.array([[[1.0], [2.0]], [[-1.0], [9.0]]], np.float32)
    mask = np.array([[True, True], [True, False]])
    decoder = np.array([[1.0], [0.5], [-1.0]], np.float32)
    # The largest logits are 2, 1 and -1 of the first text, and -1, -0.5 and 1 of the second.
    weights = {"decoder.weight": on(engine_name, decoder)}
    found = value_of(engine_name, lambda x: word_products.word_products(head, weights, [x], [mask]), hidden)
    np.testing.assert_allclose(found, [[np.log(3) ** 2 + np.log(2) ** 2, 0], [0, np.log(2) ** 2]], rtol=1e-6)


@pytest.mark.parametrize("words", [1, 4, 1000])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("pooling", ["max", "sum"])
@pytest.mark.parametrize("activation", ["relu", "log1p_relu"])
def test_blocks_of_words_give_the_plain_text(
    engine_name: str, activation: str, pooling: str, bias: bool, words: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(word_products, "width", lambda tokens: words)
    head = replace(HEAD, biases=("decoder",) if bias else (), pooling_strategy=pooling, activation_function=activation)
    arrays = given(bias)
    wide = [x.astype(np.float64) for x in arrays]
    expected = plain(head)(*wide)
    np.testing.assert_allclose(of(head)(*wide), expected, rtol=1e-12)
    np.testing.assert_allclose(value_of(engine_name, of(head), *arrays), expected, rtol=1e-5, atol=1e-5)
    random, step = np.random.default_rng(7), 1e-6
    for place in range(len(arrays)):
        moved = [arrays[place], *arrays[:place], *arrays[place + 1 :]]
        found = gradient_of(engine_name, slope(of(head), place), *moved)
        wanted = gradient_of(engine_name, slope(plain(head), place), *moved)
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
        toward = random.standard_normal(arrays[place].shape)
        first, *rest = (x.astype(np.float64) for x in moved)
        ends = [slope(of(head), place)(first + sign * step * toward, *rest) for sign in (1, -1)]
        if place in (0, 3):
            # The second chunk's equal tokens have slopes of one side alone; the decoder goes through float32.
            assert (found * toward).sum() == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-3, abs=1e-3)


def test_words_that_no_text_has_take_no_gradient(engine_name: str):
    arrays = given()
    decoder, *rest = arrays[2], *arrays[:2], arrays[3]
    found = gradient_of(engine_name, slope(of(replace(HEAD, biases=("decoder",))), 2), decoder, *rest)
    assert not found[0].any() and found[1:].any()


def test_widths_keep_the_logits_within_a_block():
    assert word_products.width(1) == 4096
    assert word_products.width(8192) == 2048
    assert word_products.width(10**9) == 256


def test_no_texts_by_words_are_held(engine_name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(word_products, "width", lambda tokens: 64)
    words, texts, chunks = 1 << 14, 64, 8
    head, random = replace(HEAD, vocabulary=words, biases=()), np.random.default_rng(0)
    hidden = [random.standard_normal((texts // chunks, 4, FEATURES)).astype(np.float32) for _ in range(chunks)]
    decoder = random.standard_normal((words, FEATURES)).astype(np.float32)
    masks = [np.ones(x.shape[:2], bool) for x in hidden]
    arrays = [on(engine_name, x) for x in (decoder, *hidden)]

    def loss(decoder, *hidden):
        return namespace(decoder).sum(word_products.word_products(head, {"decoder.weight": decoder}, hidden, masks))

    if engine_name == "mlx":
        import mlx.core as mx

        mx.eval(arrays)
        derived = mx.grad(loss, argnums=list(range(len(arrays))))
        work = lambda: mx.eval(derived(*arrays))  # noqa: E731
    else:
        arrays = [x.requires_grad_() for x in arrays]
        work = lambda: loss(*arrays).backward()  # noqa: E731
    work()
    held = counted(engine_name, work)
    # The gradient of the decoder, and its blocks before they are joined.
    assert held < 3 * 4 * words * FEATURES + 200_000 < 4 * texts * words / 4
