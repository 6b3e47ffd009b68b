"""Writes torch's zip format by hand, opcode by opcode, so that hostile files can be made and torch is not needed."""

import struct
import zipfile
from pathlib import Path

import numpy as np

STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "uint16": "BFloat16Storage"}


def word(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text.encode())) + text.encode()


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def tensor(key: str, dtype: str, count: int, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """The opcodes that rebuild one tensor from storage `key`."""
    storage = b"(" + word("storage") + f"ctorch\n{STORAGES[dtype]}\n".encode() + word(key) + word("cpu") + number(count)
    arguments = (
        storage + b"tQ" + number(offset) + numbers(shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)R"
    )
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + arguments + b"tR"


def state_dict(items: dict[str, bytes]) -> bytes:
    """The pickle of a dict of names to opcodes."""
    return b"\x80\x02}(" + b"".join(word(name) + value for name, value in items.items()) + b"u."


def archive(path: Path, pickle: bytes, storages: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", pickle)
        file.writestr("archive/byteorder", b"little")
        for key, data in storages.items():
            file.writestr(f"archive/data/{key}", data)
    return path


def save(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """A state_dict of contiguous arrays as torch.save writes it; uint16 stands for bfloat16's bits."""
    items, storages = {}, {}
    for at, (name, array) in enumerate(arrays.items()):
        strides = tuple(stride // array.itemsize for stride in np.asarray(array, order="C").strides)
        items[name] = tensor(str(at), array.dtype.name, array.size, 0, array.shape, strides)
        storages[str(at)] = array.tobytes()
    return archive(path, state_dict(items), storages)
