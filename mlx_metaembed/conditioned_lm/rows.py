"""Texts with their IDs, out of a scheme's folder, of rows that a scheme codes, or of rows that have an ID already."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.data.header import column_names
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.semantic_ids import corpus, files
from mlx_metaembed.semantic_ids.files import ABOUT, Ids

COLUMN = "id"


@dataclass(frozen=True)
class Rows:
    """Texts, their IDs int32 [n, d], and what the digits are; `scheme` is the folder that coded them, "" for none."""

    texts: list[str]
    ids: np.ndarray
    levels: Levels
    scheme: str = ""
    notes: tuple[str, ...] = ()


def read(
    data: str, scheme: Path | None, digits: int | None, mapped: dict, encode: Callable[[Ids, list[str]], np.ndarray]
) -> Rows:
    """The rows of `data`, a scheme's folder or a source of rows; `mapped` says how rows are read.

    IDs are those of the column `id`; without it the scheme codes the texts by `encode`. Raises CallError for rows
    without text, without an ID and a scheme, or with one that is of another scheme, all of them.
    """
    if (Path(data) / ABOUT).is_file():
        if scheme is not None:
            raise CallError(f"{data} is a scheme's folder, with texts and IDs of its own; leave --ids out")
        return _of_scheme(Path(data), digits)
    found = files.load(scheme) if scheme else None
    names = column_names(data, columns=mapped.get("mapped", ""), no_header=mapped.get("no_header", False))
    has = COLUMN in names
    if not has and found is None:
        listed = ", ".join(map(repr, names[:20])) or "none"
        raise CallError(
            f"{data} has no column {COLUMN!r} (its columns: {listed}). Give --ids FOLDER, the scheme that codes its "
            "texts, or say which column has IDs: --columns id=COLUMN"
        )
    made = corpus.read(data, (COLUMN,) if has else (), **mapped)
    levels = Levels.of_scheme(found.scheme) if found else None
    if has:
        ids = _parsed(data, made, levels)
        levels = levels or Levels.of_rows(ids)
    else:
        ids = np.asarray(encode(found, made.texts), np.int32)
    return _cut(Rows(made.texts, ids, levels, str(scheme or ""), made.notes), digits)


def _of_scheme(path: Path, digits: int | None) -> Rows:
    found = files.load(path)
    ids = found.ids[:, : len(found.scheme.digits)].astype(np.int32)
    return _cut(Rows(found.texts, ids, Levels.of_scheme(found.scheme), str(path)), digits)


def _cut(rows: Rows, digits: int | None) -> Rows:
    """The rows with the first `digits` of their IDs. Raises CallError where there are fewer."""
    if digits is None:
        return rows
    most = len(rows.levels.counts)
    if not 1 <= digits <= most:
        raise CallError(f"--digits {digits}: the IDs have {most}; expected 1 to {most}")
    kept = Levels(*(each[:digits] for each in (rows.levels.names, rows.levels.counts, rows.levels.labels)))
    return Rows(rows.texts, rows.ids[:, :digits], kept, rows.scheme, rows.notes)


def _parsed(data: str, made: corpus.Corpus, levels: Levels | None) -> np.ndarray:
    """The IDs of a column. Raises CallError with all that are none, or are not of the scheme."""
    wrong, found, depth = [], [], 0
    for text, said in zip(made.texts, made.columns[COLUMN], strict=True):
        try:
            digits = _digits(said, levels)
            depth = depth or len(digits)
            if len(digits) != depth:
                raise CallError(f"{said!r:.80} has {len(digits)} digits, the first one {depth}")
            found.append(digits)
        except CallError as error:
            wrong.append(f"{text!r:.60}: {error}")
    if wrong:
        raise faults(f"{data}: {len(wrong):,} of {len(made.texts):,} texts have no ID that can be taken:", wrong)
    return np.array(found, np.int32)


def _digits(said: object, levels: Levels | None) -> tuple[int, ...]:
    """One ID, as text or as a list of whole numbers."""
    text = ".".join(map(str, said)) if isinstance(said, list) else "" if said is None else str(said)
    if levels is not None:
        return levels.parse(text)
    parts = text.strip().split(".")
    if not all(part.isascii() and part.isdigit() and int(part) < 2**16 for part in parts):
        raise CallError(f"{text!r:.80} is no ID; expected digits like 3.5.2.1")
    return tuple(map(int, parts))
