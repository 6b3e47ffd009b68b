"""A model's table: one line per width, code and head, with the right bytes, each text encoded once.

The encoder here counts letter pairs: it needs no weights and no engine, and texts that share words are near.
"""

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mlx_metaembed.codes.prefix import unit
from mlx_metaembed.data.rows import Labelled, Pairs, Retrieval, Scored
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import retrieval, sts
from mlx_metaembed.evaluate.model import counts, measure_model, task, texts_to_encode
from mlx_metaembed.heads import Fsq

WIDTH = 64


class LetterPairs:
    """Texts as counts of letter pairs, projected at random; `encoded` keeps every (text, prompt) asked for."""

    dimensions = WIDTH

    def __init__(self, similarity="cosine"):
        self.folder = SimpleNamespace(
            path=Path("nowhere"), normalize=False, similarity_fn_name=similarity, dimensions=WIDTH
        )
        self.heads = {"fsq": Fsq(WIDTH, (4,) * 60)}
        self.encoded = []
        self._weights = self.heads["fsq"].initial(0)
        self._projection = np.random.default_rng(0).normal(size=(4096, WIDTH)).astype(np.float32)

    @property
    def compares_by_cosine(self):
        return self.folder.similarity_fn_name == "cosine"

    def encode(self, texts, *, prompt_name=None, truncate_dim=None, progress=lambda count: None):
        self.encoded += [(text, prompt_name) for text in texts]
        progress(len(texts))
        return np.stack([self._counts(text) @ self._projection for text in texts])[:, :truncate_dim]

    def apply(self, head, vectors, *, query=False):
        return self.heads[head](self._weights, unit(vectors))

    def _counts(self, text):
        pairs = [(ord(one) * 31 + ord(two)) % 4096 for one, two in pairwise(text)]
        return np.bincount(pairs, minlength=4096).astype(np.float32)


WORDS = [
    *("river", "stone", "cloud", "ember", "willow", "falcon", "harbor", "lantern"),
    *("meadow", "orchard", "pebble", "quarry", "saddle", "timber", "valley", "window"),
]
DOCUMENTS = [
    f"the {one} beside a {two} under some {three}" for one, two, three in zip(WORDS, WORDS[3:], WORDS[7:], strict=False)
]
TASK = Retrieval(
    queries=[" ".join(text.split()[1:5]) for text in DOCUMENTS],
    corpus=DOCUMENTS + [f"nothing but {word} here" for word in WORDS],
    relevant=[{row: 1.0} for row in range(len(DOCUMENTS))],
    query_ids=[str(row) for row in range(len(DOCUMENTS))],
    corpus_ids=[str(row) for row in range(len(DOCUMENTS) + len(WORDS))],
)
RETRIEVAL = ["ndcg@10", "recall@10", "mrr@10", "map@10", "precision@10", "kept_spearman", "kept_r10", "kept_ndcg"]


def test_a_line_per_width_code_and_head_with_its_bytes():
    lines = measure_model(LetterPairs(), TASK, (64, 20), ("int8", "binary", "binary-hamming", "fsq"))
    assert [(line["name"], line["dimensions"], line["bytes_per_vector"]) for line in lines] == [
        ("64", 64, 256),
        ("int8@64", 64, 64),
        ("binary@64", 64, 8),
        ("binary-hamming@64", 64, 8),
        ("20", 20, 80),
        ("int8@20", 20, 20),
        ("binary@20", 20, 3),
        ("binary-hamming@20", 20, 3),
        ("fsq", 60, 15),
    ]
    assert all(list(line) == ["name", "dimensions", "bytes_per_vector", *RETRIEVAL] for line in lines)


def test_the_full_width_is_the_default_and_keeps_everything():
    (line,) = measure_model(LetterPairs(), TASK)
    model = LetterPairs()
    expected = retrieval.measure(model.encode(TASK.queries), model.encode(TASK.corpus), TASK.relevant)
    assert line["name"] == "64"
    assert {name: line[name] for name in expected} == pytest.approx(expected)
    assert [line[name] for name in ("kept_spearman", "kept_r10", "kept_ndcg")] == pytest.approx([1, 1, 1])


def test_what_is_kept_is_compared_with_the_full_width():
    lines = {line["name"]: line for line in measure_model(LetterPairs(), TASK, (8,), ("int8", "binary"))}
    (full,) = measure_model(LetterPairs(), TASK)
    assert lines["8"]["kept_spearman"] < 1
    assert lines["8"]["kept_r10"] < 1
    assert lines["8"]["kept_ndcg"] == pytest.approx(lines["8"]["ndcg@10"] / full["ndcg@10"])
    assert lines["int8@8"]["kept_r10"] > lines["binary@8"]["kept_r10"]


def test_a_width_is_the_prefix_at_unit_length():
    (line,) = measure_model(LetterPairs(), TASK, (16,))
    model = LetterPairs()
    sides = (unit(model.encode(texts)[:, :16]) for texts in (TASK.queries, TASK.corpus))
    assert line["ndcg@10"] == pytest.approx(retrieval.measure(*sides, TASK.relevant)["ndcg@10"])


def test_a_model_that_compares_by_dot_product_keeps_its_lengths():
    (line,) = measure_model(LetterPairs("dot"), TASK, (16,))
    model = LetterPairs("dot")
    sides = (model.encode(texts)[:, :16] for texts in (TASK.queries, TASK.corpus))
    assert line["ndcg@10"] == pytest.approx(retrieval.measure(*sides, TASK.relevant)["ndcg@10"])


def test_each_text_is_encoded_once_with_its_prompt():
    model, done = LetterPairs(), []
    doubled = Retrieval(
        TASK.queries + TASK.queries[:2], TASK.corpus, TASK.relevant + TASK.relevant[:2], ["q"] * 15, TASK.corpus_ids
    )
    measure_model(model, doubled, (64, 32, 16), ("int8", "binary"), done.append)
    assert sorted(model.encoded) == sorted(
        [(text, "query") for text in TASK.queries] + [(text, "document") for text in TASK.corpus]
    )
    assert sum(done) == texts_to_encode(doubled)


def test_a_head_is_asked_for_its_own_vectors():
    model, done = LetterPairs(), []
    (line,) = [line for line in measure_model(model, TASK, None, ("fsq",), done.append) if line["name"] == "fsq"]
    assert sum(done) == len(model.encoded) == texts_to_encode(TASK)
    sides = (unit(model.apply("fsq", model.encode(texts))) for texts in (TASK.queries, TASK.corpus))
    assert line["ndcg@10"] == pytest.approx(retrieval.measure(*sides, TASK.relevant)["ndcg@10"])


def test_pairs_are_a_retrieval_task():
    pairs = Pairs(TASK.queries, DOCUMENTS, [()] * len(DOCUMENTS))
    (line,) = measure_model(LetterPairs(), pairs)
    assert line["recall@10"] == 1
    assert task(pairs) == "retrieval"
    assert counts(pairs) == {"queries": 9, "corpus": 9}


def test_scored_pairs_give_correlations():
    rows = Scored(DOCUMENTS[:6], [*DOCUMENTS[1:4], *WORDS[:3]], [5, 4.5, 4, 1, 0.5, 0])
    model, lines = LetterPairs(), measure_model(LetterPairs(), rows, (64,), ("int8", "binary", "fsq"))
    expected = sts.measure(model.encode(rows.sentence1), model.encode(rows.sentence2), rows.scores)
    assert lines[0] == {"name": "64", "dimensions": 64, "bytes_per_vector": 256} | {
        name: pytest.approx(value) for name, value in expected.items()
    }
    assert [line["name"] for line in lines] == ["64", "int8@64", "binary@64", "fsq"]
    assert (task(rows), counts(rows)) == ("sts", {"pairs": 6})
    assert texts_to_encode(rows) == 6 + 3


def test_labelled_texts_give_accuracy():
    rows = Labelled(
        [f"{word} {word} {end}" for word in WORDS[:4] for end in "abcdef"], [w for w in WORDS[:4] for _ in "abcdef"]
    )
    lines = measure_model(LetterPairs(), rows, None, ("int8",))
    assert [(line["name"], line["accuracy"], line["macro_f1"]) for line in lines] == [("64", 1, 1), ("int8@64", 1, 1)]
    assert (task(rows), counts(rows)) == ("classification", {"texts": 24, "labels": 4})


@pytest.mark.parametrize(
    ("dims", "codes", "message"),
    [
        ((65,), (), "Width 65: .*64"),
        ((64, 0), (), "Width 0"),
        (None, ("binray",), r"no code 'binray'; did you mean 'binary'\? .*: int8, binary, binary-hamming, fsq"),
    ],
)
def test_a_width_or_code_that_is_not_there_is_refused_before_encoding(dims, codes, message):
    model = LetterPairs()
    with pytest.raises(CallError, match=message):
        measure_model(model, TASK, dims, codes)
    assert not model.encoded
