"""The files of a source tree in the order of their paths, opened for reading only; links are not followed."""

import os
import stat
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.data.code import languages, skips
from mlx_metaembed.data.code.languages import Language

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True)
class File:
    """A file of a language that is known: its path below the source ("a/b.py"), its bytes, and its repository's root.

    `path` is Unicode whatever the name is.
    """

    path: str
    place: Path
    root: Path | None
    language: Language
    content: bytes


class Tree:
    """The files below a folder, or the one file; `skipped` counts what was passed over, by its reason.

    A folder that is passed over counts once. `suffixes` counts the files of no known language.
    """

    def __init__(self, source: Path, chosen: frozenset[str], *, tests: bool = False) -> None:
        # What git ignores is told by whole paths.
        self.source, self.chosen, self.tests = source.resolve(), chosen, tests
        self.skipped: Counter = Counter()
        self.suffixes: Counter = Counter()
        self.ignored: frozenset[Path] = frozenset()
        """What a repository is told to ignore."""

    def __iter__(self) -> Iterator[File]:
        if not self.source.is_dir():
            if file := self._file(self.source, self.source.name, None, alone=True):
                yield file
            return
        waiting = [(self.source, "", root_of(self.source))]
        while waiting:
            place, path, root = waiting.pop()
            if not path or path.endswith("/"):
                waiting += reversed(list(self._inside(place, path, root)))
            elif file := self._file(place, path, root):
                yield file

    def _inside(self, folder: Path, path: str, root: Path | None) -> Iterator[tuple[Path, str, Path | None]]:
        """A folder's files and folders (with a slash) in the order of their names."""
        try:
            with os.scandir(folder) as found:
                entries = [(each.name, each.is_symlink(), each.is_dir(follow_symlinks=False)) for each in found]
        except OSError:
            self.skipped["unreadable"] += 1
            return
        names = [name for name, *_ in entries]
        if path and "pyvenv.cfg" in names:
            self.skipped["vendored"] += 1
            return
        root = folder if ".git" in names else root
        for name, is_link, is_folder in sorted(entries, key=lambda entry: entry[0] + "/" * entry[2]):
            if is_link:
                self.skipped["links"] += 1
            elif folder / name in self.ignored:
                self.skipped["ignored by git"] += 1
            elif not is_folder:
                yield folder / name, path + name, root
            elif reason := skips.of_folder(name, names, tests=self.tests):
                self.skipped[reason] += name != ".git"
            else:
                yield folder / name, f"{path}{name}/", root

    def _file(self, place: Path, path: str, root: Path | None, *, alone: bool = False) -> File | None:
        """A file with its bytes; None where it is passed over. One that is named itself is taken whatever its name."""
        suffix = place.suffix
        language = languages.of_suffix(suffix)
        if language is None:
            self.suffixes[suffix.lower() or "no suffix"] += 1
            return None
        reason = None if alone else skips.of_name(place.name, tests=self.tests)
        content = b""
        if not reason:
            content, reason = _read(place)
        language = languages.of_content(language, suffix, content)
        if not reason and languages.shown(language) not in self.chosen:
            reason = "other languages"
        reason = reason or skips.of_content(content)
        if reason:
            self.skipped[reason] += 1
            return None
        return File(as_text(path), place, root, language, content)


def as_text(path: str) -> str:
    """A path as Unicode: bytes that are none are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def root_of(folder: Path) -> Path | None:
    """The folder with .git that a folder lies in, or that it is."""
    whole = folder.resolve()
    return next((each for each in (whole, *whole.parents) if (each / ".git").exists()), None)


def _read(place: Path) -> tuple[bytes, str | None]:
    """A regular file's bytes, at most one more than are read of any; or why there are none."""
    try:
        opened = os.open(place, FLAGS)
    except OSError:
        return b"", "unreadable"
    try:
        with os.fdopen(opened, "rb") as file:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                return b"", "no regular files"
            return file.read(skips.MOST_BYTES + 1), None
    except OSError:
        return b"", "unreadable"
