"""A .json file that holds one array of rows: of objects, of lists by position, or of texts.

An object around it is seen through: where one of its values alone is such an array, that is taken; `FILE.json?rows=KEY`
chooses one, `?rows=data.train` one further inside.
"""

import json
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, nearest

LARGEST = 2 << 30
"""Bytes of a file: an array is held whole, JSON lines are not."""


def fill(path: Path, table: Table, rows: str | None = None) -> None:
    """Take a file's rows. Raises CallError where it is no JSON, or has no array of rows, or several."""
    for number, row in enumerate(_array(path, _content(path, table.faults), rows, table.faults), 1):
        where = f"row {number}"
        if isinstance(row, dict):
            table.add(where, row)
        elif isinstance(row, list):
            table.add_cells(where, row)
        elif isinstance(row, str):
            table.add_cells(where, [row])
        else:
            table.faults.add(where, None, f"{kind(row)}; expected an object, a list or a text")


def is_whole(path: Path) -> bool:
    """Whether a .json or .jsonl file is one value over all its lines, told by its start; else it has a row a line."""
    begun = lines.start(path).lstrip()
    first, _, rest = begun.partition("\n")
    alone = ".json" in path.suffixes and not rest.strip()
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        return first.startswith("[") or first.strip() == "{"
    if isinstance(value, list):
        return ".json" in path.suffixes or any(isinstance(each, dict | list) for each in value)
    return alone and isinstance(value, dict) and any(_of_rows(each) for each in value.values())


def _of_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict | list) for each in value)


def _content(path: Path, faults: Faults) -> object:
    try:
        return json.loads(lines.whole(path, faults, LARGEST))
    except json.JSONDecodeError as error:
        raise CallError(f"{path}, line {error.lineno}, character {error.colno}: not JSON ({error.msg})") from None
    except (ValueError, RecursionError) as error:
        raise CallError(f"{path} is not JSON that can be read ({error})") from None


def _array(path: Path, content: object, chosen: str | None, faults: Faults) -> list:
    if chosen is not None:
        for key in chosen.split("."):
            known = list(content) if isinstance(content, dict) else []
            if key not in known:
                raise CallError(
                    f"{path} has no {key!r} for ?rows={chosen}; found are {', '.join(known) or 'none'}"
                    + nearest(key, known)
                )
            content = content[key]
    elif isinstance(content, dict):
        arrays = [key for key, value in content.items() if isinstance(value, list) and value]
        if len(arrays) != 1:
            listed = ", ".join(arrays) or "none"
            advice = f"; choose one like this: '{path}?rows={arrays[0]}'" if arrays else ""
            raise CallError(
                f"{path} is one JSON object with {len(arrays)} arrays ({listed}); expected an array of rows{advice}"
            )
        content = content[arrays[0]]
        faults.note(f"The rows are those under {arrays[0]!r}")
    if not isinstance(content, list):
        raise CallError(f"{path} holds {kind(content)}; expected an array of rows")
    if not content:
        raise CallError(f"{path} holds an empty array; expected at least one row")
    return content
