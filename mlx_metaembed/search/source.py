"""The texts to index: any data the kit reads, a .txt file with one text a line, or notes in Markdown and plain text.

A column of texts is taken where there is one; of pairs and retrieval data the corpus, of scored pairs the first
sentence. Equal texts are one row. Ids come from the file where it has them, else they are line or row numbers; of notes
they are `path:line`.
"""

from pathlib import Path

from mlx_metaembed import data
from mlx_metaembed.data.rows import Labelled, Pairs, Scored, Texts


def read(path: str | Path, *, columns: str = "", no_header: bool = False, max_characters: int = 100_000) -> Texts:
    """Ids and distinct texts, in the source's order. Raises CallError with all the faults of the source."""
    rows = data.read_texts(path, columns=columns, no_header=no_header, max_characters=max_characters)
    if isinstance(rows, Texts):
        return _distinct(rows)
    if isinstance(rows, Scored | Labelled):
        texts = rows.texts if isinstance(rows, Labelled) else rows.sentence1
        return _distinct(Texts([str(number) for number in range(1, len(texts) + 1)], texts, notes=rows.notes))
    found = rows.retrieval() if isinstance(rows, Pairs) else rows
    return Texts(found.corpus_ids, found.corpus, notes=found.notes)


def _distinct(found: Texts) -> Texts:
    """The first row of each distinct text."""
    first: dict[str, int] = {}
    for row, text in enumerate(found.texts):
        first.setdefault(text, row)
    rows = first.values()
    return Texts(
        [found.ids[row] for row in rows],
        list(first),
        [found.lines[row] for row in rows] if found.lines else [],
        found.notes,
    )
