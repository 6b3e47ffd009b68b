"""The rows of the four sets out of their publishers' files, under one folder that holds a folder a set.

Training rows come from the training files, test rows from the test files; cosqa, whose training file is not at hand,
trains on its development queries.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mlx_metaembed.data.rows import Pairs, Retrieval

COSQA_CORPUS = 500
"""Functions that cosqa's test queries are searched in: their answers, and others drawn once."""
BANKING_TEXTS = 5
"""Texts a label of banking77, to learn from and to be judged on each."""

Row = dict[str, str | float]


def train(name: str, data: Path) -> list[Row]:
    """Training rows: anchor, positive (and negative), or sentence1, sentence2, score."""
    return {"cosqa": _cosqa_train, "scitldr": _scitldr_train, "stsb": _stsb_train, "cad_nli": _cad_train}[name](data)


def search(name: str, data: Path) -> Retrieval:
    """The test of cosqa and scitldr: queries and the corpus that holds their answers."""
    if name == "scitldr":
        return _pairs(_scitldr(data, "test"), []).retrieval()
    rows = _cosqa(data, "test")
    answers = {row["positive"] for row in rows}
    code = json.loads((data / "cosqa" / "code_idx_map.txt").read_text(encoding="utf-8"))
    others = [text for text in code if text not in answers]
    drawn = np.random.default_rng(0).permutation(len(others))[: COSQA_CORPUS - len(answers)]
    return _pairs(rows, [others[at] for at in drawn]).retrieval()


def triplets(data: Path) -> list[Row]:
    """The test of cad_nli: anchor, positive, negative."""
    return _cad(data, "test")


def scored(data: Path) -> list[Row]:
    """The test of stsb: sentence1, sentence2, score."""
    return _stsb(data, "test")


def labelled(data: Path, part: str) -> tuple[list[str], list[str]]:
    """So many texts of each label of banking77's part, and their labels."""
    with (data / "banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    order = np.random.default_rng(0).permutation(len(rows))
    taken: dict[str, list[str]] = {}
    for row in (rows[at] for at in order):
        texts = taken.setdefault(row["category"], [])
        if len(texts) < BANKING_TEXTS:
            texts.append(row["text"])
    return [text for texts in taken.values() for text in texts], [name for name, texts in taken.items() for _ in texts]


def _pairs(rows: list[Row], others: list[str]) -> Pairs:
    """Rows as pairs, whose search task has some more texts in its corpus."""
    anchors, positives = ([row[role] for row in rows] for role in ("anchor", "positive"))
    return Pairs(anchors, positives, [tuple(others), *[()] * (len(rows) - 1)])


def _cosqa_train(data: Path) -> list[Row]:
    tested = {row["positive"] for row in _cosqa(data, "test")}
    return [row for row in _cosqa(data, "dev") if row["positive"] not in tested]


def _cosqa(data: Path, part: str) -> list[Row]:
    rows = json.loads((data / "cosqa" / f"cosqa-retrieval-{part}-500.json").read_text(encoding="utf-8"))
    code = json.loads((data / "cosqa" / "code_idx_map.txt").read_text(encoding="utf-8"))
    by_number = {number: text for text, number in code.items()}
    return [{"anchor": row["doc"], "positive": by_number[row["retrieval_idx"]]} for row in rows]


def _scitldr_train(data: Path) -> list[Row]:
    return _scitldr(data, "train")


def _scitldr(data: Path, part: str) -> list[Row]:
    lines = (data / "scitldr" / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [{"anchor": row["target"][0].strip(), "positive": " ".join(row["source"])} for row in rows]


def _stsb_train(data: Path) -> list[Row]:
    return _stsb(data, "train")


def _stsb(data: Path, part: str) -> list[Row]:
    with (data / "stsb" / f"stsb-en-{part}.csv").open(encoding="utf-8", newline="") as file:
        return [
            {"sentence1": first, "sentence2": second, "score": float(score) / 5}
            for first, second, score in csv.reader(file)
        ]


def _cad_train(data: Path) -> list[Row]:
    tested = {row["anchor"] for row in _cad(data, "test")}
    return [row for row in _cad(data, "train") if row["anchor"] not in tested]


def _cad(data: Path, part: str) -> list[Row]:
    return list(_groups(data / "cad_nli" / "all_combined" / f"{part}.tsv"))


def _groups(path: Path) -> Iterator[Row]:
    """A row for each premise with an entailed and a contradicted hypothesis: the first of each."""
    premises: dict[str, dict[str, str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            premises.setdefault(row["sentence1"], {}).setdefault(row["gold_label"], row["sentence2"])
    for premise, found in premises.items():
        if {"entailment", "contradiction"} <= found.keys():
            yield {"anchor": premise, "positive": found["entailment"], "negative": found["contradiction"]}
