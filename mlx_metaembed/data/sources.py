"""Which reader a path has: by its suffix, or by what lies in a folder; and the choices after its question mark.

Files are regular ones: a pipe or a device might never end, or wait for ever.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import parse_qsl

from mlx_metaembed.data.readers import arrow_folder, blocks, hub_dataset, notes, replies
from mlx_metaembed.errors import CallError, nearest

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
    ".ndjson": "jsonl",
}
PACKED = ("jsonl", "csv")
"""Readers of files that may end in .gz too."""
TABLES = ("jsonl", "csv", "parquet", "sqlite", "blocks", "replies", "arrow_folder", "hub_dataset")
OPTIONS = {
    "sqlite": ("table",),
    "beir": ("qrels",),
    "jsonl": ("rows",),
    "blocks": ("separator",),
    "arrow_folder": ("split",),
}
EXPECTED = (
    f"Expected a file ({', '.join(READERS)}), a BEIR folder (corpus.jsonl, queries.jsonl, qrels/*.tsv), a data set "
    f"that was saved to disk (dataset_info.json) or a folder of Python source"
)


def split(path: str | Path) -> tuple[Path, dict[str, str]]:
    """The path, and the choices after its question mark. Raises CallError where one is given twice."""
    text = os.fspath(path)
    if "\0" in text:
        raise CallError(f"There is no file or folder {text!r}: a name has no NUL in it")
    if "?" not in text or Path(text).exists():
        return Path(text), {}
    name, _, query = text.rpartition("?")
    pairs = parse_qsl(query, keep_blank_values=True) if "=" in query else []
    options = dict(pairs)
    if len(options) != len(pairs):
        raise CallError(f"{text}: a choice is given twice; expected one")
    return (Path(name), options) if options else (Path(text), {})


def reader(path: Path, options: Iterable[str], *, texts: bool = False, named: bool = False) -> str:
    """The module that reads a path; with `texts` notes and lines of text are known too, with `named` data sets by name.

    Raises CallError where nothing is there, it is no regular file, the kind is unknown, or a choice is.
    """
    if named and hub_dataset.is_name(path):
        name = "hub_dataset"
    elif path.is_dir():
        name = _of_folder(path, texts=texts)
    else:
        require_file(path)
        name = _of_file(path, options, texts=texts)
    known = OPTIONS.get(name, ())
    for option in options:
        if option not in known:
            raise CallError(
                f"{path}?{option}=...: there is no such choice; "
                f"known: {', '.join(known) or 'none for this kind of data'}{nearest(option, known)}"
            )
    return name


def require_file(path: Path) -> None:
    """Raise CallError where a path is no regular file with something in it."""
    if not path.exists():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise CallError(f"There is no file or folder {path}{nearest(path.name, beside)}")
    if not path.is_file():
        raise CallError(f"{path} is a pipe, a socket or a device; expected a regular file")
    if not path.stat().st_size:
        raise CallError(f"{path} is empty (0 bytes); expected at least one row")


def suffix(path: Path) -> str:
    """The suffix that tells a file's kind: that before .gz, where there is one."""
    last = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if last == ".gz" and READERS.get(inner) in PACKED else last


def _of_file(path: Path, options: Iterable[str], *, texts: bool) -> str:
    kind = suffix(path)
    if kind in READERS:
        return READERS[kind]
    if kind == ".txt" and ("separator" in options or (not texts and blocks.has_separators(path))):
        return "blocks"
    if texts and kind in notes.SUFFIXES:
        return "plain" if kind == ".txt" else "notes"
    advice = " Its texts can be indexed: metaembed index MODEL FILE OUT" if kind in notes.SUFFIXES else ""
    raise CallError(
        f"{path} is of an unknown kind ({path.suffix or 'no suffix'}). {EXPECTED}" + ("." if advice else "") + advice
    )


def _of_folder(folder: Path, *, texts: bool) -> str:
    if any((folder / name).exists() for name in ("corpus.jsonl", "queries.jsonl", "qrels")):
        return "beir"
    if arrow_folder.is_saved(folder):
        return "arrow_folder"
    if next(folder.glob(f"*{replies.LINKS}"), None):
        return "replies"
    programs = sum(1 for _, _, names in os.walk(folder) for name in names if name.endswith(".py"))
    if texts and (found := notes.files(folder)) and len(found) >= programs:
        return "notes"
    if programs:
        return "python_source"
    names = sorted(entry.name for entry in folder.iterdir())
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    advice = "" if texts or not notes.files(folder) else " Its notes can be indexed: metaembed index MODEL FOLDER OUT"
    raise CallError(
        f"{folder} is no folder of a known kind; found in it: {shown or 'nothing'}. {EXPECTED}"
        + ("." if advice else "")
        + advice
    )
