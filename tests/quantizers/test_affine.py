"""Scales and biases of a group: by hand, never worse than the span, and what lies on a grid stays there."""

import numpy as np
import pytest

from mlx_metaembed.quantizers import affine, gptq

DTYPES = ("float32", "float16", "bfloat16")


def test_a_span_by_hand() -> None:
    groups = np.array([[-1, 0, 1, 2]], np.float32)
    scales, biases = affine.span(groups, 2)
    np.testing.assert_array_equal([scales[0], biases[0]], [1, -1])
    codes = affine.codes(groups + 0.3, scales, biases, 2)
    np.testing.assert_array_equal(codes, [[0, 1, 2, 3]])
    np.testing.assert_array_equal(affine.values(codes, scales, biases), groups)


def test_one_far_number_is_given_up_where_that_is_nearer() -> None:
    # Seven levels near zero and one far out: the span's grid would make one number of the seven.
    groups = np.array([[*np.linspace(-0.1, 0.1, 31), 0.8]], np.float32)
    found, spanned = (affine.values(affine.codes(groups, *fit, 2), *fit) for fit in _both(groups, 2))
    assert np.sum((found - groups) ** 2) < 0.85 * np.sum((spanned - groups) ** 2)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_never_worse_than_the_span(bits: int) -> None:
    groups = np.random.default_rng(bits).standard_t(3, (200, 32)).astype(np.float32)
    found, spanned = (affine.values(affine.codes(groups, *fit, bits), *fit) for fit in _both(groups, bits))
    errors, others = (np.sum((each - groups) ** 2, axis=1) for each in (found, spanned))
    assert (errors <= others + 1e-9).all()
    assert errors.mean() < others.mean()


def test_weights_say_which_numbers_matter() -> None:
    groups = np.random.default_rng(0).standard_normal((50, 32)).astype(np.float32)
    weights = np.where(np.arange(32) < 4, 100.0, 1.0).astype(np.float32)
    errors = []
    for own in (None, weights):
        fit = affine.fit(groups, 2, own)
        errors.append(np.mean((affine.values(affine.codes(groups, *fit, 2), *fit) - groups)[:, :4] ** 2))
    assert errors[1] < 0.5 * errors[0]


# In bfloat16 255 steps of a rounded scale miss the end of the span.
@pytest.mark.parametrize(
    ("bits", "dtype"), [(bits, dtype) for bits in (2, 4, 8) for dtype in DTYPES if (bits, dtype) != (8, "bfloat16")]
)
def test_what_lies_on_a_grid_comes_back(bits: int, dtype: str) -> None:
    groups = np.random.default_rng(1).standard_normal((20, 64)).astype(np.float32)
    once = affine.span(groups, bits, dtype=dtype)
    on_grid = affine.values(affine.codes(groups, *once, bits), *once)
    again = affine.fit(on_grid, bits, dtype=dtype)
    found = affine.values(affine.codes(on_grid, *again, bits), *again)
    np.testing.assert_allclose(found, on_grid, rtol=0, atol=1e-6 if dtype == "float32" else 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scales_are_what_the_file_will_hold(dtype: str) -> None:
    for found in affine.fit(np.random.default_rng(2).standard_normal((9, 32)), 4, dtype=dtype):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(affine.kept(found, dtype), found)


def test_equal_numbers_are_kept_whole() -> None:
    groups = np.full((2, 32), 0.25, np.float32)
    fit = affine.fit(groups, 2)
    np.testing.assert_array_equal(affine.values(affine.codes(groups, *fit, 2), *fit), groups)


def test_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.random.default_rng(3).standard_normal((10, 32)).astype(np.float32)
    whole = affine.fit(groups, 3)
    monkeypatch.setattr(affine, "NUMBERS_AT_ONCE", 96)
    np.testing.assert_array_equal(affine.fit(groups, 3), whole)


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_error_feedback_keeps_the_outputs(bits: int) -> None:
    random = np.random.default_rng(bits)
    inputs = random.standard_normal((400, 64)) @ random.standard_normal((64, 64)) * 0.2
    weight, moments = random.standard_normal((24, 64)).astype(np.float32), inputs.T @ inputs / 400
    codes, scales, biases = gptq.quantize(weight, moments, bits=bits, group_size=32, dtype="float16")
    assert codes.min() >= 0
    assert codes.max() <= 2**bits - 1
    found = affine.values(codes.reshape(-1, 32), scales.reshape(-1), biases.reshape(-1)).reshape(24, 64)
    groups = weight.reshape(-1, 32)
    fit = affine.fit(groups, bits)
    plain = affine.values(affine.codes(groups, *fit, bits), *fit).reshape(24, 64)
    lost, before = (np.mean((inputs @ (each - weight).T) ** 2) for each in (found, plain))
    assert lost < 0.65 * before


def test_inputs_that_are_always_zero_do_no_harm() -> None:
    weight, moments = np.random.default_rng(0).standard_normal((4, 32)).astype(np.float32), np.zeros((32, 32))
    codes, scales, biases = gptq.quantize(weight, moments, bits=4, group_size=32)
    assert np.isfinite(codes).all()
    assert np.abs(affine.values(codes, scales[:, 0], biases[:, 0]) - weight).max() < 0.5


def _both(groups: np.ndarray, bits: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [affine.fit(groups, bits), affine.span(groups, bits)]
