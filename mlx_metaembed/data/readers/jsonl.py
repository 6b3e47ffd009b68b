"""JSON lines: a row a line, an object or a list by position.

Read line by line, so a file larger than memory's half is no trouble. A file that is one JSON array is `json_array`'s.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.readers import json_array
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError

EXPECTED = {dict: 'an object such as {"anchor": ..., "positive": ...}', list: "a list, as the lines before have"}


def fill(path: Path, table: Table, rows: str | None = None) -> None:
    """Take a file's rows; `rows` names an array inside one JSON object. Notes the faults."""
    if rows is not None or json_array.is_whole(path):
        json_array.fill(path, table, rows)
        return
    for number, row in _values(path, table.faults):
        if isinstance(row, list):
            table.add_cells(f"line {number}", row)
        else:
            table.add(f"line {number}", row)


def objects(path: Path, faults: Faults, prefix: str = "") -> Iterator[tuple[int, dict]]:
    """Line number and object of each line; blank lines are passed over, faults noted.

    Raises CallError where the file is one JSON array.
    """
    if json_array.is_whole(path):
        raise CallError(
            f"{path} is one JSON array; expected JSON lines, one object a line. "
            f"Convert it with: jq -c '.[]' {path} > {path.with_suffix('.jsonl').name}"
        )
    yield from _values(path, faults, prefix, lists=False)


def _values(path: Path, faults: Faults, prefix: str = "", *, lists: bool = True) -> Iterator[tuple[int, dict | list]]:
    """Line number and value of each line; the first says whether all are objects or, with `lists`, lists."""
    repeated: list[str] = []
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _object(pairs, repeated))
    form = None if lists else dict
    for number, line in lines.read(path, faults, prefix):
        text = line.strip()
        if not text:
            continue
        where = f"{prefix}line {number}"
        repeated.clear()
        try:
            row = decoder.decode(text)
        except json.JSONDecodeError as error:
            column = error.pos + 1 + len(line) - len(line.lstrip())
            faults.add(f"{where}, character {column}", None, f"not JSON ({error.msg}); expected one object a line")
        except (ValueError, RecursionError) as error:
            faults.add(where, None, f"not JSON that can be read ({error})")
        else:
            for name in repeated:
                faults.add(where, name, "stands twice in the object")
            form = form or (list if isinstance(row, list) else dict)
            if isinstance(row, form):
                yield number, row
            else:
                faults.add(where, None, f"{kind(row)}; expected {EXPECTED[form]}")


def _object(pairs: list[tuple[str, object]], repeated: list[str]) -> dict:
    """An object of JSON; names that stand twice, which JSON leaves undefined, are noted."""
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        repeated += [name for name in row if names.count(name) > 1]
    return row
