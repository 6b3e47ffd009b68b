"""Torch's own files (`pytorch_model.bin`, `.pt`) as tensors, read without running what they pickle.

A pickle is a program. This reader takes its opcodes for a description (`opcodes.py`), knows the five names that rebuild
tensors, refuses every other by its name, and takes the numbers straight from the zip archive around it (`archive.py`).
What a file makes it hold is bounded by the file's size; torch is not needed.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlx_metaembed.convert import opcodes
from mlx_metaembed.convert.archive import Archive
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import ITEM_BYTES, MOST_DIMENSIONS, Tensor, read_tensor

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
    content = _Pickle(path).load()
    for wrapper in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise CallError(f"{path} holds {_kind(content)}, expected a dict of named tensors (a state_dict)")
    views = {name: found for name, found in content.items() if isinstance(found, _View)}
    if not views or not all(isinstance(name, str) for name in views):
        raise CallError(f"{path} holds no named tensors; expected a state_dict")
    return _tensors(path, views), [str(name) for name in content if name not in views]


@dataclass(frozen=True)
class _Storage:
    """Numbers in the archive: dtype word, how many, and where they start in the file (bytes)."""

    dtype: str
    count: int
    start: int


@dataclass(frozen=True)
class _View:
    """A tensor as the pickle describes it; strides in numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True)
class _Name:
    """A name that a pickle may use: what rebuilds something, or a storage's dtype word."""

    word: str


class _Pickle:
    """The pickle of one file in torch's zip format; `load` gives its content with `_View`s for tensors."""

    def __init__(self, path: Path) -> None:
        self.path, self.archive = path, Archive(path)

    def load(self) -> Any:
        try:
            return opcodes.run(self.archive.pickle(), find=self._find, reduce=_rebuilt, persistent=self._storage)
        except (ValueError, TypeError, AttributeError, RecursionError, MemoryError) as error:
            raise CallError(f"{self.path} can't be read as a pickle of tensors: {error}") from None

    def _find(self, module: str, name: str) -> _Name:
        if (module, name) == ("collections", "OrderedDict"):
            return _Name("dict")
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return _Name("tensor")
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return _Name("parameter")
        if module == "torch" and name in STORAGES:
            return _Name(STORAGES[name])
        raise CallError(
            f"{self.path} is refused: its pickle asks for {f'{module}.{name}':.120}, which is no part of a tensor; "
            "nothing of it was run. Get the weights as safetensors, from a source that you trust"
        )

    def _storage(self, found: object) -> _Storage:
        kind, dtype, key, _device, count = found if isinstance(found, tuple) and len(found) == 5 else [None] * 5
        word = dtype.word if isinstance(dtype, _Name) else ""
        if kind != "storage" or word not in ITEM_BYTES or not isinstance(key, str) or type(count) is not int:
            raise ValueError("it has a persistent id that is no storage")
        start, size = self.archive.place(f"data/{key}")
        if not 0 <= count * ITEM_BYTES[word] <= size:
            raise ValueError(f"storage {key!r:.40} has {size} bytes for {count} numbers of {word}")
        return _Storage(word, count, start)


def _rebuilt(called: object, arguments: tuple) -> Any:
    """What a call in the pickle stands for. Raises ValueError where it is none of the known."""
    word = called.word if isinstance(called, _Name) else ""
    pairs = arguments[0] if arguments else []
    # Python 2 wrote the entries as a list of lists.
    if word == "dict" and isinstance(pairs, list) and all(_is_entry(pair) for pair in pairs):
        return dict(pairs)
    if word == "parameter" and arguments and isinstance(arguments[0], _View):
        return arguments[0]
    if word == "tensor" and len(arguments) >= 4:
        return _view(*arguments[:4])
    raise ValueError("it calls what can't be called in that way")


def _is_entry(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str)


def _view(storage: object, offset: object, shape: object, strides: object) -> _View:
    if not isinstance(storage, _Storage) or not isinstance(shape, tuple) or not isinstance(strides, tuple):
        raise ValueError("it has a tensor without a storage, a shape or strides")
    numbers = [offset, *shape, *strides]
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
        raise ValueError(f"it has a tensor of {len(shape)} dimensions with {len(strides)} strides")
    if not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise ValueError("it has a tensor whose offset, shape or strides are no counts")
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if math.prod(shape) > storage.count or (math.prod(shape) and last >= storage.count):
        raise ValueError(f"it has a tensor of shape {shape} that reaches behind its storage of {storage.count} numbers")
    return _View(storage, offset, shape, strides)


def _tensors(path: Path, views: dict[str, _View]) -> dict[str, Tensor | np.ndarray]:
    """The tensors of views; of those that have to be copied, one with the same numbers is copied once.

    Raises CallError where the copies would take more than the file has.
    """
    copies = {view for view in views.values() if not _in_a_row(view.shape, view.strides)}
    size = sum(math.prod(view.shape) * ITEM_BYTES[view.storage.dtype] for view in copies)
    if size > path.stat().st_size:
        raise CallError(f"{path} is refused: it repeats its numbers in views that would take {size:,} bytes")
    arrays = {}
    for storage in {view.storage for view in copies}:
        row = read_tensor(_place(path, _View(storage, 0, (storage.count,), (1,))))
        for view in (view for view in copies if view.storage == storage):
            steps = tuple(stride * row.itemsize for stride in view.strides)
            arrays[view] = np.lib.stride_tricks.as_strided(row[view.offset :], view.shape, steps).copy()
    return {name: arrays[view] if view in arrays else _place(path, view) for name, view in views.items()}


def _place(path: Path, view: _View) -> Tensor:
    """Where the numbers of a view lie that follow each other."""
    size = ITEM_BYTES[view.storage.dtype]
    start = view.storage.start + view.offset * size
    return Tensor(path, view.storage.dtype, view.shape, start, start + math.prod(view.shape) * size)


def _kind(content: object) -> str:
    if isinstance(content, _View):
        return "a tensor"
    return "a name" if isinstance(content, _Name) else type(content).__name__


def _in_a_row(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether the numbers lie one behind the other, last dimension first."""
    expected = 1
    for length, stride in zip(reversed(shape), reversed(strides), strict=True):
        if length != 1 and stride != expected:
            return False
        expected *= length
    return True
