"""The lines of a UTF-8 file, one at a time: every text reader stands on this.

A byte order mark at the start is dropped. Lines end at \\n only, so a U+2028 inside a text stays in it.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data.faults import Faults

UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(path: Path, faults: Faults, prefix: str = "") -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line, its ending included.

    A line that is not UTF-8 is noted with its byte, and given with U+FFFD in place of what was wrong, so that a reader
    can go on looking for faults. `prefix` names the file where a source has several.
    """
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
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
