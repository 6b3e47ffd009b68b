"""A loss from outside: a dataclass and its line in the table are all that it takes."""

from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
import pytest
from arrays import value_of

from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample, Sizes
from mlx_metaembed.losses.pairs import pair_scores
from mlx_metaembed.xp import namespace


@dataclass(frozen=True)
class Mae:
    kind: ClassVar[str] = "mae"
    roles: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector",)
    several: ClassVar[bool] = False

    def faults(self) -> list[str]:
        return []

    def held_bytes(self, sizes: Sizes) -> int:
        return sizes.of_pairs()

    def __call__(self, sample: Sample):
        found = pair_scores(sample, "cosine")
        return namespace(found).mean(namespace(found).abs(found - sample.targets["score"]))


def test_a_loss_added_to_the_table_runs(engine_name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(LOSSES, Mae.kind, Mae)

    def of(one, other, score):
        outputs = {"sentence1": Output("vector", one), "sentence2": Output("vector", other)}
        return LOSSES["mae"]()(Sample(outputs, targets={"score": score}))

    one, other = np.array([[1, 0], [1, 0]], np.float32), np.array([[2, 0], [0, 3]], np.float32)
    assert value_of(engine_name, of, one, other, np.array([0.5, 0.25], np.float32)) == pytest.approx(0.75 / 2)


@pytest.mark.parametrize("kind", LOSSES)
def test_every_loss_keeps_to_the_protocol(kind: str):
    loss = LOSSES[kind]()
    assert loss.kind == kind and (loss.roles or loss.optional) and loss.accepts and loss.faults() == []
    assert loss.held_bytes(Sizes(64, 128, 16, 1, 4, 32)) < loss.held_bytes(Sizes(128, 256, 16, 1, 4, 32))
    assert all(field.metadata["help"] for field in fields(loss))


@pytest.mark.parametrize(
    ("kind", "settings", "faults"),
    [
        (
            "info_nce",
            {"temperature": 0.0, "similarity": "dott"},
            [
                "temperature = 0.0: expected more than 0",
                "similarity = 'dott': expected one of cosine, dot; did you mean 'dot'?",
            ],
        ),
        ("info_nce", {"temperature": float("nan")}, ["temperature = nan: expected a finite number"]),
        ("info_nce", {"false_negative_margin": -0.1, "false_negative_ratio": 0.0}, []),
        ("info_nce", {"false_negative_ratio": -0.5}, ["false_negative_ratio = -0.5: expected 0 or more"]),
        (
            "triplet",
            {"distance": "cosin", "margin": -1.0},
            [
                "distance = 'cosin': expected one of cosine, euclidean; did you mean 'cosine'?",
                "margin = -1.0: expected 0 or more",
            ],
        ),
        (
            "info_nce",
            {"directions": ("query_to_docs",)},
            [
                "directions = 'query_to_docs': expected one of query_to_doc, query_to_query, doc_to_query, doc_to_doc; "
                "did you mean 'query_to_doc'?",
                "directions = ['query_to_docs']: expected query_to_doc among them, and no symmetric",
            ],
        ),
        ("contrastive", {"margin": -1.0}, ["margin = -1.0: expected more than 0"]),
        ("batch_hard_triplet", {"margin": -1.0}, ["margin = -1.0: expected 0 or more"]),
        ("cosent", {"scale": float("-inf")}, ["scale = -inf: expected a finite number"]),
        ("kl", {"teacher_temperature": 0.0}, ["teacher_temperature = 0.0: expected more than 0"]),
        ("distillation", {"how": "l2"}, ["how = 'l2': expected one of cosine, mse"]),
        ("self_distillation", {"sparse_loss_weight": -1.0}, ["sparse_loss_weight = -1.0: expected 0 or more"]),
    ],
)
def test_settings_out_of_range_are_all_named(kind: str, settings: dict, faults: list[str]):
    assert LOSSES[kind](**settings).faults() == faults
