"""A cross-encoder as judge: its scores are sentence-transformers', and what is none is refused."""

import json

import numpy as np
import pytest
from tiny import CONFIG, TEXTS, bert_shapes, draw, save, tokenizer

from mlx_metaembed import embedder
from mlx_metaembed.data.rows import Pairs
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.mining import judges
from mlx_metaembed.mining.run import mine
from mlx_metaembed.mining.settings import Settings

ANCHORS = ["sort numbers", "read a file", "a socket", "parse a line", "walk folders", "join paths"]


def cross_encoder(path, *, labels=1, activation="torch.nn.modules.linear.Identity", weights=True):
    """A tiny BERT that reads pairs, with one score."""
    path.mkdir()
    names = {str(at): f"LABEL_{at}" for at in range(labels)}
    config = CONFIG | {"architectures": ["BertForSequenceClassification"], "id2label": names}
    config |= {"label2id": {name: int(at) for at, name in names.items()}, "sentence_transformers": {}}
    config["sentence_transformers"]["activation_fn"] = activation
    disk.write_json(path / "config.json", config)
    random = np.random.default_rng(4)
    arrays = {f"bert.{name}": draw(random, name, shape) for name, shape in bert_shapes(CONFIG).items()}
    arrays["classifier.weight"] = draw(random, "", (labels, CONFIG["hidden_size"]))
    arrays["classifier.bias"] = draw(random, "bias", (labels,))
    if weights:
        safetensors.write(path / "model.safetensors", arrays)
    save(tokenizer(template="[CLS] $A [SEP]"), path)
    return path


@pytest.mark.parametrize("activation", ["torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"])
def test_scores_are_those_of_sentence_transformers(sentence_transformers, torch_engine, tmp_path, activation):
    from sentence_transformers import CrossEncoder

    path = cross_encoder(tmp_path / "ce", activation=activation)
    found = judges.load(str(path)).scores(ANCHORS[:2], [TEXTS[:3], TEXTS[2:]])
    pairs = [(ANCHORS[0], text) for text in TEXTS[:3]] + [(ANCHORS[1], text) for text in TEXTS[2:]]
    expected = CrossEncoder(str(path), device="cpu").predict(pairs)
    assert [len(each) for each in found] == [3, 4]
    assert np.concatenate(found) == pytest.approx(expected, abs=1e-6)
    assert np.ptp(expected) > 0.01


def test_the_judge_decides(torch_engine, tiny, tmp_path):
    judge = judges.load(str(cross_encoder(tmp_path / "ce")))
    rows = Pairs(ANCHORS, TEXTS, [()] * len(TEXTS))
    settings = Settings(num_negatives=2, relative_margin=None, range_max=5, output_scores=True)
    answer = mine(embedder.load(tiny, engine=torch_engine), rows, tmp_path / "out.jsonl", settings, judge=judge)
    scores = np.stack(judge.scores(ANCHORS, [TEXTS] * len(ANCHORS)))
    positives = scores.diagonal().copy()
    np.fill_diagonal(scores, -np.inf)
    order = np.argsort(-scores, axis=1)[:, :2]
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [[row["negative_1"], row["negative_2"]] for row in found] == [[TEXTS[a], TEXTS[b]] for a, b in order]
    assert [row["positive_score"] for row in found] == pytest.approx(positives, abs=1e-6)
    assert answer.judge == str(tmp_path / "ce")


def test_judged_as_in_sentence_transformers(sentence_transformers, torch_engine, tiny, tmp_path):
    datasets = pytest.importorskip("datasets")
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from sentence_transformers.util import mine_hard_negatives

    path = cross_encoder(tmp_path / "ce")
    peer = mine_hard_negatives(
        datasets.Dataset.from_dict({"anchor": ANCHORS, "positive": TEXTS}),
        SentenceTransformer(str(tiny), device="cpu"),
        cross_encoder=CrossEncoder(str(path), device="cpu"),
        relative_margin=0.05,
        num_negatives=2,
        output_format="triplet",
        verbose=False,
    )
    settings = Settings(num_negatives=2, relative_margin=0.05, output_format="triplet")
    rows = Pairs(ANCHORS, TEXTS, [()] * len(TEXTS))
    model = embedder.load(tiny, engine=torch_engine)
    mine(model, rows, tmp_path / "out.jsonl", settings, judge=judges.load(str(path)))
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert found == peer.to_list()
    assert len(found) > 2


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"labels": 3}, "gives 3 labels a pair; expected a cross-encoder"),
        ({"weights": False}, "has no weights as safetensors"),
        ({"activation": "os.system"}, "asks for the activation 'os.system'"),
    ],
    ids=str,
)
def test_what_is_no_cross_encoder(torch_engine, tmp_path, made, said):
    with pytest.raises(CallError, match=said):
        judges.load(str(cross_encoder(tmp_path / "ce", **made)))


def test_weights_that_are_not_there_are_never_drawn(torch_engine, tmp_path):
    path = cross_encoder(tmp_path / "ce")
    arrays = {name: np.array(array) for name, array in safetensors.read(path / "model.safetensors").items()}
    del arrays["classifier.weight"]
    safetensors.write(path / "model.safetensors", arrays)
    with pytest.raises(CallError, match=r"lacks weights of a cross-encoder: classifier\.weight"):
        judges.load(str(path))
    (path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CallError, match="can't be read as a cross-encoder"):
        judges.load(str(path))
