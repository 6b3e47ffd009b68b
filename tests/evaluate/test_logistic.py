"""Logistic regression: literal minima, and scikit-learn's."""

import numpy as np
import pytest

from mlx_metaembed.evaluate import logistic


def drawn(classes: int, rows: int = 90, width: int = 6) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(classes)
    labels = np.arange(rows) % classes
    return random.normal(size=(rows, width)) + random.normal(size=(classes, width))[labels], labels


def test_the_minimum_of_a_quadratic():
    centre, scales = np.array([1.0, -2.0, 3.0]), np.array([1.0, 10.0, 100.0])
    found = logistic.minimum(lambda x: (float(scales @ (x - centre) ** 2), 2 * scales * (x - centre)), np.zeros(3))
    assert found == pytest.approx(centre, abs=1e-5)


def test_without_a_direction_the_shares_of_the_classes_are_learnt():
    # Vectors of zeros leave the intercepts: the logarithms of 3/4 and 1/4 but for a constant.
    fitted = logistic.fit(np.zeros((4, 2)), np.array([0, 0, 0, 1]), 2)
    assert fitted.intercepts[0] - fitted.intercepts[1] == pytest.approx(np.log(3), abs=1e-4)
    assert not fitted.weights.any()


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("c", [1.0, 0.01, 30.0])
def test_it_is_scikit_learns(scikit_learn, classes, c):
    from sklearn.linear_model import LogisticRegression

    vectors, labels = drawn(classes)
    theirs = LogisticRegression(C=c, tol=1e-8, max_iter=2000).fit(vectors, labels)
    logits = logistic.fit(vectors, labels, classes, c=c).scores(vectors)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(theirs.predict_proba(vectors), abs=1e-3)


def test_separable_classes_are_told_apart():
    vectors = np.array([[-1.0, 0], [-0.9, 0.1], [1, 0], [0.9, 0.1]])
    assert logistic.fit(vectors, np.array([1, 1, 0, 0]), 2, c=1e4).classes(vectors).tolist() == [1, 1, 0, 0]


def test_the_penalty_follows_from_the_data():
    random = np.random.default_rng(0)
    noise, labels = random.standard_normal((200, 20)), np.arange(200) % 2
    clear = np.eye(20)[labels] + 0.05 * random.standard_normal((200, 20))
    assert logistic.chosen(noise, labels, 2) == 1 and logistic.chosen(clear, labels, 2) == 1_000
    assert logistic.chosen(clear[:6], labels[:6], 2) == 1
