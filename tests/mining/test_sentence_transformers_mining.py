"""The same settings give the same negatives as sentence-transformers' `mine_hard_negatives`."""

import json

import numpy as np
import pytest
from tiny import TEXTS

from mlx_metaembed import embedder
from mlx_metaembed.data.rows import Pairs, Texts
from mlx_metaembed.mining.run import mine
from mlx_metaembed.mining.settings import Settings

random = np.random.default_rng(5)
WORDS = " ".join(TEXTS).split()
ANCHORS, POSITIVES = ([" ".join(random.choice(WORDS, 3 + at % 5)) + f" {at}" for at in range(30)] for _ in range(2))
CORPUS = [" ".join(random.choice(WORDS, 4 + at % 7)) + f" {at % 40}" for at in range(60)]
# Two queries with several positives.
ANCHORS[1], ANCHORS[2], ANCHORS[4] = ANCHORS[0], ANCHORS[0], ANCHORS[3]


@pytest.mark.parametrize(
    "settings",
    [
        {"relative_margin": 0.05},
        {"relative_margin": 0.05, "corpus": True},
        {"absolute_margin": 0.1, "range_min": 2, "corpus": True},
        {"relative_margin": 0.01, "max_score": 0.9, "min_score": 0.2, "range_max": 30, "corpus": True},
        {"range_min": 3, "num_negatives": 5, "corpus": True},
        {"include_positives": True, "num_negatives": 8},
    ],
    ids=str,
)
@pytest.mark.parametrize("output_format", ["n-tuple", "triplet"])
def test_the_same_negatives(sentence_transformers, torch_engine, tiny, tmp_path, settings, output_format):
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    if settings.get("include_positives") and output_format == "triplet":
        pytest.skip("a ranking is an n-tuple")
    corpus = {"corpus": CORPUS} if settings.get("corpus") else {}
    peer = mine_hard_negatives(
        datasets.Dataset.from_dict({"anchor": ANCHORS, "positive": POSITIVES}),
        SentenceTransformer(str(tiny), device="cpu"),
        output_format=output_format,
        output_scores=True,
        verbose=False,
        **settings | corpus,
    ).to_list()
    own = {"relative_margin": None, "output_format": output_format, "output_scores": True} | settings
    own.pop("corpus", None)
    mine(
        embedder.load(tiny, engine=torch_engine),
        Pairs(ANCHORS, POSITIVES, [()] * len(ANCHORS)),
        tmp_path / "out.jsonl",
        Settings(**own),
        corpus=Texts([str(at) for at in range(len(CORPUS))], CORPUS) if corpus else None,
        add_positives=bool(corpus),
    )
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    expected = [[value for name, value in row.items() if name != "scores"] for row in peer]
    texts = [[value for value in row.values() if isinstance(value, str)] for row in found]
    assert texts
    assert texts == expected
    scores = [[value for value in row.values() if isinstance(value, float)] for row in found]
    np.testing.assert_allclose(scores, [row["scores"] for row in peer], atol=2e-6)
