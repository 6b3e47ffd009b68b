"""Paragraphs of docstrings as a search task: the first asks, the others of the same docstring answer.

Out of the standard library and the packages beside the kit, but not the peers', so that installing one changes nothing.
Files are parted: of one part the paragraphs are fitted on, of the other queries and documents.
"""

import ast
import json
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import numpy as np

SHORTEST, LONGEST = 40, 800
"""Characters of a paragraph."""
PEERS = {"faiss"}


def docstrings() -> Iterator[tuple[str, list[str]]]:
    """The file and the paragraphs of each docstring."""
    library, packages = (Path(sysconfig.get_path(name)) for name in ("stdlib", "purelib"))
    for root in (library, packages):
        for path in sorted(root.rglob("*.py")):
            inside = path.relative_to(root).parts
            if PEERS & set(inside) or (root == library and "site-packages" in inside):
                continue
            try:
                tree = ast.parse(path.read_text(encoding="utf-8"))
            except (SyntaxError, ValueError, RecursionError):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module | ast.AsyncFunctionDef) and (
                    text := ast.get_docstring(node)
                ):
                    found = [each.strip() for each in re.split(r"\n\s*\n", text)]
                    yield str(path), [each for each in found if SHORTEST <= len(each) <= LONGEST]


def write(out: Path, *, queries: int, seed: int) -> None:
    """`fit.jsonl` and a BEIR folder `task` with so many queries at most; no text is in both."""
    seen: set[str] = set()
    fit: list[str] = []
    corpus: list[str] = []
    asked: list[tuple[str, list[int]]] = []
    fitted: dict[str, bool] = {}
    random = np.random.default_rng(seed)
    for path, paragraphs in docstrings():
        is_fitted = fitted.setdefault(path, bool(random.random() < 0.5))
        fresh = [text for text in dict.fromkeys(paragraphs) if text not in seen]
        seen.update(fresh)
        if is_fitted:
            fit += fresh
        elif len(fresh) > 1:
            asked.append((fresh[0], list(range(len(corpus), len(corpus) + len(fresh) - 1))))
            corpus += fresh[1:]
        else:
            corpus += fresh
    chosen = np.sort(random.permutation(len(asked))[:queries])
    (out / "task" / "qrels").mkdir(parents=True, exist_ok=True)
    _lines(out / "fit.jsonl", ({"text": text} for text in fit))
    _lines(out / "task" / "corpus.jsonl", ({"_id": f"d{at}", "text": text} for at, text in enumerate(corpus)))
    _lines(out / "task" / "queries.jsonl", ({"_id": f"q{at}", "text": asked[at][0]} for at in chosen))
    rows = [f"q{at}\td{row}\t1\n" for at in chosen for row in asked[at][1]]
    (out / "task" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows), encoding="utf-8")


def _lines(path: Path, rows: Iterator[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
