"""The texts to index: any data the kit reads, a .txt file with one text a line, or JSON lines with text alone.

Of pairs and retrieval data the corpus is taken, of labelled rows the text, of scored pairs the first sentence; equal
texts are one row. Ids come from the file where it has them, else they are line or row numbers.
"""

from pathlib import Path

from mlx_metaembed import data
from mlx_metaembed.data import jsonl, lines
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Labelled, Pairs, Scored
from mlx_metaembed.data.shapes import complete
from mlx_metaembed.errors import CallError

IDS = ("id", "_id")


def read(path: str | Path, *, max_characters: int = 100_000) -> tuple[list[str], list[str]]:
    """Ids and texts, in the source's order. Raises CallError with all the faults of the source."""
    plain = Path(path)
    if plain.suffix.lower() == ".txt" and plain.is_file():
        return _distinct(*_lines(plain, Faults(plain, max_characters)))
    if plain.suffix.lower() == ".jsonl" and plain.is_file() and _text_alone(plain):
        return _distinct(*_objects(plain, Faults(plain, max_characters)))
    rows = data.read(path, max_characters=max_characters)
    if isinstance(rows, Pairs):
        rows = rows.retrieval()
    if isinstance(rows, Scored | Labelled):
        texts = rows.texts if isinstance(rows, Labelled) else rows.sentence1
        return _distinct([str(number) for number in range(1, len(texts) + 1)], texts)
    return rows.corpus_ids, rows.corpus


def _lines(path: Path, faults: Faults) -> tuple[list[str], list[str]]:
    """Each line that is not blank, its number the id."""
    ids, texts = [], []
    for number, line in lines.read(path, faults):
        text = line.strip()
        if text and faults.text(f"line {number}", None, text):
            ids.append(str(number))
            texts.append(text)
    return _some(ids, texts, faults)


def _objects(path: Path, faults: Faults) -> tuple[list[str], list[str]]:
    """Each object's text, after its title where it has one, as BEIR joins them; its id, or its line's number."""
    ids, texts, seen = [], [], {}
    for number, row in jsonl.objects(path, faults):
        where = f"line {number}"
        column = next((name for name in IDS if name in row), None)
        name = row[column] if column else number
        name = str(name) if type(name) is int else name
        if "text" not in row:
            faults.add(where, "text", f"missing; found are {', '.join(row) or 'none'}")
        elif all([faults.text(where, "text", row["text"]), faults.text(where, column or "id", name)]):
            if name in seen:
                faults.add(where, column, f"{name!r} stands on line {seen[name]} already")
            title = row.get("title")
            seen[name] = number
            ids.append(name)
            texts.append(f"{title} {row['text']}" if isinstance(title, str) and title.strip() else row["text"])
    return _some(ids, texts, faults)


def _text_alone(path: Path) -> bool:
    """Whether the first good line has a text and makes none of the shapes of training data."""
    first = next((row for _, row in jsonl.objects(path, Faults(path, 1))), {})
    return "text" in first and not complete(tuple(first))


def _some(ids: list[str], texts: list[str], faults: Faults) -> tuple[list[str], list[str]]:
    faults.raise_any()
    if not texts:
        raise CallError(f"{faults.source} holds no text; expected at least one")
    return ids, texts


def _distinct(ids: list[str], texts: list[str]) -> tuple[list[str], list[str]]:
    """The first row of each distinct text."""
    first = {}
    for name, text in zip(ids, texts, strict=True):
        first.setdefault(text, name)
    return list(first.values()), list(first)
