"""`python -m benchmarks.code_rows TREE ...`: how many rows source trees give, of each kind, and in what time.

The result file has by tree and kind the files, the rows by language and the seconds of the processor.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from mlx_metaembed.data.code.choices import KINDS, Choices
from mlx_metaembed.data.code.make import Made, make
from mlx_metaembed.errors import CallError

RESULTS = Path(__file__).parent / "results" / "code_rows.json"


def measured(tree: Path, kind: str, out: Path) -> dict:
    """One tree's rows of one kind; none where the tree gives none."""
    began = time.process_time()
    try:
        made = make(tree, out, Choices(kind))
    except CallError:
        made = Made()
    return {
        "tree": tree.resolve().name,
        "kind": kind,
        "files": made.files.total(),
        "functions": made.functions.total(),
        "rows": made.rows,
        "by_language": dict(made.by_language),
        "seconds": round(time.process_time() - began, 2),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("trees", nargs="+", type=Path)
    options.add_argument("--kinds", default="docstring,name,chunks")
    given = options.parse_args()
    wrong = set(given.kinds.split(",")) - set(KINDS)
    if wrong:
        options.error(f"there are no rows of the kind {', '.join(sorted(wrong))}; known: {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory() as work:
        rows = [
            measured(tree, kind, Path(work) / "rows.jsonl") for tree in given.trees for kind in given.kinds.split(",")
        ]
    for row in rows:
        print(
            f"{row['tree']:40} {row['kind']:10} {row['files']:6,} files {row['rows']:6,} rows {row['seconds']:6.1f} s"
        )
    RESULTS.write_text(json.dumps(machine.about(1) | {"rows": rows}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
