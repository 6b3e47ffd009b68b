"""Intents by classifiers on a model's vectors (BANKING77), kept in the model's own folder of the cache."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.embedder import Embedder
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import bootstrap, classifier
from mlx_metaembed.evaluate.classifier import Classifier
from mlx_metaembed.evaluate.guesses import Guesses
from mlx_metaembed.evaluate.judgement import Judgement

TAUGHT, ASKED = 20, 10
"""Texts of each intent to learn from, and to be judged on."""
FILE = "banking77.safetensors"
DRAWS = 300


@dataclass(frozen=True)
class Intents:
    """Texts and their intents."""

    texts: list[str]
    labels: list[str]


def read(folder: Path) -> tuple[Intents, Intents]:
    """The first texts of each intent in train.csv, and in test.csv. Raises CallError where a file or column lacks."""
    return _first(folder / "train.csv", TAUGHT), _first(folder / "test.csv", ASKED)


def _first(path: Path, most: int) -> Intents:
    seen: dict[str, int] = {}
    texts, labels = [], []
    if not path.is_file():
        raise CallError(f"There is no file {path}; expected BANKING77's train.csv and test.csv in one folder")
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if not {"text", "category"} <= set(rows.fieldnames or ()):
            raise CallError(f"{path} has the columns {', '.join(rows.fieldnames or ())}; expected text, category")
        for row in rows:
            label = row["category"]
            seen[label] = seen.get(label, 0) + 1
            if seen[label] <= most:
                texts.append(row["text"])
                labels.append(label)
    return Intents(texts, labels)


def fit(model: Embedder, taught: Intents, name: str, marks: dict[str, str], folder: Path) -> Classifier:
    """The classifier on a model's vectors: from its folder where it was fitted before, else fitted and kept there."""
    path = folder / FILE
    if not path.is_file():
        vectors = model.encode(taught.texts)
        classifier.save(classifier.fit(vectors, taught.labels, model=name, fingerprint=marks), path)
    return classifier.load(path, model=name, fingerprint=marks)


def judge(found: Classifier, vectors: np.ndarray, asked: Intents) -> dict[str, float]:
    """`accuracy` and `macro_f1` with intervals, for the vectors of texts whose intents are known."""
    numbers = {label: at for at, label in enumerate(sorted({*found.labels, *asked.labels}))}
    gold, guessed = (np.array([numbers[each] for each in labels]) for labels in (asked.labels, found.classify(vectors)))
    guesses = Guesses("", np.arange(len(gold)), gold, guessed, len(numbers))
    judgement = Judgement(len(gold), guesses.figures)
    return judgement.figures(None) | bootstrap.intervals(judgement, draws=DRAWS)
