"""Settings that follow from the number of rows and from what trains."""

import pytest

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.defaults import choices, completed, warnings


def chosen(rows: int | None, **given: object) -> tuple[int, int, float]:
    found = completed(Recipe(**given), rows)
    return found.batch_size, found.epochs, found.learning_rate


@pytest.mark.parametrize(
    ("rows", "batch_size", "epochs"),
    [(30, 32, 3), (300, 32, 3), (640, 64, 3), (3_000, 64, 3), (6_400, 64, 2), (9_600, 64, 1), (30_000, 64, 1)],
)
def test_batch_and_epochs_follow_the_rows(rows: int, batch_size: int, epochs: int):
    assert chosen(rows)[:2] == (batch_size, epochs)


@pytest.mark.parametrize(("train", "rate"), [("full", 5e-5), ("lora", 5e-4), ("dora", 5e-4)])
def test_an_adapter_takes_ten_times_the_rate(train: str, rate: float):
    assert chosen(3_000, train=train)[2] == rate


def test_what_a_recipe_names_stays_and_the_rest_follows_from_it():
    assert chosen(3_000, batch_size=256, learning_rate=1e-4) == (256, 3, 1e-4)
    assert chosen(3_000, batch_size=16) == (16, 1, 5e-5)
    assert chosen(3_000, train="heads", learning_rate=1e-4)[2] == 1e-4
    assert [choice.name for choice in choices(Recipe(batch_size=8, iters=5), 3_000)] == ["learning_rate"]


def test_accumulated_batches_are_one_step():
    assert chosen(9_600, grad_accumulation_steps=2)[1] == 2


def test_each_choice_has_its_reason():
    said = [str(choice) for choice in choices(Recipe(train="lora"), 300)]
    assert said == [
        "batch_size: 32 (auto: 300 rows)",
        "epochs: 3 (auto: 10 steps an epoch)",
        "learning_rate: 0.0005 (auto: an adapter wants about ten times the rate of the whole)",
    ]


def test_few_steps_and_few_rows_are_named():
    assert [line.split(":")[0] for line in warnings(300, 57)] == ["57 steps are few", "300 rows are few"]
    assert warnings(1_000, 100) == []
