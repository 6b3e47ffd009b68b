"""Torch's zip format: where its entries lie in the file. Nothing in it is decompressed, and little is read."""

import struct
import zipfile
from pathlib import Path

from mlx_metaembed.errors import CallError

MOST_DIRECTORY_BYTES = 2**24
MOST_PICKLE_BYTES = 2**26
"""More than any checkpoint has. In memory a directory takes some ten times its bytes."""
END, LOCATOR, END_64 = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06"
LONGEST_END = 22 + 2**16
UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


class Archive:
    """One file, opened as torch's zip format. Raises CallError where it is truncated or is another format."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            _require_small_directory(path)
            with zipfile.ZipFile(path) as archive:
                self._entries = {entry.filename: entry for entry in archive.infolist()}
            names = [name for name in self._entries if name.endswith("data.pkl")]
            if len(names) != 1:
                raise ValueError("no data.pkl in the archive")
            self._root = names[0].removesuffix("data.pkl")
            if self._root + "byteorder" in self._entries and self._read("byteorder", 16) != b"little":
                raise CallError(f"{path} was written on a big-endian machine; save it as safetensors instead")
            self._pickle = self._read("data.pkl", MOST_PICKLE_BYTES)
        except UNREADABLE as error:
            raise self._no_zip(error) from None

    def pickle(self) -> bytes:
        """The pickle that describes the tensors."""
        return self._pickle

    def place(self, name: str) -> tuple[int, int]:
        """Where an entry's bytes start in the file, and how many they are.

        Raises ValueError where it is missing or compressed, or would end behind the end of the file.
        """
        entry = self._entries.get(self._root + name)
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"its entry {name!r:.60} is missing or compressed, torch does not compress")
        with self.path.open("rb") as file:
            file.seek(entry.header_offset)
            head = file.read(30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04":
            raise ValueError(f"its entry {name!r:.60} does not begin where the directory says")
        start = entry.header_offset + 30 + sum(struct.unpack("<26x2H", head))
        if start + entry.file_size > self.path.stat().st_size:
            raise ValueError(f"its entry {name!r:.60} ends behind the end of the file")
        return start, entry.file_size

    def _read(self, name: str, most: int) -> bytes:
        start, size = self.place(name)
        if size > most:
            raise ValueError(f"its entry {name!r} has {size:,} bytes, expected at most {most:,}")
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(size)

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


def _require_small_directory(path: Path) -> None:
    """Raise ValueError where the directory at the file's end, which is read whole, is larger than a checkpoint's."""
    with path.open("rb") as file:
        first = max(file.seek(0, 2) - LONGEST_END, 0)
        file.seek(first)
        tail = file.read()
        at = tail.rfind(END)
        if at < 0 or len(tail) - at < 22:
            raise ValueError("it has no end")
        sizes = [struct.unpack_from("<I", tail, at + 12)[0]]
        if at >= 20 and tail[at - 20 : at - 16] == LOCATOR:
            # Readers differ in where they look for the larger record: before the locator, or where it points.
            for start in (first + at - 76, struct.unpack_from("<Q", tail, at - 12)[0]):
                file.seek(min(max(start, 0), first + at))
                record = file.read(56)
                sizes += [struct.unpack_from("<Q", record, 40)[0]] if record[:4] == END_64 and len(record) == 56 else []
    # The short record says "see the larger one" with all its bits.
    if max((size for size in sizes if size != 2**32 - 1), default=0) > MOST_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {max(sizes):,} bytes, expected at most {MOST_DIRECTORY_BYTES:,}")
