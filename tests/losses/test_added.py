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
    targets: ClassVar[tuple[str, ...]] = ("score",)
    accepts: ClassVar[tuple[str, ...]] = ("vector",)

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
    assert loss.kind == kind and loss.roles and loss.accepts and loss.faults() == []
    assert loss.held_bytes(Sizes(64, 128, 16, 1, 4, 32)) < loss.held_bytes(Sizes(128, 256, 16, 1, 4, 32))
    assert all(field.metadata["help"] for field in fields(loss))


@pytest.mark.parametrize(
    ("kind", "settings", "faults"),
    [
        ("info_nce", {"temperature": 0.0, "similarity": "l1"}, 2),
        ("info_nce", {"temperature": float("nan"), "false_negative_margin": -0.1}, 2),
        ("triplet", {"distance": "manhattan"}, 1),
        ("cosent", {"scale": float("inf")}, 1),
        ("kl", {"temperature": -1.0, "teacher_temperature": 0.0}, 2),
        ("distillation", {"how": "l2"}, 1),
        ("self_distillation", {"temperature": 0.0, "sparse_loss_weight": -1.0}, 2),
    ],
)
def test_settings_out_of_range_are_all_named(kind: str, settings: dict, faults: int):
    assert len(LOSSES[kind](**settings).faults()) == faults
