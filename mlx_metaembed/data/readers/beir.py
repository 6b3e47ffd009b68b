"""A BEIR folder: corpus.jsonl, queries.jsonl and qrels/<split>.tsv (arXiv:2104.08663).

A text of the corpus is its title and its text, as BEIR joins them; one of neither stays, since a search meets it too.
Only the queries of the chosen split are given, and of those only the ones with a relevant text: without any, nDCG is
undefined.
"""

from collections.abc import Mapping
from pathlib import Path

from mlx_metaembed.data import qrels as judgements
from mlx_metaembed.data.faults import Faults, kind
from mlx_metaembed.data.readers import jsonl
from mlx_metaembed.data.rows import Retrieval
from mlx_metaembed.errors import CallError, nearest

HELD_OUT = ("test", "dev", "validation", "valid", "val")
"""Splits that are measured on, the first of them that is there."""


def splits(folder: Path) -> list[str]:
    """The names of the qrels files, sorted: `["dev", "test"]`."""
    return sorted(path.stem for path in (folder / "qrels").glob("*.tsv") if path.is_file())


def read(folder: Path, faults: Faults, *, qrels: str | None = None, training: bool = False) -> Retrieval:
    """Queries, corpus and grades. `qrels` names the split: test, else dev, else the only one.

    For `training` it is train, and no other unless it is named; there a text without a word is a fault. Raises
    CallError with all the faults of the three files.
    """
    split = _chosen(folder, qrels) if qrels is not None else _to_train(folder) if training else _default(folder)
    faults.note(f"Judgements: qrels/{split}.tsv")
    missing = [name for name in ("corpus.jsonl", "queries.jsonl") if not (folder / name).is_file()]
    if missing:
        raise CallError(f"{folder} lacks {' and '.join(missing)}; expected a BEIR folder with both and qrels/*.tsv")
    corpus = _texts(folder / "corpus.jsonl", faults, blanks=not training)
    queries = _texts(folder / "queries.jsonl", faults)
    grades = judgements.read(folder / "qrels" / f"{split}.tsv", faults, queries, corpus)
    faults.raise_any()
    rows = {identifier: row for row, identifier in enumerate(corpus)}
    relevant = {
        query: {rows[text]: grade for text, grade in graded.items() if grade > 0} for query, graded in grades.items()
    }
    asked = [query for query in queries if relevant.get(query)]
    if not asked:
        raise CallError(f"{folder}: qrels/{split}.tsv names no relevant text for any query; expected a score above 0")
    if lost := len(grades) - len(asked):
        faults.note(f"Queries without a judgement above 0, left out where pytrec_eval gives 0: {lost:,}")
    if blank := sum(not text.strip() for text in corpus.values()):
        faults.note(f"Texts of corpus.jsonl without a word, searched all the same: {blank:,}")
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
    held = [name for name in HELD_OUT if name in found] or (found if len(found) == 1 else [])
    if held:
        return held[0]
    listed = ", ".join(found) or "none"
    advice = f"choose one like this: '{folder}?qrels={found[0]}'" if found else "expected qrels/test.tsv"
    raise CallError(f"{folder} has {len(found)} files in qrels ({listed}) and none is test.tsv or dev.tsv; {advice}")


def _to_train(folder: Path) -> str:
    found = splits(folder)
    if not found or "train" in found:
        return "train" if found else _default(folder)
    insisted = "test" if "test" in found else found[0]
    raise CallError(
        f"{folder} has no qrels/train.tsv, only {', '.join(f'{name}.tsv' for name in found)}: a model trained on the "
        f"judgements that it is measured by looks better than it is. To insist: '{folder}?qrels={insisted}'"
    )


def _texts(path: Path, faults: Faults, *, blanks: bool = False) -> dict[str, str]:
    """Texts by id, in the file's order; with `blanks` one without a word is no fault."""
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
        texts[identifier] = _joined(row, where, faults, blanks)
    if not texts and not faults:
        faults.add(path.name, None, "empty; expected one object a line with _id and text")
    return texts


def _joined(row: Mapping[str, object], where: str, faults: Faults, blanks: bool) -> str:
    title, text = row.get("title"), row["text"]
    if title is not None and not isinstance(title, str):
        faults.add(where, "title", f"{kind(title)}; expected text")
        return ""
    joined = f"{title} {text}".strip() if title and isinstance(text, str) else text
    if blanks and isinstance(joined, str) and not joined.strip():
        return ""
    return joined if faults.text(where, "text", joined) else ""
