"""The arithmetic of the benchmarks' ratios; nothing here is timed."""

from benchmarks import ratios


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
