"""The lines of a file of plain text, or of stdin: texts that have no columns."""

import sys
from pathlib import Path

from mlx_metaembed.errors import CallError


def read(source: str) -> list[str]:
    """The lines of a file, or of stdin for "-". Raises CallError where it can't be read, or is not UTF-8."""
    try:
        data = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
        lines = data.decode("utf-8-sig").removesuffix("\n").split("\n") if data else []
        return [line.removesuffix("\r") for line in lines]
    except OSError as error:
        raise CallError(f"The file {source} can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise CallError(f"{source} is not UTF-8 text (byte {error.start})") from None
