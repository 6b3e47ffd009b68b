"""The arithmetic of the benchmarks' ratios; nothing here is timed."""

import numpy as np
import pytest

from benchmarks import agreement, negatives, process, ratios
from mlx_metaembed.mining.settings import Settings


def test_ratios_are_taken_pair_by_pair():
    # The machine was twice as slow in the second round: the ratio does not mind.
    assert ratios.ratios([200, 100, 330], [100, 50, 110]) == {"median": 2.0, "min": 2.0, "max": 3.0}


def test_rows_and_lines():
    answers = ([{"x": 3000.0}, {"x": 1000.0}], [{"x": 1000.0}, {"x": 1000.0}])
    (row,) = ratios.rows(("ours", "theirs"), ["x"], answers)
    assert row["first_median"] == 2000.0 and row["ratio"] == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert ratios.lines([row]) == [
        "   first       second        first / second (min..max)",
        "x  ours 2,000  theirs 1,000  2.00 (1.00..3.00)",
    ]


def test_a_contestant_without_a_peer_has_no_ratio():
    (row,) = ratios.rows(["ours"], ["x"], [[{"x": 0.5}]])
    assert row == {"measure": "x", "first": "ours", "first_median": 0.5, "ratio": None}
    assert ratios.lines([row])[1] == "x  ours 0.5000  -       -"


def test_agreement_is_the_worst_of_all():
    vectors, reference = np.array([[1.0, 0.0], [3.0, 4.0]]), np.array([[2.0, 0.0], [1.0, 0.0]])
    assert agreement.cosine(vectors, reference) == pytest.approx(3 / 5)
    assert agreement.difference([[{"loss": 1.0}, {"loss": 1.5}], [{"loss": 0.75}]], "loss") == 0.75


def test_the_command_of_a_program():
    words = process.command("benchmarks.train_speed.metaembed", {"engine": "mlx", "grad_cache": "on"})
    assert words[1:] == ["-m", "benchmarks.train_speed.metaembed", "--engine", "mlx", "--grad-cache", "on"]


def test_arms_differ_in_their_negatives_alone():
    assert negatives.settings_of("in-batch", 9) == (None, {})
    random = Settings(1, output_format="list", relative_margin=None, sampling_strategy="random", range_max=9)
    assert negatives.settings_of("random", 9) == (random, {})
    mined, recipe = negatives.settings_of("mined num_negatives=2 relative_margin=0.2 batch_size=8", 9)
    assert (mined, recipe) == (Settings(2, output_format="list", relative_margin=0.2), {"batch_size": 8})


def test_arms_are_compared_seed_by_seed_and_query_by_query():
    def run(arm, seed, *figures):
        return {"arm": arm, "seed": seed, "mining_s": 1.0, "training_s": 2.0, "queries": {"test": list(figures)}}

    runs = [run("in-batch", 0, 0.5, 0.5), run("in-batch", 1, 0.0, 0.0), run("mined", 0, 0.75, 0.75)]
    one, other = negatives.summary(runs, ["in-batch", "mined"])
    assert (one["seeds"], one["test ndcg@10"], other["test ndcg@10"]) == (2, 0.25, 0.75)
    # The second seed has no run of the other arm yet, and counts for no difference.
    assert [other[f"test over in-batch{end}"] for end in ("", "_low", "_high")] == [0.25, 0.25, 0.25]
    assert one["test over mined"] == -0.25
