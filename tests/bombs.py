"""Small files that take much memory or time where a reader believes them."""

import struct
import zipfile
from pathlib import Path

from pickled import number, state_dict, tensor, word


def _doubled(times: int, start: bytes) -> bytes:
    """A tuple of two of itself, so often that a walk over it does not end."""
    return start + b"".join(b"q" + bytes([at]) + b"h" + bytes([at]) + b"\x86" for at in range(times))


PICKLES = {
    "memo of gigabytes": b"\x80\x02Nr" + struct.pack("<I", 2**32 - 1) + b".",
    "memo of gigabytes in a dict": state_dict({"w": b"Nr" + struct.pack("<I", 300_000_000)}),
    "tuples in tuples": state_dict({"w": _doubled(60, b")")}),
    "tuples in tuples as a key": b"\x80\x02}" + _doubled(60, b")") + b"Ns.",
    "tuples in tuples as an id": b"\x80\x02" + _doubled(60, word("x")) + b"Q.",
    "tuples in tuples as a shape": state_dict(
        {"w": tensor("0", "float32", 4, 0, (4,), (1,)).replace(b"(" + number(4) + b"t", _doubled(60, b")"))}
    ),
    "dicts in dicts": state_dict(
        {
            "model": b"}"
            + b"".join(
                b"q" + bytes([at]) + b"}(" + word("a") + b"h" + bytes([at]) + word("b") + b"h" + bytes([at]) + b"u"
                for at in range(60)
            )
        }
    ),
    "depth": b"\x80\x02" + b"](" * 20_000 + b"e" * 20_000 + b".",
    "a number of many digits": b"\x80\x02I" + b"9" * 100_000 + b"\n.",
    "text that is not there": b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"a.",
    "bytes that are not there": b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b"a.",
    "a bytearray that is not there": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
}


def compressed_entry(path: Path, name: str) -> Path:
    """A state_dict whose entry `name` is 100 MB of zeros, compressed to 100 KB."""
    with zipfile.ZipFile(path, "w") as file:
        for other in {"data.pkl", "byteorder"} - {name}:
            file.writestr(f"a/{other}", b"\x80\x02}." if other == "data.pkl" else b"little")
        entry = zipfile.ZipInfo(f"a/{name}")
        entry.compress_type = zipfile.ZIP_DEFLATED
        with file.open(entry, "w") as target:
            for _ in range(100):
                target.write(bytes(10**6))
    return path


def endless_directory(path: Path) -> Path:
    """A zip of entries that hold nothing."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/data.pkl", b"\x80\x02}.")
        for at in range(100):
            file.writestr(f"a/data/{at}", b"")
    return path
