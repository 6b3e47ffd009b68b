"""Which data set a batch is from, and which of its rows: literal cases, every row once, one order a seed."""

from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, sampling, train
from mlx_metaembed.training.batches import TokenizedRows
from mlx_metaembed.training.sampling import SAMPLERS, Source, schedule


def source(name: str, rows: int, weight: float = 1.0) -> Source:
    numbers = np.arange(rows)
    return Source(name, TokenizedRows({"text": numbers}), np.ones(rows, np.int64), weight)


def drawn(sources: list[Source], count: int, *, sampler: str, seed: int = 0, size: int = 2) -> list[tuple[str, tuple]]:
    stream = schedule(sources, size, sampler=sampler, seed=seed)
    return [(each.name, tuple(map(int, rows))) for each, rows in islice(stream, count)]


@pytest.mark.parametrize(
    ("sizes", "batch_size", "sampler", "steps"),
    [
        ([6, 4], 2, "proportional", 5),
        ([6, 4], 2, "weighted", 5),
        ([6, 4], 2, "round_robin", 4),
        # A last batch of one row is dropped, and a set of one batch has one.
        ([7, 3, 2], 2, "proportional", 5),
        ([7, 3, 2], 2, "round_robin", 3),
        ([5], 8, "round_robin", 1),
    ],
)
def test_an_epoch_has_so_many_batches(sizes: list[int], batch_size: int, sampler: str, steps: int):
    assert sampling.steps_per_epoch(sizes, batch_size, sampler) == steps


def test_proportional_takes_every_row_of_every_set_once_an_epoch():
    sources = [source("a", 12), source("b", 6), source("c", 4)]
    epochs = drawn(sources, 22, sampler="proportional")
    for epoch in (epochs[:11], epochs[11:]):
        assert Counter(name for name, _ in epoch) == {"a": 6, "b": 3, "c": 2}
        for each in sources:
            rows = [row for name, batch in epoch if name == each.name for row in batch]
            assert sorted(rows) == list(range(len(each.rows)))
    assert [name for name, _ in epochs[:11]] != [name for name, _ in epochs[11:]]


def test_round_robin_takes_one_of_each_in_turn_until_the_smallest_has_no_more():
    found = drawn([source("a", 12), source("b", 6), source("c", 4)], 12, sampler="round_robin")
    assert [name for name, _ in found] == ["a", "b", "c"] * 4
    # An epoch of two batches each: the smallest set's rows once in each, no row of another twice.
    for epoch in (found[:6], found[6:]):
        assert sorted(row for name, batch in epoch if name == "c" for row in batch) == [0, 1, 2, 3]
        assert all(count == 1 for count in Counter((name, row) for name, rows in epoch for row in rows).values())


def test_weighted_draws_by_the_weights():
    sources = [source("a", 20, 3.0), source("b", 200, 1.0), source("c", 8, 0.0)]
    counts = Counter(name for name, _ in drawn(sources, 4000, sampler="weighted"))
    assert counts["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert counts["b"] / 4000 == pytest.approx(0.25, abs=0.03)
    assert "c" not in counts


def test_weighted_goes_through_a_set_again_in_another_order():
    found = [rows for name, rows in drawn([source("a", 8, 1.0), source("b", 80, 0.0)], 44, sampler="weighted")]
    rounds = [found[at : at + 4] for at in range(0, 44, 4)]
    assert all(sorted(row for batch in each for row in batch) == list(range(8)) for each in rounds)
    assert len({tuple(each) for each in rounds}) == len(rounds)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_batches_are_a_function_of_the_seed_and_the_step(sampler: str):
    sources = [source("a", 14, 2.0), source("b", 6), source("c", 9)]
    first = drawn(sources, 40, sampler=sampler, seed=3)
    assert drawn(sources, 40, sampler=sampler, seed=3) == first
    assert drawn(sources, 40, sampler=sampler, seed=4) != first
    # In the middle of an epoch, and past several.
    for step in (5, 31):
        again = islice(schedule(sources, 2, sampler=sampler, seed=3), step, 40)
        assert [(each.name, tuple(map(int, rows))) for each, rows in again] == first[step:]


def test_one_set_has_the_order_that_it_has_alone():
    alone = [rows for _, rows in drawn([source("a", 10)], 5, sampler="proportional")]
    among = [rows for name, rows in drawn([source("a", 10), source("b", 4)], 7, sampler="proportional") if name == "a"]
    assert among == alone


@pytest.mark.parametrize(("sampler", "count"), [("proportional", 1), ("weighted", 0)])
def test_a_weight_that_does_not_count_is_said(tiny: Path, pairs: Path, tmp_path: Path, sampler: str, count: int):
    notes: list[str] = []
    recipe = Recipe(
        model=str(tiny),
        out=str(tmp_path / "out"),
        sources=(DataTable("pairs", str(pairs), 2.0),),
        objectives=(ObjectiveTable("", "pairs", "dense", "info_nce"),),
        multi_dataset_batch_sampler=sampler,
        iters=1,
        batch_size=4,
    )
    train(recipe, callbacks=[Callbacks(note=notes.append)])
    said = '[[data]] pairs: its weight counts only with multi_dataset_batch_sampler = "weighted"'
    assert notes.count(said) == count
