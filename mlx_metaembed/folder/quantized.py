"""MLX's quantized weights as plain arrays, in NumPy: for engines that cannot compute with them.

A matrix [R, C] is stored as uint32 [R, C * bits / 32], a stream of `bits` a number, lowest first; scales and biases
are [R, C / group_size], a number is scale * code + bias. MLX calls this mode affine. In the modes mxfp4, nvfp4 and
mxfp8 a code is a small float and a number scale * code; scales are bytes: powers of two (E8M0), in nvfp4 floats (E4M3).
OCP Microscaling Formats 1.0, section 5.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor, read_tensor

BITS = (2, 3, 4, 5, 6, 8)
GROUP_SIZES = (32, 64, 128)
"""Of the affine mode, as BITS are."""
AFFINE = "affine"
FLOATS = MappingProxyType({"mxfp4": (4, 32), "nvfp4": (4, 16), "mxfp8": (8, 32)})
"""The other modes: the one number of bits and the one group size of each."""
DEFAULT = (4, 64)
"""Bits and group size of the affine mode where nothing is said."""
PARTS = ("weight", "scales", "biases")
CODES_AT_ONCE = 1 << 22


def dequantize(
    weight: np.ndarray,
    scales: np.ndarray,
    biases: np.ndarray | None = None,
    *,
    bits: int,
    group_size: int,
    mode: str = AFFINE,
) -> np.ndarray:
    """Packed uint32 [R, C * bits / 32], scales and biases [R, C / group_size] to float32 [R, C].

    Raises CallError where mode or bits are not MLX's, or the arrays contradict each other.
    """
    rows, columns = scales.shape[0], scales.shape[-1] * group_size
    if mode != AFFINE and mode not in FLOATS:
        raise CallError(f"Weights in the mode {mode!r}; MLX's quantization has {', '.join((AFFINE, *FLOATS))}")
    if mode == AFFINE and bits not in BITS:
        raise CallError(f"Weights of {bits} bits; MLX's affine quantization has {', '.join(map(str, BITS))}")
    if mode != AFFINE and (bits, group_size) != FLOATS[mode]:
        only = "{} bits in groups of {}".format(*FLOATS[mode])
        raise CallError(f"Weights of {bits} bits in groups of {group_size}; the mode {mode} has {only} alone")
    fits = (biases is None or scales.shape == biases.shape) and weight.shape == (rows, columns * bits // 32)
    stored = biases is not None if mode == AFFINE else biases is None and scales.dtype == np.uint8
    if not fits or not stored or weight.dtype != np.uint32:
        raise CallError(
            f"Quantized weights contradict each other: {weight.dtype} {weight.shape} packed, scales {scales.dtype} "
            f"{scales.shape}, biases {None if biases is None else biases.shape}, {bits} bits in groups of "
            f"{group_size}, mode {mode}"
        )
    factors = scales.astype(np.float32) if mode == AFFINE else _scale(scales, mode)
    out = np.empty((rows, columns), np.float32)
    step = max(1, CODES_AT_ONCE // columns)
    for first in range(0, rows, step):
        part = slice(first, first + step)
        codes = unpack(weight[part], bits).reshape(*scales[part].shape, group_size)
        codes = codes.astype(np.float32) if mode == AFFINE else (_E2M1 if bits == 4 else _E4M3)[codes]
        codes *= factors[part][..., None]
        if biases is not None:
            codes += biases[part].astype(np.float32)[..., None]
        out[part] = codes.reshape(-1, columns)
    return out


def settings_of(quantization: Mapping, module: str) -> dict[str, object]:
    """A module's group_size, bits and mode: its own where the configuration gives it such, else the common ones.

    What a module's own leave out is MLX's default for their mode, as in mlx-lm.
    """
    own = quantization.get(module)
    given = own if isinstance(own, Mapping) else quantization
    mode = given.get("mode", AFFINE)
    bits, group_size = FLOATS.get(mode, DEFAULT)
    return {"group_size": given.get("group_size", group_size), "bits": given.get("bits", bits), "mode": mode}


def said(quantization: Mapping) -> str:
    """The bits of a configuration in words: "4 bits", or "2 to 8 bits" where modules differ."""
    own = [name for name, each in quantization.items() if isinstance(each, Mapping)]
    every = {settings_of(quantization, name)["bits"] for name in ("", *own)}
    return f"{min(every)} to {max(every)} bits" if len(every) > 1 else f"{every.pop()} bits"


def plain_shape(tensors: Mapping[str, Tensor], name: str, quantization: Mapping | None) -> tuple[int, ...]:
    """The shape that a tensor has once it is plain."""
    scales = tensors.get(f"{name.removesuffix('.weight')}.scales")
    if quantization is None or scales is None or not name.endswith(".weight"):
        return tuple(tensors[name].shape)
    settings = settings_of(quantization, name.removesuffix(".weight"))
    return (scales.shape[0], scales.shape[1] * settings["group_size"])


def plain(tensors: Mapping[str, Tensor], name: str, quantization: Mapping | None) -> np.ndarray:
    """One tensor as a plain array."""
    module = name.removesuffix(".weight")
    if quantization is None or f"{module}.scales" not in tensors:
        return read_tensor(tensors[name])
    packed = {full: tensors[full] for part in PARTS if (full := f"{module}.{part}") in tensors}
    found = expand(packed, quantization)[name]
    return found if isinstance(found, np.ndarray) else read_tensor(found)


def pack(codes: np.ndarray, bits: int) -> np.ndarray:
    """Codes [R, C] below 2^bits as uint32 [R, C * bits / 32], a stream of `bits` a number, lowest first."""
    bytes_ = np.ascontiguousarray(codes, np.uint8)
    if bits != 8:
        single = np.unpackbits(bytes_[..., None], axis=-1, count=bits, bitorder="little")
        bytes_ = np.packbits(single.reshape(len(codes), -1), axis=-1, bitorder="little")
    return bytes_.view("<u4")


def unpack(packed: np.ndarray, bits: int) -> np.ndarray:
    """Packed uint32 [R, W] to the codes uint8 [R, W * 32 / bits]."""
    stream = np.ascontiguousarray(packed, "<u4").view(np.uint8)
    if bits == 8:
        return stream
    single = np.unpackbits(stream, axis=-1, bitorder="little").reshape(len(packed), -1, bits)
    return np.packbits(single, axis=-1, bitorder="little")[..., 0]


def expand(tensors: Mapping[str, Tensor], quantization: Mapping) -> dict[str, Tensor | np.ndarray]:
    """A quantized checkpoint's tensors with plain matrices, in the dtype of their scales (float32 where these are
    bfloat16 or bytes).

    Raises CallError for a mode that is not MLX's, or parts that contradict each other.
    """
    found: dict[str, Tensor | np.ndarray] = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if f"{module}.scales" not in tensors or kind not in PARTS:
            found[name] = tensor
        elif kind == "weight":
            parts = {part: read_tensor(tensors[full]) for part in PARTS[1:] if (full := f"{module}.{part}") in tensors}
            try:
                plain = dequantize(read_tensor(tensor), **parts, **settings_of(quantization, module))
            except CallError as error:
                raise CallError(f"{name}: {error}") from None
            kept = np.issubdtype(parts["scales"].dtype, np.floating)
            found[name] = plain.astype(parts["scales"].dtype, copy=False) if kept else plain
    return found


def _scale(scales: np.ndarray, mode: str) -> np.ndarray:
    """Scales uint8 as numbers float32."""
    if mode == "nvfp4":
        return _E4M3[scales]
    return np.ldexp(np.float32(1), scales.astype(np.int32) - 127)


def _float_table(exponent_bits: int, mantissa_bits: int) -> np.ndarray:
    """What the codes of a small float with a sign stand for, by code; all of them are finite."""
    codes = np.arange(1 << (1 + exponent_bits + mantissa_bits))
    fraction = (codes & ((1 << mantissa_bits) - 1)) / (1 << mantissa_bits)
    exponent = (codes >> mantissa_bits) & ((1 << exponent_bits) - 1)
    lowest = 2 - (1 << (exponent_bits - 1))
    size = np.where(exponent == 0, np.ldexp(fraction, lowest), np.ldexp(1 + fraction, exponent + lowest - 1))
    return np.where(codes >> (exponent_bits + mantissa_bits), -size, size).astype(np.float32)


_E2M1, _E4M3 = _float_table(2, 1), _float_table(4, 3)
