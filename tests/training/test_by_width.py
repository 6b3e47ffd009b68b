"""The loss by width in the metrics: its weighted sum is the loss that is minimised, on both engines and both ways."""

from pathlib import Path

import pytest
from runs import metrics, recipe

from mlx_metaembed.training import train
from mlx_metaembed.training.by_width import due


@pytest.mark.parametrize("grad_cache", ["on", "off"])
@pytest.mark.parametrize("loss", ["info_nce", "triplet"])
def test_the_parts_sum_to_the_loss(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, grad_cache: str, loss: str
):
    if loss == "triplet":
        lines = pairs.read_text().splitlines()
        pairs.write_text("".join(f'{line[:-1]}, "negative": "walk a tree {at}"}}\n' for at, line in enumerate(lines)))
    settings = {"matryoshka_weights": (1.0, 3.0), "fsq_weight": 0.5, "grad_accumulation_steps": 1, "epochs": 1}
    settings |= {"engine": engine_name, "grad_cache": grad_cache, "loss": loss, "dtype": "float32"}
    train(recipe(tiny, pairs, tmp_path / "out", **settings))
    rows = metrics(tmp_path / "out")
    assert len(rows) == 5
    for row in rows:
        assert row["loss@32"] + 3 * row["loss@8"] + 0.5 * row["loss@codes"] == pytest.approx(row["loss"], rel=1e-4)


def test_a_frozen_trunk_shows_its_dense_vectors(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    settings = {"engine": engine_name, "train": "heads", "dense": 16, "matryoshka": (16, 8), "fsq": "", "iters": 2}
    train(recipe(tiny, pairs, tmp_path / "out", dtype="float32", **settings))
    for row in metrics(tmp_path / "out"):
        assert row["loss@16"] + row["loss@8"] == pytest.approx(row["loss"], rel=1e-4)


def test_one_loss_has_no_parts_and_long_runs_show_a_hundred(tiny: Path, pairs: Path, tmp_path: Path):
    train(recipe(tiny, pairs, tmp_path / "out", matryoshka=(32,), fsq="", iters=1))
    assert not [name for name in metrics(tmp_path / "out")[0] if "@" in name]
    assert [step for step in range(1, 501) if due(step, 500)][:4] == [1, 5, 10, 15]
    assert sum(due(step, 499) for step in range(1, 500)) == 126 and due(499, 499)
