"""Rows to train on, of what a reader gives: texts by role, targets as arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.rows import Kinds, Pairs, Retrieval, Rows, Taken, Texts, require_trainable
from mlx_metaembed.data.shapes import is_number
from mlx_metaembed.data.table import Table
from mlx_metaembed.data.wanted import FAMILIES, Wanted, trains
from mlx_metaembed.errors import CallError


def converted(found: Kinds | Texts | Taken, wanted: Wanted, source: object) -> Rows:
    """The rows as they are asked for. Raises CallError where they lack that, or hold nothing to learn from."""
    if wanted.is_pairs:
        return _pairs(require_trainable(found, source), wanted, source)
    if wanted.is_texts:
        return _enough(Rows({"text": _texts(found)}, {}, notes=found.notes), source)
    if not isinstance(found, Taken):
        columns = ("text",) if isinstance(found, Texts) else ("anchor", "positive")
        raise CallError(
            f"{source} has the columns {', '.join(columns)}, and lacks what is asked; taken are {wanted.taken}. "
            f"{trains(columns)}"
        )
    rows = _enough(_taken(found, wanted), source)
    if "label" in rows.targets and len(rows.labels) < 2:
        raise CallError(f"{source} has one class only, {rows.labels[0]!r}; expected two or more")
    return rows


def given(rows: Iterable[Mapping], wanted: Wanted, most: int) -> Rows:
    """The rows of dicts, one after another. Raises CallError with all that is wrong, by the number of the row."""
    if not isinstance(rows, Iterable):
        raise CallError(f"The rows are {kind(rows)}; expected dicts of columns, one after another")
    faults = Faults("The list of rows", most)
    table = Table(faults, wanted=wanted, mapped=False)
    for number, row in enumerate(rows, 1):
        where = f"row {number}"
        if not isinstance(row, Mapping):
            faults.add(where, None, f"{kind(row)}; expected a dict of columns")
        elif wrong := [name for name in row if not isinstance(name, str)]:
            faults.add(where, None, f"a column called {wrong[0]!r:.40}; expected text")
        else:
            table.add(where, {name: _plain(value) for name, value in row.items()})
    found = converted(table.rows(), wanted, faults.source)
    return Rows(found.texts, found.targets, found.labels, faults.notes())


def _pairs(pairs: Pairs, wanted: Wanted, source: object) -> Rows:
    without = next((row for row, negatives in enumerate(pairs.negatives, start=1) if not negatives), None)
    if without and "negative" in wanted.roles:
        raise CallError(
            f"{source}, row {without} has no negative, and the triplet loss needs one in every row; "
            "add it, or use --loss info_nce"
        )
    texts = {"anchor": pairs.anchors, "positive": pairs.positives}
    if pairs.most_negatives and "negative" in (*wanted.roles, *wanted.optional):
        texts["negative"] = pairs.negatives
    return Rows(texts, {}, notes=pairs.notes)


def _taken(found: Taken, wanted: Wanted) -> Rows:
    alone = len(found.shape.texts) == 1
    family = "texts" if alone else next(name for name in wanted.families if name != "texts")
    columns = [[row[at] for row in found.rows] for at in range(len(found.rows[0]))]
    roles = FAMILIES[family]
    texts = dict(zip(roles, columns[: 1 if alone else len(roles)], strict=True))
    if not any(texts.get("negative", ())):
        texts.pop("negative", None)
    targets, labels = {}, ()
    for (name, _), values in zip(found.shape.targets, columns[1 if alone else 3 :], strict=True):
        if name == "label":
            labels = tuple(sorted(set(values), key=_in_order))
            place = {label: at for at, label in enumerate(labels)}
            targets[name] = np.array([place[label] for label in values], np.int32)
        elif name == "negative_score":
            targets[name] = _padded(values)
        else:
            targets[name] = np.array(values, np.float32)
    return Rows(texts, targets, labels, found.notes)


def _in_order(label: str) -> tuple:
    """Numbers first and as numbers, other names after them."""
    return (0, float(label), label) if is_number(label) else (1, 0.0, label)


def _padded(lists: Sequence[Sequence[float]]) -> np.ndarray:
    """Lists as rows of one width, NaN behind the shorter ones."""
    padded = np.full((len(lists), max(map(len, lists))), np.nan, np.float32)
    for row, values in zip(padded, lists, strict=True):
        row[: len(values)] = values
    return padded


def _texts(found: Kinds | Texts | Taken) -> list[str]:
    """Every text of texts; of rows of several each text once, in the order of the rows."""
    if isinstance(found, Texts):
        return found.texts
    return list(dict.fromkeys(_each(found)))


def _each(found: Pairs | Retrieval | Taken) -> Iterator[str]:
    pairs = found.pairs() if isinstance(found, Retrieval) else found
    rows = pairs.rows if isinstance(pairs, Taken) else zip(pairs.anchors, pairs.positives, pairs.negatives, strict=True)
    for anchor, positive, negatives in rows:
        yield from (anchor, positive, *negatives)
    if isinstance(found, Retrieval):
        yield from found.corpus


def _enough(rows: Rows, source: object) -> Rows:
    if len(rows) < 2:
        raise CallError(f"{source} has one row; training needs at least two, and a real run thousands")
    return rows


def _plain(value: object) -> object:
    """NumPy's numbers and arrays, and tuples, as Python's numbers and lists."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
