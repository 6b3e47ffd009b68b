"""Losses of the names that sentence-transformers has give its values and its gradients."""

import importlib

import numpy as np
import pytest

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample
from mlx_metaembed.losses.directions import DIRECTIONS

ROWS, FEATURES = 8, 6
LABELS = [0, 1, 2, 0, 1, 2, 0, 1]
BINARY = [1, 0, 1, 1, 0, 0, 1, 0]
SCORES = [0.1, 0.9, 0.4, 0.4, 0.7, 0.2, 0.3, 1.0]
HARD, SOFT = "BatchHardTripletLoss", "BatchHardSoftMarginTripletLoss"
INFO_NCE = "MultipleNegativesRankingLoss"
HARDNESS = [{"hardness_mode": mode, "hardness_strength": 5.0} for mode in ("all_negatives", "in_batch_negatives")]
HARDNESS += [{"hardness_mode": "hard_negatives", "hardness_strength": 2.0}]
CASES = [
    ("contrastive", {}, "ContrastiveLoss", {}, BINARY),
    ("online_contrastive", {}, "OnlineContrastiveLoss", {}, BINARY),
    ("angle", {}, "AnglELoss", {}, SCORES),
    ("cosent", {}, "CoSENTLoss", {}, SCORES),
    ("batch_hard_triplet", {"margin": 0.7}, HARD, {"margin": 0.7}, LABELS),
    ("batch_hard_soft_margin_triplet", {}, SOFT, {}, LABELS),
    ("batch_semi_hard_triplet", {"margin": 0.7}, "BatchSemiHardTripletLoss", {"margin": 0.7}, LABELS),
    ("batch_all_triplet", {"margin": 0.7}, "BatchAllTripletLoss", {"margin": 0.7}, LABELS),
    ("mega_batch_margin", {}, "MegaBatchMarginLoss", {"use_mini_batched_version": False}, None),
    ("spread_out", {}, "GlobalOrthogonalRegularizationLoss", {}, None),
    ("info_nce", {}, INFO_NCE, {}, None),
    ("info_nce", {"directions": DIRECTIONS}, INFO_NCE, {"directions": DIRECTIONS}, None),
    ("info_nce", {"directions": DIRECTIONS[:2]}, INFO_NCE, {"directions": DIRECTIONS[:2]}, None),
    *(("info_nce", settings, INFO_NCE, settings, None) for settings in HARDNESS),
]


def roles_of(kind: str) -> tuple[str, ...]:
    loss = LOSSES[kind]
    return loss.roles or ("anchor", "positive")


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]} {case[1]}")
@pytest.mark.parametrize("negatives", [0, 1])
def test_value_and_gradient(sentence_transformers: str, torch_engine: str, case: tuple, negatives: int):
    kind, settings, name, theirs, targets = case
    roles = roles_of(kind)
    if (negatives and "negative" not in LOSSES[kind].optional) or (negatives and kind == "mega_batch_margin"):
        return
    torch = words(torch_engine)
    peer = importlib.import_module("sentence_transformers.sentence_transformer.losses")
    roles = (*roles, "negative") if negatives else roles
    random = np.random.default_rng(1)
    drawn = [random.standard_normal((ROWS, FEATURES)).astype(np.float32) for _ in roles]
    if "label" in LOSSES[kind].targets:
        theirs = {"distance_metric": peer.BatchHardTripletLossDistanceFunction.cosine_distance, **theirs}
    other = getattr(peer, name)(model=nothing(), **theirs)
    found = []
    for ours in (True, False):
        given = [torch.tensor(x, requires_grad=True) for x in drawn]
        if ours:
            value = _ours(LOSSES[kind](**settings), roles, given, targets)
        elif kind == "mega_batch_margin":
            value = other.calculate_loss([[x] for x in given])
        else:
            value = other.compute_loss_from_embeddings(given, None if targets is None else torch.tensor(targets))
            value = sum(value.values()) if isinstance(value, dict) else value
        value.backward()
        found.append((value.item(), [x.grad.numpy() for x in given]))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    for one, two in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def words(torch_engine: str):
    """torch, with which the kit's shared text knows its tensors."""
    importlib.import_module("mlx_metaembed.on_torch.words")
    return importlib.import_module(torch_engine)


def _ours(loss, roles: tuple[str, ...], given: list, targets: list | None):
    import torch

    sample = {role: Output("vector", x) for role, x in zip(roles, given, strict=True)}
    of = {}
    if targets is not None:
        name = loss.targets[0]
        of[name] = torch.tensor(targets, dtype=torch.int32 if name == "label" else torch.float32)
    return loss(Sample(sample, targets=of))


def nothing():
    """A model that the peer's losses keep and never ask, for they are given the vectors."""
    import torch

    return torch.nn.Identity()
