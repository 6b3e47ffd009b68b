"""Rows in: pairs, triplets, scored pairs, labelled texts, retrieval tasks, and texts. One reader a source.

A reader is imported when its source is met. `PATH?table=NAME` chooses a table of an SQLite file, `PATH?qrels=NAME` a
split of a BEIR folder, `PATH?rows=KEY` an array inside a JSON object.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlx_metaembed.data import sources, training_rows
from mlx_metaembed.data.columns import parse
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.readers import blocks
from mlx_metaembed.data.rows import Kinds, Labelled, Pairs, Retrieval, Rows, Scored, Taken, Texts, require_trainable
from mlx_metaembed.data.table import Table
from mlx_metaembed.data.wanted import Wanted
from mlx_metaembed.errors import CallError

__all__ = [
    "Kinds",
    "Labelled",
    "Pairs",
    "Retrieval",
    "Rows",
    "Scored",
    "Texts",
    "read",
    "read_rows",
    "read_texts",
    "require_trainable",
    "rows_of",
]


def read(
    path: str | Path,
    *,
    columns: str = "",
    no_header: bool = False,
    max_characters: int = 100_000,
    training: bool = False,
) -> Kinds:
    """The rows of a file or folder, the reader chosen by its suffix or content, the shape by the columns' names.

    `columns` maps the source's names, as in `anchor=title,positive=source`; with `no_header` a CSV's cells are told by
    position. `training` takes a BEIR folder's training judgements, and none that a model is measured by.
    Raises CallError where nothing is there, the kind is unknown, or any row is at fault: all the faults of a source in
    one error, each with line and column. A text of `max_characters` or more is a fault.
    """
    return _read(path, columns, no_header, max_characters, training=training)


def read_texts(
    path: str | Path, *, columns: str = "", no_header: bool = False, max_characters: int = 100_000
) -> Texts | Kinds:
    """The texts of a source to embed or to index; its rows where it has no column of texts. Raises as `read` does.

    Also read: a .txt file with a text a line, notes in Markdown, and a folder of notes.
    """
    return _read(path, columns, no_header, max_characters, texts=True)


def read_rows(
    path: str | Path,
    *,
    roles: Sequence[str],
    optional: Sequence[str] = (),
    targets: Sequence[str] = (),
    columns: str = "",
    no_header: bool = False,
    max_characters: int = 100_000,
) -> Rows:
    """The rows of a source to train on, as losses take them: what is asked decides how it is read.

    `roles` and `optional` are among anchor, positive, negative, sentence1, sentence2 and text, `targets` among score,
    label, positive_score and negative_score. A BEIR folder gives its training judgements.
    Raises CallError as `read` does, where a row lacks what is asked, and where a column that looks meant is not read.
    """
    wanted = Wanted(tuple(roles), tuple(optional), tuple(targets))
    found = _read(path, columns, no_header, max_characters, training=True, texts=wanted.is_texts, wanted=wanted)
    return training_rows.converted(found, wanted, path)


def rows_of(
    given: Iterable[Mapping],
    *,
    roles: Sequence[str],
    optional: Sequence[str] = (),
    targets: Sequence[str] = (),
    max_characters: int = 100_000,
) -> Rows:
    """The rows of dicts to train on, as `read_rows` gives those of a file; faults name "row 3"."""
    return training_rows.given(given, Wanted(tuple(roles), tuple(optional), tuple(targets)), max_characters)


def _read(
    source: str | Path,
    columns: str,
    no_header: bool,
    max_characters: int,
    *,
    training: bool = False,
    texts: bool = False,
    wanted: Wanted | None = None,
) -> Texts | Kinds | Taken:
    mapped = parse(columns)
    try:
        path, options = sources.split(source)
        if wanted and path.is_file() and path.suffix.lower() == ".txt" and blocks.has_separators(path):
            texts = False
        name = sources.reader(path, options, texts=texts)
        reader = importlib.import_module(f"mlx_metaembed.data.readers.{name}")
        if mapped and name not in sources.TABLES:
            raise CallError(f"{path} has no columns to choose from; --columns is for {', '.join(sources.TABLES)}")
        if no_header and name != "csv":
            raise CallError(f"{path}: --no-header is for .csv and .tsv; other rows have names, or are lists without")
        faults = Faults(path, max_characters)
        if name in sources.TABLES:
            table = Table(faults, mapped, texts=texts and not wanted, wanted=wanted)
            reader.fill(path, table, **options, **({"header": not no_header} if name == "csv" else {}))
            rows = table.rows()
        elif name == "beir":
            rows = reader.read(path, faults, training=training, **options)
        else:
            rows = reader.read(path, faults)
    except OSError as error:
        raise CallError(f"{error.filename or source} can't be read ({error.strerror or error})") from None
    return replace(rows, notes=faults.notes())
