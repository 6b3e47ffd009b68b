"""The page of a comparison: intervals and differences in tables and plots, and advice in words."""

import re

import pytest
from pages import Page

from mlx_metaembed.evaluate.choice import choose
from mlx_metaembed.report import comparison
from mlx_metaembed.report.advice import advice
from mlx_metaembed.report.options import names, shortest
from mlx_metaembed.report.scatter import steps

COSTS = {"bytes_on_disk": 90_000_000, "texts_per_second": 512.0, "tokens_per_second": 4000.0, "engine": "mlx"}
NASTY = "<script>alert('x')</script>"


def row(name: str, value: float, low: float, high: float, behind: tuple, **more: object) -> dict:
    found = {"name": name, "vector": "384", "data": "d/sts.csv", "dimensions": 384, "bytes_per_vector": 1536} | COSTS
    found |= {"spearman": value, "spearman_low": low, "spearman_high": high}
    found |= {"pearson": value - 0.125, "pearson_low": low - 0.125, "pearson_high": high - 0.125}
    found |= dict(zip(("behind_best", "behind_best_low", "behind_best_high"), behind, strict=True))
    return found | {"latency_median_s": 0.008, "latency_p95_s": 0.009} | more


def apart(value: float, low: float, high: float, p: float) -> dict:
    return {
        "spearman_difference": value,
        "spearman_difference_low": low,
        "spearman_difference_high": high,
        "spearman_p": p,
    }


ROWS = [
    row("m/large", 0.875, 0.85, 0.9, (0.0, 0.0, 0.0)),
    row(
        *("m/small", 0.865, 0.84, 0.89, (-0.01, -0.015, -0.005)),
        **apart(-0.01, -0.015, -0.005, 0.002) | {"latency_median_s": 0.002, "latency_p95_s": 0.003},
    ),
    row("m/odd", 0.87, 0.84, 0.9, (-0.005, -0.03, 0.02), **apart(-0.005, -0.03, 0.02, 0.7), latency_median_s=0.001),
]


def result(rows: list[dict], margin: float = 0.02) -> dict:
    main = {row["data"]: "spearman" for row in rows}
    about = {"task": "sts", "counts": {"pairs": 1500}, "figures": ["spearman", "pearson"], "main": "spearman"}
    data = dict.fromkeys(main, about)
    found = choose(rows, main, margin)
    said = advice(found, rows, main)
    return {"rows": rows, "data": data, "choice": {"name": found.chosen[0], "vector": found.chosen[1], "said": said}}


def test_the_advice_says_why_and_what_is_open():
    assert result(ROWS)["choice"]["said"] == [
        "Use small: on sts.csv it is less than 0.02 below the best (Spearman 0.865 against 0.875 of large: −0.010, "
        "95 % interval −0.015 to −0.005), and takes 2 ms for one text instead of 8 ms.",
        "odd is cheaper and may be as good: on sts.csv it is −0.005, 95 % interval −0.030 to +0.020, to the best. "
        "More rows would tell whether that is less than 0.02.",
    ]
    assert result(ROWS[:2], 0.01)["choice"]["said"][0] == (
        "Use large: it is the best on sts.csv (Spearman 0.875), and nothing cheaper is known to come within 0.01 of it."
    )


def test_what_the_chosen_one_takes_more_is_said_too():
    small = ROWS[1] | {"bytes_per_vector": 3072, "bytes_on_disk": 45_000_000}
    assert result([ROWS[0], small])["choice"]["said"][0].endswith(
        "and takes 2 ms for one text instead of 8 ms, 45 MB on disk instead of 90 MB, but 3,072 B a vector instead of "
        "1,536 B."
    )


def test_the_advice_where_none_is_near_everywhere():
    other = [row | {"data": "d/b.csv"} for row in ROWS[:2]]
    other[0] |= {"spearman": 0.5, "behind_best": -0.365, "behind_best_low": -0.4}
    other[1] |= {"behind_best": 0.0, "behind_best_low": 0.0}
    rows = [*ROWS[:2], *other]
    rows[1] = rows[1] | {"behind_best_low": -0.05}
    said = result(rows)["choice"]["said"]
    assert said == [
        "None is near the best on both files: large is the best on sts.csv, small is the best on b.csv. Use small, "
        "whose mean of the main figures is the highest, 0.865."
    ]


def test_the_page_is_whole_and_has_intervals_and_differences():
    content = comparison.page(result(ROWS))
    page = Page(content)
    assert page.text("h2") == ["Quality on sts.csv", "What they take", "The models"]
    assert "Scored pairs: 1,500 pairs." in page.text("p")
    assert page.lines[:4] == [
        ["Model", "Spearman", "Difference to the first", "p"],
        ["large", "0.875", "–", "–"],
        ["small", "0.865", "−0.010", "0.002"],
        ["odd", "0.870", "−0.005", "0.700"],
    ]
    ranges = [data for data in page.text("span") if " to " in data]
    assert ranges[:5] == [
        *("0.850 to 0.900", "0.840 to 0.890", "−0.015 to −0.005", "0.840 to 0.900", "−0.030 to +0.020")
    ]
    # What differs is coloured, what may not is not.
    assert [cell["class"] for cell in page.all("td") if cell.get("class") in ("good", "bad", "none")][:3] == [
        *("none", "bad", "none")
    ]
    assert ["large", "8 ms", "9 ms", "512"] in page.lines and ["small", "384", "1,536 B", "90 MB"] in page.lines
    assert not {"script", "link", "img"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|//|url\(|src=|href=", content)
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    # Two forests, quality by time and by bytes on disk; all vectors are of one size.
    assert len(identities) == len(set(identities)) == 2 * 4
    assert content.count("whisker") - content.count("path.whisker") == 3 + 2 + 3 + 3


def test_vectors_of_one_model_are_told_apart_and_have_a_plot_of_their_own():
    coded = row("m/large", 0.86, 0.84, 0.88, (-0.015, -0.018, -0.01), vector="int8@384", bytes_per_vector=384)
    content = comparison.page(result([ROWS[0], coded, ROWS[1]]))
    page = Page(content)
    assert [line[0] for line in page.lines[1:4]] == ["large 384", "large int8@384", "small 384"]
    assert "Spearman by bytes a vector" in page.text("b")


def test_without_intervals_there_are_none():
    rows = [
        {name: value for name, value in each.items() if not name.endswith(("_low", "_high", "_p"))} for each in ROWS
    ]
    content = comparison.page(result(rows))
    assert Page(content).lines[2] == ["small", "0.865", "−0.010", "–"]
    assert content.count("whisker") == content.count("path.whisker")
    assert "Without intervals nothing says how sure that is." in content


def test_names_are_escaped_and_short_where_that_is_clear():
    rows = [each | {"name": name, "data": NASTY} for name, each in zip((NASTY, "a/x", "b/x"), ROWS, strict=True)]
    page = Page(comparison.page(result(rows)))
    assert not page.all("script")
    assert list(names(rows).values()) == ["script>", "a/x", "b/x"]
    assert shortest(["runs/one/", "two"]) == {"runs/one/": "one", "two": "two"}


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.001, 1.0, [0.001, 0.01, 0.1, 1.0]),
        (0.004, 0.03, [0.005, 0.01, 0.02]),
        (0.09, 0.11, [0.09, 0.0925, 0.095, 0.0975, 0.1]),
        (40, 180, [50, 70, 100, 150]),
    ],
)
def test_steps_of_a_logarithmic_axis_are_round(low, high, expected):
    assert steps(low, high) == pytest.approx(expected)
