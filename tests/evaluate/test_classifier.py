"""Classifiers on a model's vectors: fitted, kept without pickle, refused for another model's vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import classifier
from mlx_metaembed.files import safetensors

MARKS = {"weights": "0123456789abcdef", "settings": "fedcba9876543210"}
VECTORS = np.array([[1, 0.1], [2, -0.1], [0.1, 1], [-0.1, 3]], np.float32)
LABELS = ["east", "east", "north", "north"]


def fitted() -> classifier.Classifier:
    return classifier.fit(VECTORS, LABELS, model="tiny", fingerprint=MARKS)


def test_a_classifier_tells_directions_whatever_the_length():
    assert fitted().classify(np.array([[9, 1], [0.01, 0.2]])) == ["east", "north"]
    assert fitted().classify(np.array([5.0, 1.0])) == ["east"]


def test_the_penalty_is_the_best_of_some_where_none_is_given():
    random = np.random.default_rng(1)
    labels = [("red", "green", "blue")[at % 3] for at in range(90)]
    vectors = np.eye(6)[np.arange(90) % 3] + 0.05 * random.standard_normal((90, 6))
    given = {"model": "tiny", "fingerprint": MARKS}
    chosen, weak, strong = (classifier.fit(vectors, labels, **given, c=c) for c in (None, 1_000.0, 1.0))
    np.testing.assert_array_equal(chosen.regression.weights, weak.regression.weights)
    assert np.abs(strong.regression.weights).max() < np.abs(chosen.regression.weights).max()


def test_a_file_gives_the_same_scores(tmp_path: Path):
    path = classifier.save(fitted(), tmp_path / "a" / "own.safetensors")
    found = classifier.load(path, model="tiny", fingerprint=MARKS)
    assert found.labels == ("east", "north") and found.model == "tiny"
    np.testing.assert_array_equal(found.scores(VECTORS), fitted().scores(VECTORS))
    assert [each.name for each in path.parent.iterdir()] == ["own.safetensors"]


def test_another_models_classifier_is_refused(tmp_path: Path):
    path = classifier.save(fitted(), tmp_path / "own.safetensors")
    with pytest.raises(CallError) as caught:
        classifier.load(path, model="other", fingerprint=MARKS | {"weights": "f" * 16})
    assert str(caught.value) == (
        f"other gives other vectors than those in {path}: its weights differ from those of tiny, which it was built "
        "with.\n  fingerprint in the classifier: weights 0123456789abcdef, settings fedcba9876543210\n"
        "  fingerprint of the model: weights ffffffffffffffff, settings fedcba9876543210\n"
        "Fit it again on this model's vectors. A quantized export counts as another model."
    )


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        (VECTORS, LABELS[:3], r"a label for each; found \[4, 2\], 3"),
        (VECTORS, ["east"] * 4, "at least 2 different labels; found 1"),
        (np.where(VECTORS > 2, np.nan, VECTORS), LABELS, "NaN or infinity"),
    ],
)
def test_what_teaches_nothing_is_refused(vectors: np.ndarray, labels: list[str], message: str):
    with pytest.raises(CallError, match=message):
        classifier.fit(vectors, labels, model="tiny", fingerprint=MARKS)


def test_vectors_of_another_width_are_refused():
    with pytest.raises(CallError, match="reads vectors of 2 features; found 3"):
        fitted().classify(np.ones((1, 3)))


@pytest.mark.parametrize(
    ("about", "weights", "message"),
    [
        ({"format": "metaembed-classifier-9"}, None, "format is 'metaembed-classifier-9'"),
        ({"labels": ["east", "east"]}, None, "labels are not texts, each once"),
        ({"labels": ["east", "north", "west"]}, None, "do not fit its labels"),
        ({"fingerprint": {}}, None, "its model is not named by texts"),
        ({}, np.full((2, 2), np.inf, np.float32), "its weights are not finite"),
        ({"labels": 3}, None, "labels are not texts, each once"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, about: dict, weights: np.ndarray | None, message: str):
    path = classifier.save(fitted(), tmp_path / "own.safetensors")
    arrays = safetensors.read(path) | ({} if weights is None else {"weights": weights})
    said = json.loads(safetensors.metadata(path)["classifier"]) | about
    safetensors.write(path, arrays, metadata={"classifier": json.dumps(said)})
    with pytest.raises(CallError, match=message):
        classifier.load(path, model="tiny", fingerprint=MARKS)


def test_what_is_no_classifier_is_refused(tmp_path: Path):
    with pytest.raises(CallError, match="There is no classifier"):
        classifier.load(tmp_path / "none", model="tiny", fingerprint=MARKS)
    safetensors.write(tmp_path / "x.safetensors", {"weights": VECTORS})
    with pytest.raises(CallError, match="is no classifier: expected what"):
        classifier.load(tmp_path / "x.safetensors", model="tiny", fingerprint=MARKS)
