"""Changes to a folder's files as such: bytes, length, kind, name. Each says what it did, or None."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

Random = np.random.Generator
SPARSE_BYTES = 700 * 2**20


def _flip(path: Path, random: Random) -> str | None:
    data = bytearray(path.read_bytes())
    if not data:
        return None
    for _ in range(int(random.choice([1, 1, 3, 20]))):
        # The first bytes say what the rest is.
        where = int(random.integers(min(len(data), 4096 if random.random() < 0.7 else len(data))))
        data[where] ^= 1 << int(random.integers(8))
    path.write_bytes(data)
    return "bytes flipped"


def _cut(path: Path, random: Random) -> str:
    data = path.read_bytes()
    length = int(random.integers(len(data) + 1))
    path.write_bytes(data[:length])
    return f"cut to {length} of {len(data)} bytes"


def _zeroed(path: Path, random: Random) -> str | None:
    data = bytearray(path.read_bytes())
    if not data:
        return None
    first = int(random.integers(len(data)))
    length = int(random.integers(1, 200))
    data[first : first + length] = bytes(len(data[first : first + length]))
    path.write_bytes(data)
    return f"zeros at {first}"


def _inserted(path: Path, random: Random) -> str:
    data = path.read_bytes()
    first = int(random.integers(len(data) + 1))
    new = [b"\xff\xfe", b"\xef\xbb\xbf", b"\0" * 9, b"\xed\xa0\x80", random.bytes(50), b"\n\n", b'"', b"9" * 5000]
    new = new[random.integers(len(new))]
    path.write_bytes(data[:first] + new + data[first:])
    return f"{new[:9]!r} put in at {first}"


def _doubled(path: Path, random: Random) -> str:
    path.write_bytes(path.read_bytes() * 2)
    return "twice itself"


def _emptied(path: Path, random: Random) -> str:
    path.write_bytes(b"")
    return "emptied"


def _random_bytes(path: Path, random: Random) -> str:
    path.write_bytes(random.bytes(int(random.integers(1, 3000))))
    return "random bytes"


def _utf16(path: Path, random: Random) -> str | None:
    try:
        path.write_bytes(path.read_bytes().decode("utf-8").encode("utf-16"))
    except UnicodeError:
        return None
    return "as UTF-16"


def _removed(path: Path, random: Random) -> str:
    path.unlink()
    return "removed"


def _folder(path: Path, random: Random) -> str:
    path.unlink()
    path.mkdir()
    return "is a folder"


def _fifo(path: Path, random: Random) -> str:
    path.unlink()
    os.mkfifo(path)
    return "is a FIFO"


def _link(path: Path, random: Random) -> str:
    target = [path.name, "nowhere", "/dev/zero", "..", "/proc/self/mem", "/dev/full"][random.integers(6)]
    path.unlink()
    path.symlink_to(target)
    return f"is a link to {target}"


def _sparse(path: Path, random: Random) -> str:
    with path.open("r+b") as file:
        file.truncate(SPARSE_BYTES)
    return f"grown to {SPARSE_BYTES:,} bytes"


def _renamed(path: Path, random: Random) -> str:
    new = [path.name.upper(), path.name + ".bak", "a" * 255, "\udcff" + path.name, path.name + "\n"][random.integers(5)]
    path.rename(path.with_name(new))
    return f"renamed to {new!r:.30}"


def _unreadable(path: Path, random: Random) -> str:
    path.chmod(0)
    return "without permissions"


def _anothers(path: Path, random: Random) -> str | None:
    others = sorted(other for other in path.parent.rglob("*") if other.is_file() and other != path)
    if not others:
        return None
    other = others[random.integers(len(others))]
    shutil.copyfile(other, path)
    return f"has what {other.name} has"


INSIDE: tuple[Callable[[Path, Random], str | None], ...] = (
    *(_flip, _flip, _flip, _cut, _cut, _zeroed, _inserted, _doubled, _emptied, _random_bytes, _utf16),
)
CHANGES = (*INSIDE, _removed, _folder, _fifo, _link, _link, _sparse, _renamed, _unreadable, _anothers)


def changed(path: Path, random: Random) -> str | None:
    """Change one file of a folder; what was done, None where this change does not fit it."""
    return CHANGES[random.integers(len(CHANGES))](path, random)


def changed_inside(path: Path, random: Random) -> str | None:
    """Change one file's bytes; what was done, None where this change does not fit it."""
    return INSIDE[random.integers(len(INSIDE))](path, random)


def unrelated(folder: Path, random: Random) -> str:
    """Put something beside the files that no reader has to look at."""
    name = ["notes.md", ".DS_Store", "training_args.bin", "été.txt", "events.log"][random.integers(5)]
    (folder / name).write_bytes(random.bytes(100))
    return f"{name} beside it"
