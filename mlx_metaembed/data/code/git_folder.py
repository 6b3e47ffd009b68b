"""A repository's own folder, .git: git would wait for a pipe in it, and read a device without an end."""

import os
import stat
from pathlib import Path

from mlx_metaembed.errors import CallError

WHOLE = frozenset({"HEAD", "config", "exclude", "shallow", "commondir", "alternates", "grafts"})
"""What git reads in one piece."""
MOST_BYTES = 16 << 20


def require_files(root: Path) -> None:
    """Raise CallError where anything but files and folders lies in a repository's own folder.

    `root` is the repository's, or the folder itself where it is bare; what a file .git leads to is not looked at.
    """
    if (root / ".git").is_file():
        return
    waiting = [root / ".git" if (root / ".git").is_dir() else root]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as found:
                for entry in found:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif not entry.is_file(follow_symlinks=False) or entry.name in WHOLE:
                        _require_file(Path(entry.path))
        except OSError:
            # What can't be read, git says.
            continue


def _require_file(path: Path) -> None:
    try:
        found = path.stat()
    except OSError:
        # A link that leads nowhere.
        return
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        raise CallError(f"{path} is a pipe, a socket or a device; expected a repository's file")
    if path.name in WHOLE and found.st_size > MOST_BYTES:
        raise CallError(f"{path} has {found.st_size:,} bytes, expected at most {MOST_BYTES:,}")
