"""GIST by hand and beside sentence-transformers': what a guide leaves out, by which margin, in which direction."""

import importlib
import math

import numpy as np
import pytest
from arrays import gradient_of, value_of
from losses.samples import arrays

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample
from mlx_metaembed.losses.tiles import TILE

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
ALONE = {"temperature": 1.0, "contrast_anchors": False, "contrast_positives": False}


def of(given: dict, guide: dict, **settings: object) -> float:
    outputs = {role: Output("vector", np.array(rows)) for role, rows in given.items()}
    targets = {f"teacher.{role}.guide": np.array(rows) for role, rows in guide.items()}
    return float(LOSSES["gist"](**settings)(Sample(outputs, targets=targets)))


def test_what_the_guide_finds_nearer_than_the_positive_is_no_negative():
    rows = {"anchor": [EAST, NORTH], "positive": [EAST, NORTH]}
    # Row 0: the guide's cosine of its positive is 0, of row 1's 1. Row 1: its own 1, row 0's 0.
    guide = {"anchor": [EAST, EAST], "positive": [NORTH, EAST]}
    kept = math.log(math.exp(1) + math.exp(0)) - 1
    assert of(rows, guide, **ALONE) == pytest.approx((0 + kept) / 2)
    # Where the guide sees no difference nothing is left out.
    assert of(rows, {"anchor": [EAST, EAST], "positive": [EAST, EAST]}, **ALONE) == pytest.approx(kept)


def test_every_direction_is_one_denominator():
    rows = {"anchor": [EAST, NORTH], "positive": [EAST, WEST]}
    guide = {role: [EAST, EAST] for role in rows}
    # Row 0 sees its positive 1, the other's -1, the other anchor 0, and its positive the other's, -1.
    first = math.log(math.exp(1) + math.exp(-1) + math.exp(0) + math.exp(-1)) - 1
    # Row 1 sees its positive 0, the other's 0, the other anchor 0, and its positive the other's, -1.
    second = math.log(3 + math.exp(-1)) - 0
    assert of(rows, guide, temperature=1.0) == pytest.approx((first + second) / 2)
    anchors = (math.log(math.exp(1) + math.exp(-1) + 1) - 1 + math.log(3)) / 2
    assert of(rows, guide, temperature=1.0, contrast_positives=False) == pytest.approx(anchors)


@pytest.mark.parametrize(("strategy", "margin", "left"), [("absolute", 0.3, 1), ("absolute", 0.5, 0)])
def test_a_margin_is_a_difference(strategy: str, margin: float, left: int):
    _margin(strategy, margin, left)


@pytest.mark.parametrize(("margin", "left"), [(0.3, 1), (0.5, 0)])
def test_a_relative_margin_is_a_share(margin: float, left: int):
    _margin("relative", margin, left)


def _margin(strategy: str, margin: float, left: int) -> None:
    """The guide has 1 for the positives, and 0.6 for both others: of those `left` stay for each row."""
    rows, near = {"anchor": [EAST, NORTH], "positive": [EAST, NORTH]}, [0.6, 0.8]
    guide = {"anchor": [EAST, near], "positive": [EAST, near]}
    expected = math.log(math.exp(1) + left) - 1
    assert of(rows, guide, margin_strategy=strategy, margin=margin, **ALONE) == pytest.approx(expected)


def test_own_negatives_are_guided_too_and_those_that_are_not_there_count_not():
    anchors, positives = [EAST, NORTH], [EAST, NORTH]
    rows = {"anchor": anchors, "positive": positives, "negative": [WEST, EAST, WEST, WEST]}
    guide = {"anchor": [EAST, EAST], "positive": [EAST, EAST], "negative": [[EAST, WEST], [WEST, WEST]]}
    mask = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 1, 1, 1, 0]]) > 0
    outputs = {role: Output("vector", np.array(x)) for role, x in rows.items()}
    targets = {f"teacher.{role}.guide": np.array(x) for role, x in guide.items()}
    found = LOSSES["gist"](**ALONE)(Sample(outputs, mask, targets))
    # Cosines of row 0: 1; 0; -1, 1, -1. Of row 1: 1; 0; 0, 0, 0. All that the mask has are as near for the guide.
    first = math.log(math.exp(1) + 1 + math.exp(-1) + math.exp(1) + math.exp(-1)) - 1
    assert float(found) == pytest.approx((first + math.log(math.exp(1) + 4) - 1) / 2)
    far = guide | {"positive": [NORTH, NORTH]}
    targets = {f"teacher.{role}.guide": np.array(x) for role, x in far.items()}
    # Now the guide's cosine of positives is 0: the first negative's 1 is above it, the others' -1 are not.
    first = math.log(math.exp(1) + 1 + math.exp(1) + math.exp(-1)) - 1
    second = math.log(math.exp(1) + 1 + 2) - 1
    assert float(LOSSES["gist"](**ALONE)(Sample(outputs, mask, targets))) == pytest.approx((first + second) / 2)


def test_of_two_guides_each_leaves_out_its_own():
    rows = {"anchor": [EAST, NORTH], "positive": [EAST, NORTH]}
    one, two = {"anchor": [EAST, EAST], "positive": [NORTH, EAST]}, {"anchor": [EAST, EAST], "positive": [EAST, NORTH]}
    outputs = {role: Output("vector", np.array(x)) for role, x in rows.items()}
    targets = {
        f"teacher.{role}.{name}": np.array(x) for name, g in {"a": one, "b": two}.items() for role, x in g.items()
    }
    assert float(LOSSES["gist"](**ALONE)(Sample(outputs, targets=targets))) == pytest.approx(0, abs=1e-6)


def test_a_guide_that_leaves_nothing_out_is_info_nce_over_many_tiles(engine_name: str):
    count = 2 * TILE + 9
    random = np.random.default_rng(0)
    given = [random.standard_normal((count, 8)).astype(np.float32) for _ in range(2)]
    blind = np.ones((count, 3), np.float32)

    def guided(anchors, positives, anchor_guide, positive_guide):
        targets = {"teacher.anchor.g": anchor_guide, "teacher.positive.g": positive_guide}
        outputs = {"anchor": Output("vector", anchors), "positive": Output("vector", positives)}
        return LOSSES["gist"](temperature=0.05, contrast_anchors=False)(Sample(outputs, targets=targets))

    def plain(anchors, positives):
        outputs = {"anchor": Output("vector", anchors), "positive": Output("vector", positives)}
        return LOSSES["info_nce"](directions=("query_to_doc", "doc_to_doc"))(Sample(outputs))

    assert value_of(engine_name, guided, *given, blind, blind) == pytest.approx(
        float(value_of(engine_name, plain, *given)), rel=1e-6
    )
    np.testing.assert_allclose(
        gradient_of(engine_name, guided, *given, blind, blind), gradient_of(engine_name, plain, *given), atol=1e-7
    )


@pytest.mark.parametrize("negatives", [0, 1])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"margin": 0.1, "temperature": 0.05},
        {"margin": 0.05, "margin_strategy": "relative", "contrast_positives": False},
        {"contrast_anchors": False, "margin": -0.3},
    ],
    ids=str,
)
def test_value_and_gradient_are_sentence_transformers(
    sentence_transformers: str, torch_engine: str, settings: dict, negatives: int
):
    importlib.import_module("mlx_metaembed.on_torch.words")
    torch = importlib.import_module(torch_engine)
    roles = ("anchor", "positive", "negative")[: 2 + negatives]
    drawn = [x[:5] for x in arrays("vector", roles).values()]
    random = np.random.default_rng(2)
    guides = [random.standard_normal((5, 6)).astype(np.float32) for _ in roles]
    model = silent()
    peer = importlib.import_module("sentence_transformers.sentence_transformer.losses")
    other, found = peer.CachedGISTEmbedLoss(model, model, **settings), []
    for ours in (True, False):
        given = [torch.tensor(x, requires_grad=True) for x in drawn]
        shown = [torch.tensor(x) for x in guides]
        if ours:
            outputs = {role: Output("vector", x) for role, x in zip(roles, given, strict=True)}
            targets = {f"teacher.{role}.guide": x for role, x in zip(roles, shown, strict=True)}
            if negatives:
                targets["teacher.negative.guide"] = shown[2][:, None]
            value = LOSSES["gist"](**settings)(Sample(outputs, targets=targets))
        else:
            value = other.calculate_loss([[x] for x in given], [[x] for x in shown])
        value.backward()
        found.append((value.item(), [x.grad.numpy() for x in given]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, two in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-5)


def silent():
    """A model whose tokenizer the peer's loss looks at, and which it never asks, for it is given the vectors."""
    import torch
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    model = torch.nn.Sequential(torch.nn.Identity())
    words = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    model.tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    model.max_seq_length = 8
    return model
