"""The arithmetic of the benchmarks' ratios; nothing here is timed."""

import numpy as np
import pytest

from benchmarks import agreement, process, ratios


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
