"""What the losses on one data set ask of its rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe.tables import DataTable
from mlx_metaembed.training.objective import Objective
from mlx_metaembed.training.rows import asked, read_source

GIVES = {"dense": "vector", "quality": "scores", "splade": "sparse"}


def on(**losses: str) -> list[Objective]:
    """An objective a head, each with a loss at its defaults or given whole."""
    return [
        Objective(head, "data", head, LOSSES[loss]() if isinstance(loss, str) else loss)
        for head, loss in losses.items()
    ]


@pytest.mark.parametrize(
    ("losses", "roles", "optional", "targets"),
    [
        ({"dense": "info_nce"}, {"anchor", "positive"}, {"negative"}, ()),
        ({"dense": "info_nce", "splade": "triplet"}, {"anchor", "positive", "negative"}, set(), ()),
        ({"dense": "cosent"}, {"sentence1", "sentence2"}, set(), ("score",)),
        ({"dense": "mse"}, {"sentence1", "sentence2"}, {"text"}, ("score",)),
        ({"quality": "mse"}, {"text"}, {"sentence1", "sentence2"}, ("score",)),
        ({"unknown": "mse"}, set(), {"sentence1", "sentence2", "text"}, ("score",)),
        ({"dense": "distillation"}, {"text"}, set(), ()),
        ({"dense": "distillation", "quality": "mse"}, {"text"}, {"sentence1", "sentence2"}, ("score",)),
        ({"quality": "cross_entropy", "other": "mse"}, {"text"}, {"sentence1", "sentence2"}, ("label", "score")),
        ({"dense": "kl"}, {"anchor", "positive", "negative"}, set(), ("positive_score", "negative_score")),
    ],
)
def test_what_one_needs_is_needed(losses, roles, optional, targets):
    found = asked(on(**losses), GIVES)
    assert (set(found["roles"]), set(found["optional"]), found["targets"]) == (roles, optional, targets)


def test_flops_alone_asks_for_texts_and_beside_another_for_that_ones_rows():
    flops = LOSSES["flops"]
    assert asked([Objective("a", "data", "splade", flops())], GIVES) == {
        "roles": ("text",),
        "optional": (),
        "targets": (),
    }
    both = [*on(dense="info_nce"), Objective("a", "data", "splade", flops())]
    assert asked(both, GIVES)["roles"] == ("anchor", "positive")


@pytest.fixture
def write(tmp_path: Path):
    def write(*rows: dict) -> DataTable:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return DataTable("data", str(path))

    return write


def test_a_data_set_is_read_for_its_losses(write):
    table = write({"text": "a", "score": 1}, {"text": "b", "score": 2})
    rows = read_source(table, on(quality="mse"), GIVES, 100)
    assert (rows.texts, rows.targets["score"].tolist()) == ({"text": ["a", "b"]}, [1, 2])
    # A head that only the model knows: the rows say what they are.
    assert read_source(table, on(unknown="mse"), GIVES, 100).texts == {"text": ["a", "b"]}
    table = write({"anchor": "a", "positive": "b", "score": 1}, {"anchor": "c", "positive": "d", "score": 0})
    assert read_source(table, on(unknown="mse"), GIVES, 100).texts == {"sentence1": ["a", "c"], "sentence2": ["b", "d"]}
    with pytest.raises(CallError, match="lack 'text'; taken are \\(text, score\\)"):
        read_source(table, on(quality="mse"), GIVES, 100)


def test_losses_on_rows_of_two_kinds_need_two_data_sets(write):
    table = write({"anchor": "a", "positive": "b"}, {"anchor": "c", "positive": "d"})
    with pytest.raises(CallError, match="give the rows of each kind a data set of its own"):
        read_source(table, on(dense="info_nce", other="cosent"), GIVES, 100)


@dataclass(frozen=True)
class _Own:
    """A loss of somebody's own, on sentences with a class."""

    roles: ClassVar[tuple[str, ...]] = ("sentence1", "sentence2")
    optional: ClassVar[tuple[str, ...]] = ()
    targets: ClassVar[tuple[str, ...]] = ("label",)


def test_a_loss_of_ones_own_says_what_it_takes(write):
    table = write(*({"sentence1": "a", "sentence2": "b", "label": label} for label in ("x", "y")))
    rows = read_source(table, on(dense=_Own()), GIVES, 100)
    assert rows.labels == ("x", "y")
    assert rows.targets["label"].tolist() == [0, 1]
