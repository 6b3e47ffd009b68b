"""Data, recipes and images that are changed: one of every kind that the kit reads."""

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

from tiny import TEXTS

from fuzz.source_subjects import ROWS
from fuzz.subject import GOLDEN, TRAIN, Subject, pairs


def build(root: Path) -> list[Subject]:
    """A subject a kind, written under `root`."""
    return [_data(root / name, write) for name, write in DATA.items()]


def _data(path: Path, write: Callable[[Path], None]) -> Subject:
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    where = f"m{path.suffix}"
    calls = (
        ("train", "--model", "{model}", "--data", where, "--out", "out", *TRAIN),
        ("eval", "{model}", "--data", where, "--json"),
        ("index", "{model}", where, "out", "--json"),
        *(tuple(where if word == "m" else word for word in call) for call in ROWS),
    )
    if path.suffix == ".txt":
        calls = (
            ("embed", "{model}", "--input", where, "--json"),
            ("embed", "{model}", "--input", where, "--output", "out.npy"),
        )
    if path.suffix == ".png":
        calls = (("embed", "{clip}", "--image", where, "--json"),)
    if path.suffix == ".toml":
        calls = (("train", where, "--engine", "mlx"), ("plan", where))
    return Subject(f"data:{path.name}", path, calls)


def _jsonl(path: Path) -> None:
    pairs(path)


def _scored(path: Path) -> None:
    path.write_text(
        "".join(
            f'{{"sentence1": "{text}", "sentence2": "{text} 3", "score": 0.{at}}}\n' for at, text in enumerate(TEXTS)
        )
    )


def _csv(path: Path) -> None:
    between = "\t" if path.suffix == ".tsv" else ","
    rows = [between.join(("anchor", "positive", "negative"))]
    rows += [between.join(f'"{text}, {at + part}"' for part in range(3)) for at, text in enumerate(TEXTS)]
    path.write_text("\n".join(rows) + "\n")


def _parquet(path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    columns = {"anchor": TEXTS, "positive": [f"{text} 1" for text in TEXTS]}
    parquet.write_table(pyarrow.table(columns), path)


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as base:
        base.execute("create table pairs (anchor text, positive text)")
        base.executemany("insert into pairs values (?, ?)", [(text, f"{text} 1") for text in TEXTS])
    base.close()


def _beir(path: Path) -> None:
    (path / "qrels").mkdir(parents=True)
    (path / "corpus.jsonl").write_text(
        "".join(f'{{"_id": "d{at}", "title": "", "text": "{text}"}}\n' for at, text in enumerate(TEXTS))
    )
    (path / "queries.jsonl").write_text(
        "".join(f'{{"_id": "q{at}", "text": "{text} 1"}}\n' for at, text in enumerate(TEXTS))
    )
    rows = "".join(f"q{at}\td{at}\t1\n" for at in range(len(TEXTS)))
    for split in ("train", "test"):
        (path / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)


def _python(path: Path) -> None:
    path.mkdir()
    for at, text in enumerate(TEXTS):
        lines = (
            f"def function_{at}(a, b):",
            f'    """{text.capitalize()}."""',
            f"    total = a + {at}",
            "    return total * b",
        )
        (path / f"module_{at}.py").write_text("\n".join(lines) + "\n")


def _texts(path: Path) -> None:
    path.write_text("\n".join(TEXTS) + "\n")


def _photo(path: Path) -> None:
    shutil.copyfile(GOLDEN / "clip" / "wide.png", path)


def _recipe(path: Path) -> None:
    lines = {"model": "{model}", "data": "{pairs}", "out": "out", "matryoshka": [32, 16], "fsq": "4x6"}
    lines |= {"batch_size": 4, "iters": 1, "learning_rate": 1e-3, "train": "full", "symmetric": True}
    path.write_text("".join(f"{key} = {_toml(value)}\n" for key, value in lines.items()))


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value).replace("'", '"')


DATA: Mapping[str, Callable[[Path], None]] = {
    "pairs.jsonl": _jsonl,
    "scored.jsonl": _scored,
    "triplets.csv": _csv,
    "triplets.tsv": _csv,
    "pairs.parquet": _parquet,
    "pairs.db": _sqlite,
    "beir": _beir,
    "source": _python,
    "texts.txt": _texts,
    "recipe.toml": _recipe,
    "photo.png": _photo,
}
