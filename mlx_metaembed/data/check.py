"""What a file of rows is like: it is read a row at a time, with a hash held of each text."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlx_metaembed.data import row_stream
from mlx_metaembed.data.same_text import number
from mlx_metaembed.data.text_counts import Column, Lengths, Sample

Told = Callable[[str, Mapping[str, list[str]]], None]


def count(
    source: str | Path,
    *,
    lengths: Lengths = lambda texts: list(map(len, texts)),
    limit: int | None = None,
    told: Told = lambda where, texts: None,
    mapped: str = "",
    no_header: bool = False,
) -> dict:
    """Counts of a file's rows and of each column's texts; `told` hears of every row's texts.

    A text is over the limit where it has more than `limit` of what `lengths` counts. Raises CallError where a row can't
    be read or no column holds texts.
    """
    columns: dict[str, Column] = {}
    rows: set[int] = set()
    targets: dict[int, int] = {}
    sample, names, total, repeated, contradicted = Sample(), (), 0, 0, 0

    def take(where: str, row: dict[str, object]) -> None:
        nonlocal names, total, repeated, contradicted
        names, total = names or tuple(row), total + 1
        found = row_stream.texts_of(row)
        own = number("\0\0".join(f"{name}\0{text}" for name, texts in found.items() for text in texts))
        target = number("\0\0".join(f"{name}\0{row[name]}" for name in sorted(row_stream.TARGETS & row.keys())))
        rows.add(own ^ target)
        contradicted += targets.setdefault(own, target) != target
        alone = [text.strip() for name, texts in found.items() if name in row_stream.NAMES for text in texts]
        repeated += len(set(alone)) < len(alone)
        for name, texts in found.items():
            columns.setdefault(name, Column(lengths, limit)).add(texts)
            for text in texts:
                sample.add(text)
        told(where, found)

    notes = row_stream.fill(source, take, mapped=mapped, no_header=no_header)
    row_stream.require_texts(source, columns, names)
    return {
        "file": str(source),
        "rows": total,
        "duplicate_rows": total - len(rows),
        "same_texts_other_target": contradicted,
        "rows_with_a_text_twice": repeated,
        "columns": {name: column.result(total) for name, column in columns.items()},
        "scripts": sample.scripts(),
        "languages": sample.languages(),
        "notes": list(notes),
    }
