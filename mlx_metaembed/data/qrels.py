"""Judgements of queries and texts by their ids, out of a file of qrels: BEIR's three columns, or TREC's four.

The first line is a header, as in every BEIR set, or already a row. Cells stand between tabs, or between spaces.
"""

from collections.abc import Collection
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults

EXPECTED = "expected query-id, corpus-id and score with tabs between them"


def read(path: Path, faults: Faults, queries: Collection[str], corpus: Collection[str]) -> dict[str, dict[str, float]]:
    """Grades by query id and corpus id, whatever they are; what is wrong is noted, ids that are not there too.

    Of a pair that stands twice the later grade counts.
    """
    grades: dict[str, dict[str, float]] = {}
    name = f"qrels/{path.name}, "
    for number, line in lines.read(path, faults, name):
        where = f"{name}line {number}"
        cells = [cell.strip() for cell in line.split("\t")] if "\t" in line else line.split()
        if not cells or cells == [""] or (number == 1 and cells[0] not in queries and not _is_number(cells[-1])):
            continue
        if len(cells) == 4:
            # TREC counts iterations in the second column, which nothing reads.
            del cells[1]
        if len(cells) != 3:
            faults.add(where, None, f"{len(cells)} cells; {EXPECTED}")
            continue
        query, text, score = cells
        for column, identifier, known in (("query-id", query, queries), ("corpus-id", text, corpus)):
            if identifier not in known:
                file = "queries.jsonl" if known is queries else "corpus.jsonl"
                faults.add(where, column, f"{identifier!r} is not in {file}")
        grade = faults.number(where, "score", score, as_text=True)
        if grade is not None:
            grades.setdefault(query, {})[text] = grade
    return grades


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
