"""The lines of a UTF-8 file, one at a time, gzip or not: every text reader stands on this.

A byte order mark at the start is dropped. Lines end at \\n only, so a U+2028 inside a text stays in it.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.errors import CallError

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
LONGEST = 64 << 20
"""Bytes of a line: a row of a thousand texts at the limit of their length has half of it."""
BLANK = 1_000_000
"""Blank lines in a row."""
PIECE = 1 << 20
"""Bytes that are read at once."""
UNPACKED, RATIO = 16 << 20, 200
"""A gzip file may grow to so many bytes, and past them to so many times its size: text packs 3 to 20 times."""

BOMB = f"{{}} unpacks to more than {RATIO} times its size; unpack it yourself to read it"


def read(path: Path, faults: Faults, prefix: str = "") -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, its ending included.

    A line that is not UTF-8 is noted with its byte, and given with U+FFFD in place of what was wrong, so that a reader
    can go on looking for faults. `prefix` names the file where a source has several. Raises CallError for a line
    without an end, and for a gzip file that is damaged or a bomb.
    """
    offset = 0
    for number, line in enumerate(_lines(path), 1):
        start = offset
        offset += len(line)
        if number == 1 and line.startswith(codecs.BOM_UTF8):
            line, start = line[3:], 3
        elif number == 1 and line.startswith(UTF16_MARKS):
            faults.add(f"{prefix}line 1", None, "the file is UTF-16; save it as UTF-8")
            return
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            at = start + error.start
            faults.add(
                f"{prefix}line {number}",
                None,
                f"byte {at:,} of the file (0x{line[error.start]:02X}) is not UTF-8; save the file as UTF-8",
            )
            text = line.decode("utf-8", errors="replace")
        yield number, text


def start(path: Path, characters: int = 65_536) -> str:
    """The first characters of a file, to tell its kind by; what is not UTF-8 is replaced."""
    with _opened(path) as file:
        return file.read(characters).removeprefix(codecs.BOM_UTF8).decode("utf-8", errors="replace")


def whole(path: Path, faults: Faults, largest: int) -> str:
    """A file's text in one piece. Raises CallError where it has more than `largest` bytes or is no UTF-8."""
    most = _most(path)
    content, limit = bytearray(), min(largest, most or largest)
    with _opened(path) as file:
        # A read reserves all that it asks for.
        while len(content) <= limit and (piece := file.read(PIECE)):
            content += piece
    if most and len(content) > most:
        raise CallError(BOMB.format(path))
    if len(content) > largest:
        raise CallError(f"{path} has more than {largest:,} bytes in one piece; write one row a line (.jsonl)")
    if content.startswith(UTF16_MARKS):
        faults.add("line 1", None, "the file is UTF-16; save it as UTF-8")
        faults.raise_any()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CallError(f"{path}: byte {error.start:,} is not UTF-8; save the file as UTF-8") from None


def _lines(path: Path) -> Iterator[bytes]:
    most = _most(path)
    total = number = blank = 0
    with _opened(path) as file:
        while line := file.readline(LONGEST + 1):
            total, number = total + len(line), number + 1
            if len(line) > LONGEST:
                raise CallError(f"{path}, line {number} has more than {LONGEST:,} bytes; expected lines of text")
            if most and total > most:
                raise CallError(BOMB.format(path))
            blank = blank + 1 if line.isspace() else 0
            if blank > BLANK:
                raise CallError(f"{path} has more than {BLANK:,} blank lines one after another; expected lines of text")
            yield line


def _most(path: Path) -> int | None:
    """Bytes that a gzip file may grow to."""
    return max(UNPACKED, RATIO * path.stat().st_size) if path.suffix.lower() == ".gz" else None


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked where it is gzip. Raises CallError, also at a later read, where that is damaged."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise CallError(f"{path} is no whole gzip file ({error}); fetch it again") from None
