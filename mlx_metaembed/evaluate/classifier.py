"""A classifier of texts by their vectors: a logistic regression, and the model whose vectors it has learned.

One safetensors file: float32 weights [D, K] and intercepts [K], with labels and fingerprint as JSON in its header.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import logistic
from mlx_metaembed.evaluate.logistic import Logistic
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.search import fingerprint as marks

FORMAT, ABOUT = "metaembed-classifier-1", "classifier"
AGAIN = "Fit it again on this model's vectors"


@dataclass(frozen=True)
class Classifier:
    """What tells K labels apart by vectors [n, D]; `model` names the one that gave them, `fingerprint` says which."""

    labels: tuple[str, ...]
    regression: Logistic
    model: str
    fingerprint: Mapping[str, str]

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        """Logits [n, K] of vectors [n, D]. Raises CallError for vectors of another width."""
        vectors, width = np.atleast_2d(vectors), len(self.regression.weights)
        if vectors.shape[1] != width:
            raise CallError(f"The classifier reads vectors of {width} features; found {vectors.shape[1]}")
        return self.regression.scores(unit(vectors))

    def classify(self, vectors: np.ndarray) -> list[str]:
        """The most likely label of each vector."""
        return [self.labels[place] for place in np.argmax(self.scores(vectors), axis=1)]


def fit(
    vectors: np.ndarray, labels: Sequence[str], *, model: str, fingerprint: Mapping[str, str], c: float | None = None
) -> Classifier:
    """The classifier of vectors [n, D] with their labels; `c` is scikit-learn's C, None the best of some on a held-out
    fifth, `fingerprint` that of the model.

    Raises CallError for other than a label for each vector, vectors that are not finite, or fewer than two labels.
    """
    vectors = np.asarray(vectors, np.float32)
    if vectors.ndim != 2 or len(vectors) != len(labels):
        raise CallError(f"Expected vectors [n, D] and a label for each; found {list(vectors.shape)}, {len(labels):,}")
    if not np.isfinite(vectors).all():
        raise CallError("Some vectors hold NaN or infinity")
    names = sorted(set(labels))
    if len(names) < 2:
        raise CallError(f"A classifier needs at least 2 different labels; found {len(names)}")
    numbers = np.searchsorted(names, labels)
    vectors = unit(vectors)
    found = logistic.fit(vectors, numbers, len(names), c=c or logistic.chosen(vectors, numbers, len(names)))
    learned = Logistic(found.weights.astype(np.float32), found.intercepts.astype(np.float32))
    return Classifier(tuple(names), learned, model, dict(fingerprint))


def save(classifier: Classifier, path: str | Path) -> Path:
    """The path of the file, written whole or not at all. Raises JobError where it can't be written."""
    about = {"format": FORMAT, "model": classifier.model, "fingerprint": dict(classifier.fingerprint)}
    about["labels"] = list(classifier.labels)
    arrays = {"weights": classifier.regression.weights, "intercepts": classifier.regression.intercepts}
    with disk.replacing_file(Path(path)) as partial:
        safetensors.write(partial, arrays, metadata={ABOUT: json.dumps(about)})
    return Path(path)


def load(path: str | Path, *, model: str, fingerprint: Mapping[str, str]) -> Classifier:
    """The classifier of a file, for a model of this name and fingerprint.

    Raises CallError where it was fitted on another model's vectors, or the file holds no classifier.
    """
    found = _read(Path(path))
    made = {"kept": found.fingerprint, "maker": found.model, "what": "classifier", "where": Path(path)}
    marks.require(fingerprint, model, **made, advice=f"{AGAIN}.")
    return found


def _read(path: Path) -> Classifier:
    if not path.is_file():
        raise CallError(f"There is no classifier {path}")
    arrays = safetensors.read(path)
    try:
        about = json.loads(safetensors.metadata(path)[ABOUT])
        labels, fitted, model = about["labels"], about["fingerprint"], about["model"]
        weights, intercepts = arrays["weights"], arrays["intercepts"]
    except (KeyError, TypeError, ValueError, RecursionError):
        raise CallError(f"{path} is no classifier: expected what evaluate.classifier.save wrote") from None
    wrong = []
    if about.get("format") != FORMAT:
        wrong.append(f"its format is {about.get('format')!r:.40}, expected {FORMAT!r}")
    if not _are_texts(labels) or len(set(labels)) != len(labels):
        raise CallError(f"{path} can't be read: its labels are not texts, each once. {AGAIN}")
    if not isinstance(fitted, dict) or not fitted or not _are_texts([*fitted, *fitted.values(), model]):
        wrong.append("its model is not named by texts")
    if weights.ndim != 2 or intercepts.shape != weights.shape[1:] or weights.shape[1] != len(labels):
        wrong.append(f"weights {list(weights.shape)} and intercepts {list(intercepts.shape)} do not fit its labels")
    if not (np.isfinite(weights).all() and np.isfinite(intercepts).all()):
        wrong.append("its weights are not finite")
    if wrong:
        raise CallError(f"{path} can't be read: {'; '.join(wrong)}. {AGAIN}")
    return Classifier(tuple(labels), Logistic(weights, intercepts), model, fitted)


def _are_texts(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)
