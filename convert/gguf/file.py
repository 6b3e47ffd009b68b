"""A GGUF file: its metadata, and where its tensors lie. The file is checked whole, no weight is read.

Shapes are written innermost first; here they are NumPy's.
"""

import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.convert.gguf.blocks import KINDS, OTHERS
from mlx_metaembed.convert.gguf.header import Header, Value
from mlx_metaembed.convert.gguf.packed import Packed
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files.disk import require_file

MAGIC = b"GGUF"
VERSIONS = (2, 3)
ALIGNMENT = "general.alignment"
MOST_KEYS, MOST_TENSORS, MOST_DIMENSIONS = 2**16, 2**16, 4
MOST_ALIGNMENT = 2**20
ADVICE = "Fetch it again."


@dataclass(frozen=True)
class Gguf:
    """What a file holds: metadata by key, tensors by name."""

    path: Path
    metadata: Mapping[str, Value]
    tensors: Mapping[str, Packed]


@dataclass(frozen=True)
class _Entry:
    """One tensor as the header lists it; `offset` is from the first tensor's byte."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


def is_gguf(path: Path) -> bool:
    """Whether a file is one by its name or its first bytes."""
    if path.suffix.lower() == ".gguf":
        return True
    try:
        with path.open("rb") as file:
            return file.read(4) == MAGIC
    except OSError:
        return False


def read(path: Path) -> Gguf:
    """A file's metadata and tensors.

    Raises CallError where it is cut short, is none or is of another version, has what is not known or is too much, or
    where tensors overlap, lie outside of it or stand twice.
    """
    require_file(path, sys.maxsize)
    size = path.stat().st_size
    with path.open("rb") as file:
        _require_begin(path, file.read(8), size)
        file.seek(0)
        header = Header(file, size)
        try:
            header.number("Q")
            tensor_count, key_count = header.number("Q"), header.number("Q")
            if tensor_count > MOST_TENSORS or key_count > MOST_KEYS:
                raise ValueError(
                    f"it says that it has {tensor_count:,} tensors and {key_count:,} keys of metadata, expected at "
                    f"most {MOST_TENSORS:,} and {MOST_KEYS:,}"
                )
            metadata: dict[str, Value] = {}
            for _ in range(key_count):
                key = header.text()
                if key in metadata:
                    raise ValueError(f"its metadata has the key {key!r:.80} twice")
                metadata[key] = header.value()
            entries = [_entry(header) for _ in range(tensor_count)]
        except ValueError as error:
            raise CallError(f"{path} is truncated or damaged: {error}. Fetch it again") from None
        end = header.position
    alignment = metadata.get(ALIGNMENT, 32)
    if type(alignment) is not int or not 0 < alignment <= MOST_ALIGNMENT or alignment & (alignment - 1):
        raise CallError(f"{path} has {ALIGNMENT} = {alignment!r:.80}, expected a power of two. Fetch it again")
    parts = metadata.get("split.count", 1)
    if not isinstance(parts, int) or parts > 1:
        raise CallError(
            f"{path} is one of {parts!r:.20} parts of a model; join them: llama-gguf-split --merge {path} ALL.gguf"
        )
    return Gguf(path, metadata, _tensors(path, entries, -(-end // alignment) * alignment, alignment, size))


def _require_begin(path: Path, start: bytes, size: int) -> None:
    """Raise CallError where a file is no GGUF, or one of another version or byte order."""
    if start[:4] != MAGIC:
        if start.startswith(b"version "):
            raise CallError(f"{path} is a pointer that git-lfs left, not the weights; fetch them with: git lfs pull")
        raise CallError(
            f"{path} is no GGUF file: it begins with {start[:4]!r}, expected {MAGIC!r} ({size:,} bytes). "
            "Models of GGML's older formats must be made anew with llama.cpp"
        )
    version = int.from_bytes(start[4:8], "little")
    if len(start) < 8:
        raise CallError(f"{path} is truncated: it has {size:,} bytes. Fetch it again")
    if version not in VERSIONS:
        if int.from_bytes(start[4:8], "big") in (*VERSIONS, 1):
            raise CallError(f"{path} is a big-endian GGUF file; take the little-endian one of the same model")
        raise CallError(
            f"{path} is GGUF of version {version}, expected {' or '.join(map(str, VERSIONS))}. Version 1 must be made "
            "anew with llama.cpp; for a newer one, ask with an issue"
        )


def _entry(header: Header) -> _Entry:
    name, dimensions = header.text(), header.number("I")
    if not 0 < dimensions <= MOST_DIMENSIONS:
        raise ValueError(f"its tensor {name!r:.80} has {dimensions:,} dimensions, expected 1 to {MOST_DIMENSIONS}")
    shape = tuple(header.number("Q") for _ in range(dimensions))
    return _Entry(name, shape[::-1], header.number("I"), header.number("Q"))


def _tensors(path: Path, entries: Iterable[_Entry], first: int, alignment: int, size: int) -> dict[str, Packed]:
    """Tensors by name, from entries whose offsets count from byte `first`."""
    tensors: dict[str, Packed] = {}
    wrong, unread = [], {}
    for entry in entries:
        name, kind = f"{entry.name!r:.80}", KINDS.get(entry.kind)
        if entry.name in tensors:
            wrong.append(f"{name}: it stands there twice")
        elif kind is None:
            unread.setdefault(OTHERS.get(entry.kind, f"of the unknown type {entry.kind}"), []).append(name)
        elif not all(0 < length < 2**31 for length in entry.shape) or math.prod(entry.shape) >= 2**48:
            wrong.append(f"{name}: no tensor has the shape {entry.shape}")
        elif entry.shape[-1] % kind.numbers:
            wrong.append(f"{name}: rows of {entry.shape[-1]:,}, but {kind.name} has blocks of {kind.numbers}")
        elif entry.offset % alignment:
            wrong.append(f"{name}: its offset {entry.offset:,} is no multiple of {alignment}")
        else:
            start = first + entry.offset
            stop = start + math.prod(entry.shape) // kind.numbers * kind.bytes
            word = kind.name if kind.name in ("F32", "BF16") else "F16"
            tensors[entry.name] = Packed(path, word, entry.shape, start, stop, kind=entry.kind, stored=entry.shape)
    if unread:
        raise faults(
            f"{path} has tensors of types that are not read; known are {', '.join(k.name for k in KINDS.values())}:",
            [f"{kind}: {len(named)} tensors, {named[0]} first" for kind, named in unread.items()],
            "Take the same model in one of those, as Q8_0 or Q4_K_M.",
        )
    wrong += _shared_or_outside(tensors, size)
    if wrong:
        raise faults(f"{path} contradicts itself:", wrong, ADVICE)
    if not tensors:
        raise CallError(f"{path} has no tensors; it is a vocabulary alone, or is not whole")
    return tensors


def _shared_or_outside(tensors: Mapping[str, Packed], size: int) -> list[str]:
    """Tensors that begin before the one before them ends, or end behind the end of the file."""
    found, end, before = [], 0, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)):
        if tensor.start < end:
            found.append(f"{name!r:.80}: {min(end, tensor.stop) - tensor.start:,} of its bytes belong to {before} too")
        if tensor.stop > size:
            found.append(f"{name!r:.80}: it ends at byte {tensor.stop:,}, the file has {size:,}")
        if tensor.stop >= end:
            end, before = tensor.stop, f"{name!r:.80}"
    return found
