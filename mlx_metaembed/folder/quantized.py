"""MLX's quantized weights as plain arrays, in NumPy: for engines that cannot compute with them.

A matrix [R, C] is stored as uint32 [R, C * bits / 32], a stream of `bits` a number, lowest first; scales and biases
are [R, C / group_size], a number is scale * code + bias. MLX calls this mode affine.
"""

from collections.abc import Mapping

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor, read_tensor

BITS = (2, 3, 4, 5, 6, 8)
CODES_AT_ONCE = 1 << 22


def dequantize(weight: np.ndarray, scales: np.ndarray, biases: np.ndarray, *, bits: int, group_size: int) -> np.ndarray:
    """Packed uint32 [R, C * bits / 32], scales and biases [R, C / group_size] to float32 [R, C].

    Raises CallError where bits are not MLX's, or the shapes contradict each other.
    """
    rows, columns = scales.shape[0], scales.shape[-1] * group_size
    if bits not in BITS:
        raise CallError(f"Weights of {bits} bits; MLX's affine quantization has {', '.join(map(str, BITS))}")
    if scales.shape != biases.shape or weight.dtype != np.uint32 or weight.shape != (rows, columns * bits // 32):
        raise CallError(
            f"Quantized weights contradict each other: {weight.dtype} {weight.shape} packed, scales {scales.shape}, "
            f"biases {biases.shape}, {bits} bits in groups of {group_size}"
        )
    out = np.empty((rows, columns), np.float32)
    step = max(1, CODES_AT_ONCE // columns)
    for first in range(0, rows, step):
        part = slice(first, first + step)
        codes = _codes(weight[part], bits).reshape(*scales[part].shape, group_size).astype(np.float32)
        codes *= scales[part].astype(np.float32)[..., None]
        codes += biases[part].astype(np.float32)[..., None]
        out[part] = codes.reshape(-1, columns)
    return out


def plain_shape(tensors: Mapping[str, Tensor], name: str, quantization: Mapping | None) -> tuple[int, ...]:
    """The shape that a tensor has once it is plain."""
    scales = tensors.get(f"{name.removesuffix('.weight')}.scales")
    if quantization is None or scales is None or not name.endswith(".weight"):
        return tuple(tensors[name].shape)
    settings = {**quantization, **_own(quantization, name.removesuffix(".weight"))}
    return (scales.shape[0], scales.shape[1] * settings["group_size"])


def plain(tensors: Mapping[str, Tensor], name: str, quantization: Mapping | None) -> np.ndarray:
    """One tensor as a plain array."""
    module = name.removesuffix(".weight")
    if quantization is None or f"{module}.scales" not in tensors:
        return read_tensor(tensors[name])
    packed = {part: tensors[f"{module}.{part}"] for part in ("weight", "scales", "biases")}
    found = expand({f"{module}.{part}": tensor for part, tensor in packed.items()}, quantization)[name]
    return found if isinstance(found, np.ndarray) else read_tensor(found)


def _codes(packed: np.ndarray, bits: int) -> np.ndarray:
    """Packed uint32 [R, W] to the codes uint8 [R, W * 32 / bits]."""
    stream = np.ascontiguousarray(packed, "<u4").view(np.uint8)
    if bits == 8:
        return stream
    single = np.unpackbits(stream, axis=-1, bitorder="little").reshape(len(packed), -1, bits)
    return np.packbits(single, axis=-1, bitorder="little")[..., 0]


def expand(tensors: Mapping[str, Tensor], quantization: Mapping) -> dict[str, Tensor | np.ndarray]:
    """A quantized checkpoint's tensors with plain matrices, in the dtype of their scales (bfloat16 as float32).

    Raises CallError for a mode other than affine.
    """
    found: dict[str, Tensor | np.ndarray] = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if f"{module}.scales" not in tensors or kind not in ("weight", "scales", "biases"):
            found[name] = tensor
        elif kind == "weight":
            settings = {**quantization, **_own(quantization, module)}
            mode = settings.get("mode", "affine")
            if mode != "affine" or f"{module}.biases" not in tensors:
                raise CallError(f"{name} is quantized in the mode {mode!r}; only affine can be read, with its biases")
            scales, biases = (read_tensor(tensors[f"{module}.{part}"]) for part in ("scales", "biases"))
            plain = dequantize(
                read_tensor(tensor), scales, biases, bits=settings["bits"], group_size=settings["group_size"]
            )
            found[name] = plain.astype(scales.dtype, copy=False)
    return found


def _own(quantization: Mapping, module: str) -> Mapping:
    """Settings of one module, where the configuration gives it its own."""
    own = quantization.get(module)
    return own if isinstance(own, Mapping) else {}
