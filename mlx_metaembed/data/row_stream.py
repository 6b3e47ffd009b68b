"""The rows of any source one at a time, all their columns, for what counts, parts or copies rows.

A table's rows are streamed; a BEIR folder's judgements and what a reader makes of code or conversations are held.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from mlx_metaembed.data import columns, read, records, shapes, sources
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.readers import beir
from mlx_metaembed.data.records import Take
from mlx_metaembed.data.rows import Retrieval
from mlx_metaembed.errors import CallError

TARGETS = {"label", "gold_label", "score"}
NAMES = frozenset(name for shape in (*shapes.SHAPES, shapes.TEXTS) for name in shape.texts if name not in TARGETS)
"""Columns that hold a row's texts; those of negatives go by more names."""
AS_TEXT = ("csv", "sqlite")
"""Sources whose cells spell lists, and numbers in CSV, as text."""


def require_texts(source: str | Path, found: Mapping[str, object], columns: tuple[str, ...]) -> None:
    """Raise CallError where no column of texts was `found` among all that rows have."""
    if not found:
        names = ", ".join(repr(name[:40]) for name in columns[:20]) or "none"
        raise CallError(f"{source} has no column of texts; found are {names}.\n{shapes.KNOWN}")


def texts_of(row: Mapping[str, object]) -> dict[str, list[str]]:
    """The texts of a row by column: an anchor, its positives, its negatives, ..., those of a list one by one."""
    found = {}
    for name, value in row.items():
        if name in NAMES or shapes.is_negative(name):
            values = value if isinstance(value, list) else [value]
            found[name] = [each for each in values if isinstance(each, str)]
    return found


def fill(
    source: str | Path, take: Take, *, mapped: str = "", no_header: bool = False, max_characters: int = 2**31
) -> tuple[str, ...]:
    """Give every row to `take` with where it stands, columns under the kit's names; what its reader has to say.

    Raises CallError where nothing is there, a row can't be read or lacks a column that is mapped, or there is no row.
    """
    chosen = columns.parse(mapped)
    try:
        path, options = sources.split(source)
        name = sources.reader(path, options, named=True)
        if name in sources.TABLES:
            return _table(path, options, name, chosen, take, no_header, max_characters)
        if mapped or no_header:
            raise CallError(f"{path} has no columns; --columns and --no-header are for {', '.join(sources.TABLES)}")
        if name == "beir":
            faults = Faults(path, max_characters)
            return _judged(beir.read(path, faults, training=True, **options), faults, take)
        pairs = read(source, max_characters=max_characters)
        for number, (anchor, positive) in enumerate(zip(pairs.anchors, pairs.positives, strict=True), 1):
            take(f"row {number}", {"anchor": anchor, "positive": positive})
        return pairs.notes
    except OSError as error:
        raise CallError(f"{error.filename or source} can't be read ({error.strerror or error})") from None


def _judged(found: Retrieval, faults: Faults, take: Take) -> tuple[str, ...]:
    """A row for each relevant text of a query; how relevant it is stays out, since pairs have no grade."""
    for query, identifier, relevant in zip(found.queries, found.query_ids, found.relevant, strict=True):
        for row in relevant:
            ids = {"query_id": identifier, "corpus_id": found.corpus_ids[row]}
            take(f"query {identifier}", {"query": query, "positive": found.corpus[row], **ids})
    return faults.notes()


def _table(
    path: Path,
    options: Mapping[str, str],
    name: str,
    chosen: columns.Columns,
    take: Take,
    no_header: bool,
    max_characters: int,
) -> tuple[str, ...]:
    if no_header and name != "csv":
        raise CallError(f"{path}: --no-header is for .csv and .tsv; other rows have names, or are lists without")
    left: set[str] = set()
    count, seen, names = 0, set(), ()

    def choose(found: tuple[str, ...]) -> dict[str, columns.Path]:
        layout, missing = chosen.plan(found)
        left.update(missing)
        seen.update(set(filter(None, chosen.chosen.values())) - set(missing))
        return layout

    def row(where: str, given: dict[str, object]) -> None:
        nonlocal count, names
        count += 1
        if not chosen and list(given) == [str(at) for at in range(1, len(given) + 1)]:
            names = names if len(names) == len(given) else shapes.by_position(list(given.values()))
            given = dict(zip(names or given, given.values(), strict=True))
        take(where, {key: _spelled(key, value) for key, value in given.items()} if name in AS_TEXT else given)

    found = records.fill(
        path, options, max_characters=max_characters, choose=choose, take=row, no_header=no_header, reader=name
    )
    if absent := sorted(left - seen):
        raise CallError(f"{path} has no column {', '.join(map(repr, absent))}, which --columns names")
    if not count:
        raise CallError(f"{path} has no row; expected at least one")
    return found.notes()


def _spelled(name: str, value: object) -> object:
    """A cell of text as the list or the number that it spells, where its column is of such."""
    is_score = name == "score" or shapes.is_candidates(name)
    if not isinstance(value, str) or not (is_score or (shapes.is_list(name) and value.lstrip().startswith("["))):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value
