"""JSON lines: one object a line.

Read line by line, so a file larger than memory's half is no trouble; a file that is one JSON array is refused with the
command that turns it into lines.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.rows import Labelled, Pairs, Scored
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError


def read(path: Path, faults: Faults) -> Pairs | Scored | Labelled:
    """The rows of a file. Raises CallError with all its faults."""
    table = Table(faults)
    for number, row in objects(path, faults):
        table.add(f"line {number}", row)
    return table.rows()


def objects(path: Path, faults: Faults, prefix: str = "") -> Iterator[tuple[int, dict]]:
    """Line number and object of each line; blank lines are passed over, faults noted.

    Raises CallError where the file is one JSON array.
    """
    begun = False
    repeated: list[str] = []
    decoder = json.JSONDecoder(object_pairs_hook=lambda pairs: _object(pairs, repeated))
    for number, line in lines.read(path, faults, prefix):
        text = line.strip()
        if not text:
            continue
        if not begun and text.startswith("["):
            raise CallError(
                f"{path} is one JSON array; expected JSON lines, one object a line. "
                f"Convert it with: jq -c '.[]' {path} > {path.with_suffix('.jsonl').name}"
            )
        begun = True
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
            if isinstance(row, dict):
                yield number, row
            else:
                faults.add(where, None, f'{kind(row)}; expected an object such as {{"anchor": ..., "positive": ...}}')


def _object(pairs: list[tuple[str, object]], repeated: list[str]) -> dict:
    """An object of JSON; names that stand twice, which JSON leaves undefined, are noted."""
    row = dict(pairs)
    if len(row) != len(pairs):
        names = [name for name, _ in pairs]
        repeated += [name for name in row if names.count(name) > 1]
    return row
