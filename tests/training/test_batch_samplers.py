"""Batches by label and without a text twice: what a batch has, how many there are, and which sampler a set gets."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import train
from mlx_metaembed.training.batch_samplers import by_label, no_duplicates
from mlx_metaembed.training.batches import TokenizedRows, epoch, steps_per_epoch

THREADS = [
    {"text": f"{word} of {number}", "label": str(number // 2)} for number in range(16) for word in ("start", "end")
]


def labels_of(*sizes: int) -> np.ndarray:
    return np.random.default_rng(1).permutation(np.repeat(np.arange(len(sizes)), sizes))


@pytest.mark.parametrize(
    ("sizes", "batch_size"),
    [([2] * 40, 16), ([3] * 30, 16), ([50, 50], 10), ([90, 10], 20), ([1, 2, 5, 9, 17, 30], 8), ([4], 8), ([1] * 9, 4)],
)
def test_every_row_is_once_in_full_batches(sizes: list[int], batch_size: int):
    labels = labels_of(*sizes)
    found = by_label(labels, batch_size, seed=(3, 0))
    assert len(found) == steps_per_epoch(len(labels), batch_size)
    rows = np.concatenate(found)
    assert len(set(rows.tolist())) == len(rows) >= len(labels) - 1
    assert sorted(map(len, found))[1:] == [batch_size] * (len(found) - 1)
    again = by_label(labels, batch_size, seed=(3, 0))
    assert all(map(np.array_equal, found, again))
    if len(found) > 1:
        assert not all(map(np.array_equal, found, by_label(labels, batch_size, seed=(3, 1))))


def test_texts_of_a_label_are_together():
    labels = labels_of(*[2] * 500)
    for rows in by_label(labels, 50, seed=(0, 0)):
        assert Counter(Counter(labels[rows].tolist()).values()) == {2: 25}
    # By length, most of a batch's texts are the only ones of their labels.
    alone = [Counter(labels[rows].tolist()) for rows in epoch(np.ones(1000, int), 50, seed=(0, 0))]
    assert np.mean([list(each.values()).count(1) for each in alone]) > 40


def test_labels_of_three_are_cut_once_a_batch():
    labels = labels_of(*[3] * 160)
    for rows in by_label(labels, 16, seed=(0, 0)):
        assert list(Counter(labels[rows].tolist()).values()).count(1) <= 2


@pytest.mark.parametrize("sizes", [(50, 50), (51, 49), (70, 30), (90, 10), (40, 30, 30), (90, 5, 5)])
@pytest.mark.parametrize("seed", range(5))
def test_a_batch_has_several_labels(sizes: tuple[int, ...], seed: int):
    labels = labels_of(*(10 * size for size in sizes))
    found = by_label(labels, 20, seed=(seed, 0))
    assert sum(len(set(labels[rows].tolist())) == 1 for rows in found) <= 0.1 * len(found)


def test_no_text_stands_twice_in_a_batch():
    anchors = np.array([0, 0, 1, 2, 3, 3, 4, 5])
    positives = np.array([10, 11, 12, 10, 13, 14, 15, 16])
    negatives = np.array([[20, -1], [-1, -1], [21, 22], [20, -1], [-1, -1], [0, -1], [5, -1], [-1, -1]])
    rows = TokenizedRows({"anchor": anchors, "positive": positives, "negative": negatives})
    taken: Counter[int] = Counter()
    for number in range(20):
        found = no_duplicates(rows, epoch(np.ones(8, int), 4, seed=(0, number)), 4)
        for batch in found:
            texts = [{anchors[row], positives[row], *negatives[row]} - {-1} for row in batch]
            assert sum(map(len, texts)) == len(set().union(*texts))
            assert 2 <= len(batch) <= 4
        taken.update(np.concatenate(found).tolist())
        assert max(Counter(np.concatenate(found).tolist()).values()) == 1 and len(found) <= 2
    assert set(taken) == set(range(8)) and min(taken.values()) >= 5


def test_texts_are_one_whatever_their_prompts():
    rows = TokenizedRows({"anchor": np.arange(4), "positive": np.arange(4, 8)}, same=np.array([0, 1, 2, 3, 1, 5, 6, 7]))
    found = no_duplicates(rows, [np.arange(4)], 4)
    assert [each.tolist() for each in found] == [[0, 2, 3]]


def recipe(tiny: Path, out: Path, engine: str, **settings: object) -> Recipe:
    fixed = {"model": str(tiny), "out": str(out), "engine": engine, "batch_size": 8, "iters": 2, "save_every": 1}
    return Recipe(**fixed, sources=(DataTable("mine"),), **settings)


def test_losses_on_labels_are_grouped_where_nothing_is_said(engine_name: str, tiny: Path, tmp_path: Path):
    ends = {}
    for sampler in ("auto", "group_by_label", "batch_sampler", "no_duplicates"):
        objectives = (ObjectiveTable("", "mine", "dense", "nt_xent"),)
        chosen = recipe(tiny, tmp_path / sampler, engine_name, objectives=objectives, batch_sampler=sampler)
        ends[sampler] = train(chosen, rows={"mine": THREADS}, callbacks=[]).loss
    assert ends["auto"] == ends["group_by_label"] != ends["batch_sampler"] == ends["no_duplicates"]


def test_rows_without_labels_are_not_grouped_by_them(tiny: Path, tmp_path: Path):
    pairs = [{"anchor": f"a {number}", "positive": f"b {number}"} for number in range(8)]
    objectives = (ObjectiveTable("", "mine", "dense", "info_nce"),)
    chosen = recipe(tiny, tmp_path / "out", "auto", objectives=objectives, batch_sampler="group_by_label")
    with pytest.raises(CallError, match='"group_by_label": no loss takes a label of the rows of mine; leave it out'):
        train(chosen, rows={"mine": pairs}, callbacks=[])
    assert not (tmp_path / "out").exists()
    with pytest.raises(CallError, match="expected one of auto, batch_sampler, no_duplicates, group_by_label"):
        Recipe(batch_sampler="by_label")
