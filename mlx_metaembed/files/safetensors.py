"""Safetensors files as names, shapes and NumPy arrays, without an engine.

NumPy has no bfloat16: such tensors are read as float32 and rounded back, to nearest even, on writing.
"""

import json
import math
import os
import struct
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files.disk import read_json, require_file

NUMPY_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U64": np.uint64,
    "U32": np.uint32,
    "U16": np.uint16,
    "U8": np.uint8,
    "BOOL": np.bool_,
}
WORDS = {np.dtype(dtype): word for word, dtype in NUMPY_DTYPES.items()}
MOST_HEADER_BYTES = 2**25
"""A header has about a hundred bytes a tensor; as objects it takes some twenty times its bytes."""
MOST_DIMENSIONS = 32
FLOATING = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
"""The dtypes that weights may be asked for, and safetensors' words for them."""
ITEM_BYTES = {name: np.dtype(dtype).itemsize for name, dtype in NUMPY_DTYPES.items()} | {"BF16": 2}


@dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: its file, dtype word, shape and byte range (from the start of the file)."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int

    def pieces(self) -> Iterator[np.ndarray]:
        """Its numbers from the first on, an array after another, so that few are held; bfloat16 comes as float32."""
        yield _numbers(read_bytes(self), self.dtype).reshape(self.shape)


def header(path: Path) -> dict[str, Tensor]:
    """Every tensor of one safetensors file; the file is checked whole, no weight is read.

    Raises CallError where the file is truncated, is a pickle, or is no safetensors file.
    """
    require_file(path, sys.maxsize)
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
        length = struct.unpack("<Q", start[:8])[0] if len(start) == 9 else 0
        # The length comes first, so that a header of 640 bytes starts as a pickle does: look at the brace as well.
        if start[8:] != b"{" or length > size - 8:
            raise CallError(_no_safetensors(path, start, size))
        if length > MOST_HEADER_BYTES:
            raise CallError(f"{path} has a header of {length:,} bytes, expected at most {MOST_HEADER_BYTES:,}")
        file.seek(8)
        try:
            entries = json.loads(file.read(length))
        except (ValueError, RecursionError) as error:
            raise CallError(f"{path} is no safetensors file: its header is not JSON ({error})") from None
    # MLX writes null for no words.
    said = {} if entries.get("__metadata__") is None else entries["__metadata__"]
    entries.pop("__metadata__", None)
    tensors, found = {}, []
    if not isinstance(said, dict) or not all(isinstance(word, str) for word in said.values()):
        found.append(f"__metadata__: expected words by name, found {said!r:.80}")
    for name, entry in entries.items():
        tensor = _entry(path, entry, 8 + length)
        if tensor is None:
            found.append(f"{name}: expected a dtype, a shape and two offsets, found {entry!r:.80}")
        elif tensor.dtype not in ITEM_BYTES:
            found.append(f"{name}: dtype {tensor.dtype} is not supported")
        elif tensor.stop - tensor.start != math.prod(tensor.shape) * ITEM_BYTES[tensor.dtype]:
            found.append(f"{name}: {tensor.stop - tensor.start} bytes for shape {tensor.shape} {tensor.dtype}")
        else:
            tensors[name] = tensor
    found += _not_in_a_row(tensors, 8 + length)
    if found:
        raise faults(f"{path} contradicts itself:", found, "Fetch it again.")
    end = max((tensor.stop for tensor in tensors.values()), default=8 + length)
    if end != size:
        raise CallError(
            f"{path} is truncated: its header promises {end:,} bytes, the file has {size:,}; fetch it again"
        )
    return tensors


def _not_in_a_row(tensors: Mapping[str, Tensor], first: int) -> list[str]:
    """Where bytes belong to two tensors or to none: the format allows neither, and readers differ in what they do."""
    found, end, before = [], first, "the header"
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if tensor.start < end:
            found.append(f"{name}: its first {min(end, tensor.stop) - tensor.start:,} bytes belong to {before} as well")
        elif tensor.start > end:
            found.append(f"{name}: {tensor.start - end:,} bytes that belong to no tensor lie before it")
        if tensor.stop >= end:
            end, before = tensor.stop, name
    return found


def _no_safetensors(path: Path, start: bytes, size: int) -> str:
    """What a file is that should have been safetensors, from its first bytes."""
    if start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in b"\x02\x03\x04\x05"):
        return (
            f"{path} is a pickle or a zip, not safetensors; a pickle can run code and is never loaded as weights. "
            f"If it is torch's own file, name it pytorch_model.bin; then: metaembed convert {path.parent} OUT"
        )
    if start.startswith(b"version "):
        return f"{path} is a pointer that git-lfs left, not the weights; fetch them with: git lfs pull"
    return f"{path} is truncated or is no safetensors file ({size:,} bytes); fetch it again"


def _entry(path: Path, entry: object, base: int) -> Tensor | None:
    """One header entry, its offsets counted from `base`; None where its form is wrong."""
    try:
        (first, last), shape, dtype = entry["data_offsets"], entry["shape"], entry["dtype"]
        numbers = [first, last - first, *shape]
    except (TypeError, KeyError, ValueError):
        return None
    if not isinstance(dtype, str) or not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS:
        return None
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers) or any(
        length >= 2**31 for length in shape
    ):
        return None
    return Tensor(path, dtype, tuple(shape), base + first, base + last)


def metadata(path: Path) -> dict[str, str]:
    """The words that the writer of a file left in its header. Raises CallError as `header` does."""
    header(path)
    with path.open("rb") as file:
        return json.loads(file.read(struct.unpack("<Q", file.read(8))[0])).get("__metadata__") or {}


def headers(paths: Iterable[Path]) -> dict[str, Tensor]:
    """The tensors of several files (shards) together. Raises CallError where two of them hold one tensor."""
    tensors: dict[str, Tensor] = {}
    for path in paths:
        found = header(path)
        if twice := [f"{name}: in {tensors[name].path.name} as well" for name in found if name in tensors]:
            raise faults(f"{path} holds tensors that another file has:", twice, "Fetch the folder again.")
        tensors |= found
    return tensors


def shards(index: Path) -> list[Path]:
    """The files beside an index (`weight_map`) that hold its tensors.

    Raises CallError that lists every file that is missing, or would lie elsewhere.
    """
    content = read_json(index)
    listed = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(listed, dict) or not listed or not all(isinstance(name, str) for name in listed.values()):
        raise CallError(f"{index} is no index of weights: expected a weight_map of tensors and their files")
    names = sorted(set(listed.values()))
    wrong = [f"{name!r}: not a file of its folder" for name in names if Path(name).name != name]
    wrong += [name for name in names if Path(name).name == name and not (index.parent / name).is_file()]
    if wrong:
        raise faults(f"{index.parent} lacks weights that {index.name} names:", wrong, "Fetch the folder again.")
    return [index.parent / name for name in names]


def read_bytes(tensor: Tensor) -> bytes:
    """One tensor as it lies in its file."""
    with tensor.path.open("rb") as file:
        file.seek(tensor.start)
        return file.read(tensor.stop - tensor.start)


def read_tensor(tensor: Tensor) -> np.ndarray:
    """One tensor as a NumPy array of its shape; bfloat16 comes as float32."""
    pieces = list(tensor.pieces())
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def _numbers(data: bytes, word: str) -> np.ndarray:
    if word == "BF16":
        return (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, NUMPY_DTYPES[word])


def read(path: Path) -> dict[str, np.ndarray]:
    """All the tensors of one file as NumPy arrays; bfloat16 comes as float32. Raises CallError as `header` does."""
    return {name: read_tensor(tensor) for name, tensor in header(path).items()}


def write(
    path: Path,
    arrays: Mapping[str, np.ndarray | Tensor],
    *,
    dtype: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write arrays as safetensors; `dtype` ("float32", "float16", "bfloat16") casts the floating ones.

    A `Tensor` is read when its turn comes and keeps its own dtype where none is given, bfloat16 too; one at a time
    is held beside the caller's own. Raises CallError where a value is too large for float16, OSError where the disk
    is full.
    """
    entries: dict[str, dict] = {"__metadata__": {"format": "pt", **(metadata or {})}}
    offset = 0
    for name, array in arrays.items():
        word = _word(array.dtype, dtype)
        stop = offset + math.prod(array.shape) * ITEM_BYTES[word]
        entries[name] = {"dtype": word, "shape": list(array.shape), "data_offsets": [offset, stop]}
        offset = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name, array in arrays.items():
            for stored in _stored(name, array, _word(array.dtype, dtype)):
                file.write(
                    stored
                    if isinstance(stored, bytes)
                    else memoryview(np.ascontiguousarray(stored).reshape(-1).view(np.uint8))
                )
        file.flush()
        os.fsync(file.fileno())


def _stored(name: str, array: np.ndarray | Tensor, word: str) -> Iterator[np.ndarray | bytes]:
    """One array in the dtype that the file will have, piece by piece; a tensor that keeps it is passed on as bytes."""
    if type(array) is Tensor and array.dtype == word:
        yield read_bytes(array)
    else:
        for piece in array.pieces() if isinstance(array, Tensor) else (array,):
            yield _cast(name, piece, word)


def _cast(name: str, array: np.ndarray, word: str) -> np.ndarray:
    if word == "BF16":
        return bfloat16_bits(array)
    with np.errstate(over="ignore"):
        stored = array.astype(NUMPY_DTYPES[word], copy=False)
    if word == "F16" and not np.array_equal(np.isfinite(stored), np.isfinite(array)):
        largest = np.max(np.abs(array[np.isfinite(array)]))
        raise CallError(f"{name} has values up to {largest:.3g}, float16 ends at 65504; take bfloat16 or float32")
    return stored


def bfloat16_bits(array: np.ndarray) -> np.ndarray:
    """The uint16 bits of an array rounded to bfloat16, to nearest even; NaN stays NaN."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(array), 0x7FC0, rounded).astype(np.uint16)


def _word(found: np.dtype | str, wanted: str | None) -> str:
    word = found if isinstance(found, str) else WORDS[np.dtype(found)]
    return FLOATING[wanted] if wanted and word in ("F64", *FLOATING.values()) else word


def compare(
    where: Path,
    expected: Mapping[str, tuple[int, ...]],
    found: Mapping[str, tuple[int, ...]],
    advice: str = "Fetch the folder again, or check that config.json belongs to these weights.",
) -> None:
    """Raise one CallError that lists every tensor missing from, wrong in, or unknown to the weights at `where`."""
    missing = [f"{name} {expected[name]}: missing" for name in expected if name not in found]
    wrong = [
        f"{name}: shape {tuple(found[name])}, the configuration says {tuple(shape)}"
        for name, shape in expected.items()
        if name in found and tuple(found[name]) != tuple(shape)
    ]
    unknown = [f"{name} {tuple(found[name])}: not part of this architecture" for name in found if name not in expected]
    if missing or wrong or unknown:
        raise faults(f"The weights in {where} do not fit its config.json:", [*missing, *wrong, *unknown], advice)
