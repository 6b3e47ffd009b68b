"""The rows of any source as JSON lines, a row a positive: FlagEmbedding's lists become several rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.data import row_stream, shapes, sources, writers
from mlx_metaembed.errors import CallError

LISTS = ("pos", "positives")


@dataclass(frozen=True)
class Written:
    """How many rows were read and written, the columns that they have, and what their reader has to say."""

    read: int
    rows: int
    columns: tuple[str, ...]
    notes: tuple[str, ...]


def write(
    source: str, out: Path, *, mapped: str = "", no_header: bool = False, told: Callable[[], None] = lambda: None
) -> Written:
    """Write a source's rows to `out`, columns under the kit's names where they are mapped.

    Raises CallError where the source can't be read, or a value has no form in JSON.
    """
    writers.require_name(out, sources.split(source)[0])
    read = rows = 0
    columns: dict[str, None] = {}
    with writers.json_lines(out) as put:

        def take(where: str, row: dict[str, object]) -> None:
            nonlocal read, rows
            read += 1
            for each in flat(f"{source}, {where}", row):
                put(writers.plain(f"{source}, {where}", each))
                columns.update(dict.fromkeys(each))
                rows += 1
            told()

        notes = row_stream.fill(source, take, mapped=mapped, no_header=no_header)
        if not rows:
            raise CallError(f"{source}: its {read:,} rows have no positive; expected one at least")
    return Written(read, rows, tuple(columns), notes)


def flat(where: str, row: Mapping[str, object]) -> Iterator[dict[str, object]]:
    """A row for each positive of a list, its score beside it; a row without such a list as it stands.

    Raises CallError where there are not as many scores as positives.
    """
    lists = [name for name in LISTS if isinstance(row.get(name), list)]
    if len(lists) != 1 or "positive" in row:
        yield dict(row)
        return
    name, positives = lists[0], row[lists[0]]
    scored = next((each for each in shapes.positive_scores_of(row) if isinstance(row[each], list)), None)
    scores = row[scored] if scored else [None] * len(positives)
    if len(scores) != len(positives):
        raise CallError(
            f"{where}, column {scored!r}: {len(scores)} scores of {len(positives)} positives; expected as many"
        )
    names = {name: "positive", "neg": "negatives"} | ({scored: "positive_score"} if scored else {})
    for text, score in zip(positives, scores, strict=True):
        yield {names.get(key, key): text if key == name else score if key == scored else row[key] for key in row}
