"""Numbers as the report writes them."""

import math

import pytest

from mlx_metaembed.progress.duration import duration
from mlx_metaembed.report import units
from mlx_metaembed.report.markup import tag, text


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 B"),
        (1536, "1,536 B"),
        (9999, "9,999 B"),
        (10_000, "10 KB"),
        (999_400, "999 KB"),
        (999_600, "1 MB"),
        (90_868_373, "90.9 MB"),
        (1_503_000_000, "1.5 GB"),
        (8e9, "8 GB"),
        (2.5e15, "2,500 TB"),
    ],
)
def test_bytes(count: float, written: str):
    assert units.size(count) == written


@pytest.mark.parametrize(
    ("count", "written"),
    [
        (0, "0 s"),
        (3.44, "3.4 s"),
        (9.96, "10 s"),
        (42.4, "42 s"),
        (59.6, "1 min"),
        (137, "2 min 17 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (1e6, "277 h 47 min"),
    ],
)
def test_seconds(count: float, written: str):
    assert duration(count) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0"), (2, "2"), (0.5, "0.5"), (1.2345, "1.23"), (-0.01234, "−0.0123"), (12345.6, "12,346"), (2e-5, "2e-5")],
)
def test_three_digits(value: float, written: str):
    assert units.significant(value) == written


def test_exponents():
    assert [units.exponent(value) for value in (0, 2e-5, 1.5e-5, 1, -3e-7)] == ["0", "2e-5", "1.5e-5", "1e0", "−3e-7"]


def test_differences_are_of_the_numbers_shown_with_their_sign():
    assert units.change(0.643, 0.741) == ("+0.098", 1)
    assert units.change(0.741, 0.643) == ("−0.098", -1)
    assert units.change(0.5, 0.50004) == ("0.000", 0)
    assert units.change(64.3, 74.1) == ("+9.8", 1)


def test_only_finite_numbers_are_numbers():
    assert units.finite(3) == 3.0
    for other in (None, True, "3", math.nan, math.inf, -math.inf, 1e101, 10**400, [3]):
        assert units.finite(other) is None


def test_headings():
    keys = ("ndcg@10", "mrr@10", "recall@10", "bytes_per_vector", "bytes_on_disk", "peak_memory_bytes", "wall_time_s")
    headings = ["nDCG@10", "MRR@10", "recall@10", "Bytes a vector", "On disk", "Peak memory", "Wall time"]
    assert [units.label(key) for key in keys] == headings


def test_tags_and_texts():
    assert text('<a href="x">\'&\x07') == "&lt;a href=&quot;x&quot;&gt;&#x27;&amp;�"
    assert tag("g", "<b></b>", class_='a"b', aria_label="l", id=None, x=1.5, y=2.0) == (
        '<g class="a&quot;b" aria-label="l" x="1.5" y="2"><b></b></g>'
    )
