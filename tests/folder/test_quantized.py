"""MLX's quantized weights in NumPy: the numbers that mx.dequantize gives, and arithmetic by hand."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.quantized import BITS, dequantize, expand, plain_shape


def test_four_bits_by_hand() -> None:
    codes = [1, 2, 3, 4, 5, 6, 7, 15] + [0] * 24
    packed = np.array(
        [[sum(code << (4 * at) for at, code in enumerate(codes[first : first + 8])) for first in (0, 8, 16, 24)]]
    )
    found = dequantize(packed.astype(np.uint32), np.array([[0.5]]), np.array([[-1.0]]), bits=4, group_size=32)
    np.testing.assert_array_equal(found[0, :8], [0.5 * code - 1 for code in codes[:8]])
    np.testing.assert_array_equal(found[0, 8:], -1)


@pytest.mark.parametrize("group_size", [32, 64, 128])
@pytest.mark.parametrize("bits", BITS)
def test_the_same_numbers_as_mlx(bits: int, group_size: int) -> None:
    mx = importlib.import_module("mlx_metaembed.on_mlx.quantize").mx  # with the engine's BLAS
    weight = np.random.default_rng(bits).standard_normal((5, 256)).astype(np.float32)
    packed = mx.quantize(mx.array(weight), group_size=group_size, bits=bits)
    expected = np.array(mx.dequantize(*packed, group_size=group_size, bits=bits))
    found = dequantize(*map(np.array, packed), bits=bits, group_size=group_size)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert np.abs(found - weight).max() < 7 / 2**bits


def test_rows_beyond_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = np.arange(4 * 8, dtype=np.uint32).reshape(4, 8)
    scales, biases = np.arange(1, 9, dtype=np.float32).reshape(4, 2), np.ones((4, 2), np.float32)
    whole = dequantize(packed, scales, biases, bits=4, group_size=32)
    monkeypatch.setattr("mlx_metaembed.folder.quantized.CODES_AT_ONCE", 100)
    np.testing.assert_array_equal(dequantize(packed, scales, biases, bits=4, group_size=32), whole)


def test_shapes_that_contradict_each_other() -> None:
    packed, scales = np.zeros((2, 8), np.uint32), np.zeros((2, 2), np.float32)
    with pytest.raises(CallError, match="contradict each other"):
        dequantize(packed, scales, scales, bits=8, group_size=32)
    with pytest.raises(CallError, match="contradict each other"):
        dequantize(packed, scales, scales[:, :1], bits=4, group_size=32)
    with pytest.raises(CallError, match="7 bits"):
        dequantize(packed, scales, scales, bits=7, group_size=32)


def test_a_checkpoint_expands_in_the_dtype_of_its_scales(tmp_path: Path) -> None:
    arrays = {
        "layer.weight": np.full((2, 8), 0x11111111, np.uint32),
        "layer.scales": np.full((2, 2), 0.5, np.float16),
        "layer.biases": np.full((2, 2), 1, np.float16),
        "layer.bias": np.arange(2, dtype=np.float32),
        "wide.weight": np.full((1, 16), 0x01010101, np.uint32),
        "wide.scales": np.full((1, 1), 2, np.float16),
        "wide.biases": np.full((1, 1), 0, np.float16),
    }
    safetensors.write(tmp_path / "w", arrays)
    settings = {"bits": 4, "group_size": 32, "mode": "affine", "wide": {"bits": 8, "group_size": 64}}
    found = expand(safetensors.header(tmp_path / "w"), settings)
    assert list(found) == ["layer.weight", "layer.bias", "wide.weight"]
    assert found["layer.weight"].dtype == np.float16
    np.testing.assert_array_equal(found["layer.weight"], np.full((2, 64), 1.5))
    np.testing.assert_array_equal(found["wide.weight"], np.full((1, 64), 2))
    with pytest.raises(CallError, match="in the mode 'mxfp4'; only affine"):
        expand(safetensors.header(tmp_path / "w"), settings | {"mode": "mxfp4"})


def test_a_plain_shape_follows_the_modules_own_group() -> None:
    scales = safetensors.Tensor(Path("x"), "F16", (8, 2), 0, 0)
    tensors = {"a.weight": replace(scales, dtype="U32"), "a.scales": scales}
    quantization = {"group_size": 64, "bits": 4, "a": {"group_size": 32, "bits": 4}}
    assert plain_shape(tensors, "a.weight", quantization) == (8, 64)
    assert plain_shape(tensors, "a.weight", {"group_size": 64, "bits": 4}) == (8, 128)
