"""An objective's weight that rises: by hand, in a run's total, and over a stop."""

from pathlib import Path

import numpy as np
import pytest
from runs import metrics, weights_of

from mlx_metaembed.errors import StoppedError
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, train
from mlx_metaembed.training.objective import Objective


def test_a_weight_rises_over_its_share_of_the_steps():
    rising = Objective("few", "data", "words", LOSSES["flops"](), 8.0, weight_warmup_ratio=0.5)
    assert [rising.weight_at(step, 8) for step in range(1, 9)] == [0, 0.5, 2, 4.5, 8, 8, 8, 8]
    straight = Objective(
        "few", "data", "words", LOSSES["flops"](), 8.0, weight_warmup_ratio=0.5, weight_schedule="linear"
    )
    assert [straight.weight_at(step, 8) for step in range(1, 6)] == [0, 2, 4, 6, 8]
    assert Objective("few", "data", "words", LOSSES["flops"](), 8.0).weight_at(1, 8) == 8.0
    # A share of less than a step is none.
    assert Objective("x", "d", "w", LOSSES["flops"](), 8.0, weight_warmup_ratio=0.1).weight_at(1, 8) == 8.0


def test_the_weights_are_those_of_sentence_transformers(sentence_transformers: str):
    from types import SimpleNamespace

    from sentence_transformers.sparse_encoder.callbacks.splade_callbacks import SpladeRegularizerWeightSchedulerCallback
    from sentence_transformers.sparse_encoder.losses import SpladeLoss

    for schedule, steps, ratio in (("quadratic", 20, 1 / 3), ("linear", 7, 0.9), ("quadratic", 5, 1.0)):
        # A loss that keeps the weights and is never asked.
        loss = SpladeLoss.__new__(SpladeLoss)
        object.__setattr__(loss, "document_regularizer_weight", 3.0)
        object.__setattr__(loss, "query_regularizer_weight", 5.0)
        theirs = SpladeRegularizerWeightSchedulerCallback(loss, schedule, ratio)
        theirs.on_train_begin(None, SimpleNamespace(max_steps=steps), None)
        ours = Objective("few", "d", "w", LOSSES["flops"](), 3.0, weight_warmup_ratio=ratio, weight_schedule=schedule)
        for step in range(steps):
            theirs.on_step_begin(None, SimpleNamespace(global_step=step), None)
            assert ours.weight_at(step + 1, steps) == pytest.approx(loss.document_regularizer_weight)


def test_a_run_counts_it_and_goes_on_as_if_it_had_not_been_stopped(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path
):
    def recipe(name: str) -> Recipe:
        return Recipe(
            model=str(tiny),
            out=str(tmp_path / name),
            sources=(DataTable("pairs", str(pairs)),),
            objectives=(
                ObjectiveTable("ranking", "pairs", loss="info_nce"),
                ObjectiveTable("apart", "pairs", loss="spread_out", weight=8.0, weight_warmup_ratio=1.0),
            ),
            batch_size=8,
            iters=4,
            learning_rate=1e-3,
            dtype="float32",
            engine=engine_name,
        )

    train(recipe("whole"), callbacks=[])
    for row, weight in zip(metrics(tmp_path / "whole"), (0, 0.5, 2, 4.5), strict=True):
        assert row["loss"] == pytest.approx(row["loss/ranking"] + weight * row["loss/apart"], rel=1e-5)
    stops = iter((False, True))
    with pytest.raises(StoppedError):
        train(recipe("cut"), callbacks=[Callbacks(stopped=lambda: next(stops))])
    train(recipe("cut"), resume=True, callbacks=[])
    whole, cut = (weights_of(tmp_path / name) for name in ("whole", "cut"))
    for name, each in whole.items():
        np.testing.assert_array_equal(cut[name], each, err_msg=name)
