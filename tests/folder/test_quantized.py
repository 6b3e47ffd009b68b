"""MLX's quantized weights in NumPy: the numbers that mx.dequantize gives, and arithmetic by hand."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder.quantized import BITS, FLOATS, dequantize, expand, pack, plain_shape, said, settings_of


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


@pytest.mark.parametrize("mode", FLOATS)
def test_the_same_numbers_as_mlx_in_a_mode_of_floats(mode: str) -> None:
    mx = importlib.import_module("mlx_metaembed.on_mlx.quantize").mx
    bits, group_size = FLOATS[mode]
    random = np.random.default_rng(bits)
    # From tiny to large, and a row of zeros.
    weight = random.standard_normal((6, 128)) * np.array([[0], [1e-6], [0.02], [1], [30], [1e4]])
    packed = mx.quantize(mx.array(weight.astype(np.float32)), group_size=group_size, bits=bits, mode=mode)
    settings = {"group_size": group_size, "bits": bits, "mode": mode}
    expected = np.array(mx.dequantize(*packed, **settings, dtype=mx.float32))
    np.testing.assert_array_equal(dequantize(*map(np.array, packed), **settings), expected)
    with pytest.raises(CallError, match=f"the mode {mode} has {bits} bits in groups of {group_size} alone"):
        dequantize(*map(np.array, packed), bits=bits, group_size=64, mode=mode)


def test_floats_by_hand() -> None:
    # The codes 1, 6, 7, 15 of E2M1 are 0.5, 4, 6 and -6; the scale's byte 128 is 2.
    packed = np.array([[0xF761, 0, 0, 0]], np.uint32)
    found = dequantize(packed, np.array([[128]], np.uint8), bits=4, group_size=32, mode="mxfp4")
    np.testing.assert_array_equal(found[0, :5], [1, 8, 12, -12, 0])


@pytest.mark.parametrize("bits", BITS)
def test_codes_pack_as_they_come_out(bits: int) -> None:
    mx = importlib.import_module("mlx_metaembed.on_mlx.quantize").mx
    weight = mx.array(np.random.default_rng(bits).standard_normal((3, 64)).astype(np.float32))
    packed, scales, biases = map(np.array, mx.quantize(weight, group_size=32, bits=bits))
    ones, zeros = np.ones_like(scales), np.zeros_like(biases)
    np.testing.assert_array_equal(pack(dequantize(packed, ones, zeros, bits=bits, group_size=32), bits), packed)


def test_a_module_has_settings_of_its_own() -> None:
    quantization = {"group_size": 32, "bits": 4, "mode": "mxfp4", "a": {"bits": 2}, "b": {"mode": "nvfp4"}, "c": False}
    # What they leave out is MLX's default for their mode, not what the others have: so mlx-lm reads it.
    assert settings_of(quantization, "a") == {"group_size": 64, "bits": 2, "mode": "affine"}
    assert settings_of(quantization, "b") == {"group_size": 16, "bits": 4, "mode": "nvfp4"}
    assert settings_of(quantization, "c") == {"group_size": 32, "bits": 4, "mode": "mxfp4"}
    assert said(quantization) == "2 to 4 bits"
    assert said({"group_size": 64, "bits": 3}) == "3 bits"


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
    with pytest.raises(CallError, match=r"layer.weight: Quantized weights contradict each other.* mode mxfp4"):
        expand(safetensors.header(tmp_path / "w"), settings | {"mode": "mxfp4"})
    with pytest.raises(CallError, match=r"layer.weight: Weights in the mode 'int4'; MLX's quantization has affine"):
        expand(safetensors.header(tmp_path / "w"), settings | {"mode": "int4"})


def test_a_plain_shape_follows_the_modules_own_group() -> None:
    scales = safetensors.Tensor(Path("x"), "F16", (8, 2), 0, 0)
    tensors = {"a.weight": replace(scales, dtype="U32"), "a.scales": scales}
    quantization = {"group_size": 64, "bits": 4, "a": {"group_size": 32, "bits": 4}}
    assert plain_shape(tensors, "a.weight", quantization) == (8, 64)
    assert plain_shape(tensors, "a.weight", {"group_size": 64, "bits": 4}) == (8, 128)
