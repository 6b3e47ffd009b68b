"""A query's rows in every output format."""

import pytest

from mlx_metaembed.mining.formats import rows

POSITIVES = [("p", 0.9), ("o", 0.8)]
NEGATIVES = [("m", 0.5), ("n", 0.4)]


def made(output_format, *, positives=POSITIVES[:1], negatives=NEGATIVES, scores=False, count=2):
    return list(rows(output_format, "q", positives, negatives, count=count, scores=scores))


@pytest.mark.parametrize(
    ("output_format", "plain", "scored"),
    [
        (
            "n-tuple",
            {"negative_1": "m", "negative_2": "n"},
            {"positive_score": 0.9, "negative_score_1": 0.5, "negative_score_2": 0.4},
        ),
        ("list", {"negatives": ["m", "n"]}, {"positive_score": 0.9, "negative_scores": [0.5, 0.4]}),
    ],
)
def test_a_row_a_positive(output_format, plain, scored):
    start = {"anchor": "q", "positive": "p"}
    assert made(output_format) == [start | plain]
    assert made(output_format, scores=True) == [start | plain | scored]
    assert [row["positive"] for row in made(output_format, positives=POSITIVES)] == ["p", "o"]


def test_a_row_a_negative():
    start = {"anchor": "q", "positive": "p"}
    assert made("triplet") == [start | {"negative": "m"}, start | {"negative": "n"}]
    assert made("triplet", scores=True)[1] == start | {"negative": "n", "positive_score": 0.9, "negative_score": 0.4}
    assert len(made("triplet", positives=POSITIVES)) == 4


def test_a_row_a_text():
    labelled = [("p", 1), ("o", 1), ("m", 0), ("n", 0)]
    found = made("labeled-pair", positives=POSITIVES)
    assert found == [{"anchor": "q", "positive": text, "label": label} for text, label in labelled]
    assert made("labeled-pair", scores=True)[-1] == {"anchor": "q", "positive": "n", "score": 0.4}


def test_lists_with_labels():
    assert made("labeled-list") == [{"anchor": "q", "positive": ["p", "m", "n"], "labels": [1, 0, 0]}]
    assert made("labeled-list", scores=True) == [
        {"anchor": "q", "positive": ["p", "m", "n"], "scores": [0.9, 0.5, 0.4]}
    ]


def test_fewer_negatives_than_asked():
    assert made("n-tuple", count=3) == []
    assert len(made("list", count=3)) == 1
    assert made("list", negatives=[]) == []
