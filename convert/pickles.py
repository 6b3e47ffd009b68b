"""Torch's own files (`pytorch_model.bin`, `.pt`) as tensors, read without running what they pickle.

A pickle is a program. This reader knows the five names that rebuild tensors, refuses every other by its name, and
takes the numbers straight from the zip archive around it; torch is not needed.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.weights import ITEM_BYTES, Tensor, read_tensor

STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}


WRAPPERS = ("state_dict", "model_state_dict", "model", "module")
"""Under which name programs keep the tensors in a checkpoint, with the optimizer's beside them."""


def read(path: Path) -> tuple[dict[str, Tensor | np.ndarray], list[str]]:
    """The tensors of one file by name, and the names of entries that are no tensors.

    A tensor whose numbers lie in a row stays in the file until it is read; a transposed one comes as an array.
    Raises CallError where the pickle names anything but tensors, or the file is truncated or not torch's zip format.
    """
    content = _Archive(path).load()
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise CallError(f"{path} holds {type(content).__name__}, expected a dict of named tensors (a state_dict)")
    tensors = {name: found for name, found in content.items() if isinstance(found, Tensor | np.ndarray)}
    if not tensors or not all(isinstance(name, str) for name in tensors):
        raise CallError(f"{path} holds no named tensors; expected a state_dict")
    return tensors, [str(name) for name in content if name not in tensors]


@dataclass(frozen=True)
class _Storage:
    """Numbers in the archive: dtype word, how many, and where they start in the file (bytes)."""

    dtype: str
    count: int
    start: int


class _Name:
    """A name that a pickle may use. It has no attributes, so that a pickle can't change it."""

    __slots__ = ()


class _StorageName(_Name, str):
    __slots__ = ()


class _RebuildParameter(_Name):
    __slots__ = ()

    def __call__(self, tensor: object, *_others: object) -> object:
        return tensor


class _RebuildTensor(_Name):
    __slots__ = ()

    def __call__(self, storage: _Storage, offset: int, shape: tuple, strides: tuple, *_others: object) -> "_View":
        return _View((storage, offset, shape, strides))


class _View(tuple):
    """A tensor as the pickle describes it: storage, offset, shape, strides (in numbers); not looked at yet."""

    __slots__ = ()


class _Archive(pickle.Unpickler):
    """One file, opened as torch's zip format; `load` gives its content with tensors for `_View`s."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with zipfile.ZipFile(path) as archive:
                self.entries = {entry.filename: entry for entry in archive.infolist()}
                self.pickle = self._one("data.pkl")
                self.root = self.pickle.removesuffix("data.pkl")
                order = self.root + "byteorder"
                if order in self.entries and archive.read(order) != b"little":
                    raise CallError(f"{path} was written on a big-endian machine; save it as safetensors instead")
                if self.entries[self.pickle].compress_type != zipfile.ZIP_STORED:
                    raise ValueError("its pickle is compressed, torch does not do that")
                super().__init__(io.BytesIO(archive.read(self.pickle)))
        except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise self._no_zip(error) from None

    def load(self) -> object:
        try:
            return self._tensors(super().load())
        except CallError:
            raise
        # A hostile pickle can fail in any way; whichever it is, nothing of it was run.
        except Exception as error:
            raise CallError(
                f"{self.path} can't be read as a pickle of tensors ({type(error).__name__}: {error})"
            ) from None

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _RebuildTensor()
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _RebuildParameter()
        if module == "torch" and name in STORAGES:
            return _StorageName(STORAGES[name])
        raise CallError(
            f"{self.path} is refused: its pickle asks for {module}.{name}, which is no part of a tensor; nothing of it "
            "was run. Get the weights as safetensors, from a source that you trust"
        )

    def persistent_load(self, found: object) -> _Storage:
        kind, dtype, key, _device, count = found
        if kind != "storage" or not isinstance(dtype, _StorageName) or type(count) is not int:
            raise ValueError(f"unknown persistent id {found!r:.80}")
        entry = self.entries.get(f"{self.root}data/{key}")
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"storage {key!r} is missing or compressed")
        if not 0 <= count * ITEM_BYTES[dtype] <= entry.file_size:
            raise ValueError(f"storage {key!r} has {entry.file_size} bytes for {count} numbers of {dtype}")
        with self.path.open("rb") as file:
            file.seek(entry.header_offset)
            name_bytes, extra_bytes = struct.unpack("<26x2H", file.read(30))
        start = entry.header_offset + 30 + name_bytes + extra_bytes
        if start + entry.file_size > self.path.stat().st_size:
            raise ValueError(f"storage {key!r} ends behind the end of the file")
        return _Storage(str(dtype), count, start)

    def _tensors(self, found: object) -> object:
        """The content with arrays for views; dicts are followed, one inside the other."""
        if isinstance(found, _View):
            return self._tensor(*found)
        if isinstance(found, dict):
            return {name: self._tensors(entry) for name, entry in found.items()}
        return found

    def _tensor(self, storage: _Storage, offset: int, shape: tuple, strides: tuple) -> Tensor | np.ndarray:
        numbers = [offset, *shape, *strides]
        if len(shape) != len(strides) or not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"a tensor with offset {offset!r}, shape {shape!r}, strides {strides!r}")
        size = ITEM_BYTES[storage.dtype]
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if math.prod(shape) > storage.count or (math.prod(shape) and last >= storage.count):
            raise ValueError(f"a tensor of shape {shape} reaches behind its storage of {storage.count} numbers")
        if _in_a_row(shape, strides):
            start = storage.start + offset * size
            return Tensor(self.path, storage.dtype, shape, start, start + math.prod(shape) * size)
        row = read_tensor(
            Tensor(self.path, storage.dtype, (storage.count,), storage.start, storage.start + storage.count * size)
        )
        steps = tuple(stride * row.itemsize for stride in strides)
        return np.lib.stride_tricks.as_strided(row[offset:], shape, steps, writeable=False).copy()

    def _one(self, ending: str) -> str:
        names = [name for name in self.entries if name.endswith(ending)]
        if len(names) != 1:
            raise ValueError(f"no {ending} in the archive")
        return names[0]

    def _no_zip(self, error: Exception) -> CallError:
        with self.path.open("rb") as file:
            start = file.read(2)
        if start[:1] == b"\x80":
            return CallError(
                f"{self.path} is a pickle in torch's format from before 1.6, which can't be read without running it. "
                "Get the weights as safetensors, or load and save them once with a recent torch, from a source that "
                "you trust"
            )
        return CallError(f"{self.path} is truncated or is not torch's zip format ({error}); fetch it again")


def _in_a_row(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the numbers lie one behind the other, last dimension first."""
    expected = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True
