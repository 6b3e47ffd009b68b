"""A BEIR folder: corpus.jsonl, queries.jsonl and qrels/<split>.tsv (arXiv:2104.08663).

A text of the corpus is its title and its text, as BEIR joins them. Only the queries of the chosen split are given, and
of those only the ones with a relevant text: without any, nDCG is undefined.
"""

from collections.abc import Mapping
from pathlib import Path

from mlx_metaembed.data import lines
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.readers import jsonl
from mlx_metaembed.data.rows import Retrieval
from mlx_metaembed.errors import CallError, nearest


def splits(folder: Path) -> list[str]:
    """The names of the qrels files, sorted: `["dev", "test"]`."""
    return sorted(path.stem for path in (folder / "qrels").glob("*.tsv") if path.is_file())


def read(folder: Path, faults: Faults, *, qrels: str | None = None, training: bool = False) -> Retrieval:
    """Queries, corpus and grades. `qrels` names the split: test where it is there, else the only one.

    For `training` it is train, and no other unless it is named. Raises CallError with all the faults of the three
    files.
    """
    split = _chosen(folder, qrels) if qrels is not None else _to_train(folder) if training else _default(folder)
    faults.note(f"Judgements: qrels/{split}.tsv")
    missing = [name for name in ("corpus.jsonl", "queries.jsonl") if not (folder / name).is_file()]
    if missing:
        raise CallError(f"{folder} lacks {' and '.join(missing)}; expected a BEIR folder with both and qrels/*.tsv")
    corpus = _texts(folder / "corpus.jsonl", faults)
    queries = _texts(folder / "queries.jsonl", faults)
    grades = _grades(folder / "qrels" / f"{split}.tsv", faults, queries, corpus)
    faults.raise_any()
    rows = {identifier: row for row, identifier in enumerate(corpus)}
    relevant = {
        query: {rows[text]: grade for text, grade in graded.items() if grade > 0} for query, graded in grades.items()
    }
    asked = [query for query in queries if relevant.get(query)]
    if not asked:
        raise CallError(f"{folder}: qrels/{split}.tsv names no relevant text for any query; expected a score above 0")
    return Retrieval(
        queries=[queries[query] for query in asked],
        corpus=list(corpus.values()),
        relevant=[relevant[query] for query in asked],
        query_ids=asked,
        corpus_ids=list(corpus),
        itself={row: rows[query] for row, query in enumerate(asked) if query in rows},
    )


def _chosen(folder: Path, wanted: str) -> str:
    found = splits(folder)
    if wanted not in found:
        listed = ", ".join(found) or "none"
        raise CallError(f"{folder} has no qrels/{wanted}.tsv; its qrels: {listed}{nearest(wanted, found)}")
    return wanted


def _default(folder: Path) -> str:
    found = splits(folder)
    if "test" in found or len(found) == 1:
        return "test" if "test" in found else found[0]
    listed = ", ".join(found) or "none"
    advice = f"choose one like this: '{folder}?qrels={found[0]}'" if found else "expected qrels/test.tsv"
    raise CallError(f"{folder} has {len(found)} files in qrels ({listed}) and none is test.tsv; {advice}")


def _to_train(folder: Path) -> str:
    found = splits(folder)
    if not found or "train" in found:
        return "train" if found else _default(folder)
    insisted = "test" if "test" in found else found[0]
    raise CallError(
        f"{folder} has no qrels/train.tsv, only {', '.join(f'{name}.tsv' for name in found)}: a model trained on the "
        f"judgements that it is measured by looks better than it is. To insist: '{folder}?qrels={insisted}'"
    )


def _texts(path: Path, faults: Faults) -> dict[str, str]:
    """Texts by id, in the file's order."""
    texts: dict[str, str] = {}
    for number, row in jsonl.objects(path, faults, f"{path.name}, "):
        where = f"{path.name}, line {number}"
        identifier = row.get("_id")
        if isinstance(identifier, int) and not isinstance(identifier, bool):
            identifier = str(identifier)
        good = True
        for name in ("_id", "text"):
            if name not in row:
                faults.add(where, name, f"missing; found are {', '.join(row) or 'none'}")
                good = False
        if not good or not faults.text(where, "_id", identifier):
            continue
        if identifier in texts:
            faults.add(where, "_id", f"{identifier!r} stands twice in the file")
            continue
        # Kept even where the text is at fault, so that the qrels are not blamed for it too.
        texts[identifier] = _joined(row, where, faults)
    if not texts and not faults:
        faults.add(path.name, None, "empty; expected one object a line with _id and text")
    return texts


def _joined(row: Mapping[str, object], where: str, faults: Faults) -> str:
    title, text = row.get("title"), row["text"]
    if title is not None and not isinstance(title, str):
        faults.add(where, "title", f"{kind(title)}; expected text")
        return ""
    joined = f"{title} {text}".strip() if title and isinstance(text, str) else text
    return joined if faults.text(where, "text", joined) else ""


def _grades(
    path: Path, faults: Faults, queries: Mapping[str, str], corpus: Mapping[str, str]
) -> dict[str, dict[str, float]]:
    """Grades by query id and corpus id. The first line is a header, as in every BEIR set, or already a row."""
    grades: dict[str, dict[str, float]] = {}
    name = f"qrels/{path.name}, "
    for number, line in lines.read(path, faults, name):
        where = f"{name}line {number}"
        cells = [cell.strip() for cell in line.split("\t")]
        if cells == [""] or (number == 1 and cells[-1] == "score"):
            continue
        if len(cells) != 3:
            faults.add(
                where, None, f"{len(cells)} cells; expected query-id, corpus-id and score with tabs between them"
            )
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
