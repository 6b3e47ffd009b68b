"""Rows in: pairs, triplets, scored pairs, labelled texts, retrieval tasks. One reader a source.

A reader is imported when its source is met. `PATH?table=NAME` chooses a table of an SQLite file, `PATH?qrels=NAME` a
split of a BEIR folder.
"""

import importlib
import os
from pathlib import Path
from urllib.parse import parse_qsl

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Rows, Scored, require_trainable
from mlx_metaembed.errors import CallError, nearest

__all__ = ["Labelled", "Pairs", "Retrieval", "Rows", "Scored", "read", "require_trainable"]

READERS = {
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".py": "python_source",
}
OPTIONS = {"sqlite": ("table",), "beir": ("qrels",)}
EXPECTED = (
    f"Expected a file ({', '.join(READERS)}), a BEIR folder (corpus.jsonl, queries.jsonl, qrels/*.tsv) "
    f"or a folder of Python source"
)


def read(path: str | Path, *, max_characters: int = 100_000) -> Rows:
    """The rows of a file or folder, the reader chosen by its suffix or content, the shape by the columns' names.

    Raises CallError where nothing is there, the kind is unknown, or any row is at fault: all the faults of a source in
    one error, each with line and column. A text of `max_characters` or more is a fault.
    """
    try:
        return _read(*_with_options(path), max_characters)
    except OSError as error:
        raise CallError(f"{error.filename or path} can't be read ({error.strerror or error})") from None


def _read(path: Path, options: dict[str, str], max_characters: int) -> Rows:
    name = _reader(path)
    known = OPTIONS.get(name, ())
    for option in options:
        if option not in known:
            raise CallError(
                f"{path}?{option}=...: there is no such choice; "
                f"known: {', '.join(known) or 'none for this kind of data'}{nearest(option, known)}"
            )
    reader = importlib.import_module(f"mlx_metaembed.data.{name}")
    return reader.read(path, Faults(path, max_characters), **options)


def _with_options(path: str | Path) -> tuple[Path, dict[str, str]]:
    text = os.fspath(path)
    if "?" not in text or Path(text).exists():
        return Path(text), {}
    name, _, query = text.rpartition("?")
    options = dict(parse_qsl(query, keep_blank_values=True)) if "=" in query else {}
    return (Path(name), options) if options else (Path(text), {})


def _reader(path: Path) -> str:
    if path.is_dir():
        return _folder_reader(path)
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise CallError(f"There is no file or folder {path}{nearest(path.name, beside)}")
    name = READERS.get(path.suffix.lower())
    if name is None:
        raise CallError(f"{path} is of an unknown kind ({path.suffix or 'no suffix'}). {EXPECTED}")
    if path.is_file() and not path.stat().st_size:
        raise CallError(f"{path} is empty (0 bytes); expected at least one row")
    return name


def _folder_reader(folder: Path) -> str:
    if any((folder / name).exists() for name in ("corpus.jsonl", "queries.jsonl", "qrels")):
        return "beir"
    if next(folder.rglob("*.py"), None):
        return "python_source"
    names = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    raise CallError(f"{folder} is no folder of a known kind; found in it: {shown or 'nothing'}. {EXPECTED}")
