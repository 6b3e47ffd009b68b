"""Files and folders written whole or not at all, and JSON whose faults are named."""

import errno
import json
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import partials

HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that stands for half of a character."""


MOST_JSON_BYTES = 2**24
"""The largest index of weights that is known has 9 MB; as objects JSON takes some twenty times its bytes."""
MOST_TOKENIZER_BYTES = 2**28
"""The largest tokenizer.json that is known has 35 MB."""
MOST_BYTES = {"tokenizer.json": MOST_TOKENIZER_BYTES}


def require_file(path: Path, most: int) -> None:
    """Raise CallError where a path is no plain file, or one of more than `most` bytes; it is not opened."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise CallError(f"There is no file {path}") from None
    except (OSError, ValueError) as error:
        raise CallError(f"{path} can't be read: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(found.st_mode):
        what = "folder" if stat.S_ISDIR(found.st_mode) else "device or a pipe"
        raise CallError(f"{path} can't be read: it is a {what}; expected a file")
    if found.st_size > most:
        raise CallError(f"{path} has {found.st_size:,} bytes, expected at most {most:,}; fetch it again")


def read_json(path: Path) -> dict | list:
    """A JSON file's content. Raises CallError where it is missing, too large, can't be read or is no JSON."""
    require_file(path, MOST_BYTES.get(path.name, MOST_JSON_BYTES))
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
        if HALF_PAIR.search(text):
            # Half a character can be neither encoded for a tokenizer nor written again.
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeDecodeError as error:
        raise CallError(f"{path} is not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError as error:
        raise CallError(f"{path} has half a character, {error.object[error.start]!r}; write it whole") from None
    except json.JSONDecodeError as error:
        raise CallError(f"{path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        # Python's limits on the digits of a number and on nesting.
        raise CallError(f"{path} is JSON that can't be read: {error}") from None
    except OSError as error:
        raise CallError(f"{path} can't be read: {error.strerror}; expected a JSON file") from None
    return content


def read_object(path: Path) -> dict:
    """The object in a JSON file. Raises CallError as `read_json` does, or where it holds something else."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise CallError(f"{path}: expected an object, found {content!r:.80}")
    return content


def optional_json(path: Path) -> dict:
    """The object in a JSON file; an empty one where there is no file. Raises CallError as `read_object` does."""
    return read_object(path) if path.is_file() else {}


def write_json(path: Path, content: dict | list) -> None:
    """Write JSON as people read it, making the folder where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def bytes_on_disk(path: Path) -> int:
    """The bytes of all files under a folder."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where it is not there. Raises CallError where a file is in its place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise CallError(f"{path} is, or lies in, a file; expected the name of a folder") from None


def require_vacant(out: Path) -> None:
    """Raise CallError where `out` exists and holds anything: nothing of the user's is ever overwritten."""
    if out.is_file():
        raise CallError(f"{out} is a file; expected the name of a folder that is new or empty")
    if out.is_dir() and any(out.iterdir()):
        names = sorted(entry.name for entry in out.iterdir())
        shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise CallError(f"The folder {out} already holds something ({shown}); choose a new name or remove it")


@contextmanager
def replacing(out: Path) -> Iterator[Path]:
    """A new folder beside `out` to write into; it takes the name `out` when the block ends well, else it vanishes.

    Raises JobError where the disk is full or can't be written; what stood at `out` before is then untouched.
    """
    with _renamed(out) as partial:
        partial.mkdir()
        yield partial


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """The name of a new file beside `path`; it replaces `path` when the block ends well, else it vanishes.

    Raises JobError as `replacing` does.
    """
    with _renamed(path) as partial:
        yield partial


def remove(path: Path) -> None:
    """Remove a folder in one step as others see it: it loses its name first, and a kill leaves no half of it."""
    with partials.writing(path) as partial:
        partials.remove(partial)
        path.replace(partial)


def cause(error: OSError) -> str:
    """What an OSError says, in words: the system's reason, with the file where it names one."""
    reason = error.strerror or str(error) or type(error).__name__
    return f"{error.filename}: {reason}" if error.filename else reason


@contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    # "." and ".." have a name only then, and a link keeps pointing at what is replaced.
    path = Path(os.path.realpath(path))
    try:
        make_folder(path.parent)
        with partials.writing(path) as partial:
            partials.remove(partial)
            yield partial
            partial.replace(path)
    except OSError as error:
        raise JobError(
            f"Could not write {path}: {_outside(error, path)}. What was there before is untouched."
        ) from error


def _outside(error: OSError, path: Path) -> str:
    """The reason alone where the file that the error names is the one that is written, or a part of it."""
    if error.errno == errno.ENOTEMPTY:
        return "another process has written there meanwhile"
    named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, (str, bytes)) else None
    own = partials.beside(path)
    if named is None or named == path or own in (named, *named.parents):
        part = f"{named.relative_to(own)}: " if named and own in named.parents else ""
        return part + (error.strerror or str(error) or type(error).__name__)
    return cause(error)
