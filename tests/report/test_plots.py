"""The plots of a report: points where arithmetic puts them, gaps kept, labels clear of each other."""

import math
import re
from itertools import combinations

import pytest

from mlx_metaembed.report import plots, tradeoff
from mlx_metaembed.report.axes import Frame, Scale, decimal, powers_of_two, ticks
from mlx_metaembed.report.evaluation import evaluation, evaluation_by_width
from mlx_metaembed.report.labels import overlap, place
from mlx_metaembed.report.results import pair
from mlx_metaembed.report.series import series, smooth, thin

SQUARE = Frame(200, 150, left=50, right=50, top=20, bottom=30)


def drawn(points: list, **settings: object) -> str:
    return plots.curve(points, frame=SQUARE, title="t", identity="i", **settings)


def test_a_curve_goes_through_its_points():
    # Steps 0..10 lie on x = 50..150; values 1..3 on y = 120..20, 50 a unit.
    svg = drawn([(0, 1.0), (5, 3.0), (10, 2.0)])
    assert 'd="M50.0,120.0L100.0,20.0L150.0,70.0" class="curve"' in svg


def test_a_gap_breaks_the_curve_and_a_lone_point_is_a_dot():
    svg = drawn([(0, 1.0), (2, 2.0), (4, math.nan), (6, 3.0), (8, math.nan), (9, 1.0), (10, 1.0)])
    assert 'd="M50.0,120.0L70.0,70.0M140.0,120.0L150.0,120.0" class="curve"' in svg
    assert '<circle cx="110" cy="20" r="3" class="dot">' in svg


def test_one_point_is_a_dot_in_the_middle():
    svg = drawn([(7, 2.0)])
    assert re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', svg) == [("100", "70")]
    assert ">7</text>" in svg and ">2.0</text>" in svg


def test_a_limit_is_drawn_where_it_is_and_belongs_to_the_range():
    # The axis goes from 0 to 10, so the limit lies on its top.
    assert '<path d="M50,20.0H150" class="limit">' in drawn([(0, 1.0), (10, 2.0)], zero=True, limits=[(10.0, "limit")])


def test_an_axis_from_zero_has_nothing_below():
    assert "−" not in drawn([(0, 0.0), (10, 0.0)], zero=True)
    assert "−" in drawn([(0, 0.0), (10, 0.0)])


def test_loss_is_raw_and_smoothed_and_says_what_is_missing():
    assert plots.loss([]) == plots.loss([{"step": 1}]) == plots.loss([{"loss": math.nan}]) == ""
    few = plots.loss([{"step": step, "loss": float(step)} for step in range(5)])
    assert few.count("<svg") == 2 and few.count('class="curve"') == 2 and 'class="raw"' not in few
    many = plots.loss([{"step": step, "loss": math.inf if step == 9 else 2.0} for step in range(30)])
    # Each stands in both pictures and in the key.
    assert many.count('class="raw"') == many.count('class="curve"') == 3
    assert "1 without a finite loss" in many


def test_the_best_step_is_marked_and_compared_with_start_and_last():
    assert evaluation([]) == evaluation([{"step": 1, "loss": 1.0}]) == ""
    found = zip((0, 4, 8, 12), (0.25, 0.5, 0.5, 0.375), strict=True)
    rows = [{"step": step, "eval/ndcg@10": value, "eval/mrr@10": 0.9} for step, value in found]
    said = evaluation([rows[0], {"step": 1, "loss": 2.0}, *rows[1:]], "held-out.jsonl")
    assert "nDCG@10 on held-out.jsonl" in said
    assert "best 0.500 at step 4 · 0.250 before training · 0.375 at the last" in said
    assert said.count('r="5" class="dot"') == 3
    # A base model that is better than any step is said, and is no step.
    assert "best 0.100 at step 3 · 0.250 before training" in evaluation([rows[0], {"step": 3, "eval/ndcg@10": 0.1}])
    assert drawn([(0, 1.0), (5, 3.0), (10, 2.0)], marks=[(5, 3.0)]).count('<circle cx="100" cy="20" r="5"') == 1


def test_the_metric_has_a_line_for_each_width():
    rows = [
        {"step": step, "eval/mrr@10": 0.5, "eval@384/mrr@10": 0.5, "eval@96/mrr@10": value, "eval@codes/mrr@10": 0.125}
        for step, value in ((0, 0.25), (4, 0.375))
    ]
    shown = evaluation_by_width(rows, "held-out.jsonl")
    assert "MRR@10 by width on held-out.jsonl" in shown and "last: 384 0.500, 96 0.375, codes 0.125" in shown
    assert re.findall("</svg>([a-z0-9]+)</li>", shown) == ["384", "96", "codes"]
    assert evaluation_by_width([{"step": 0, "eval@384/mrr@10": 0.5}]) == evaluation_by_width([]) == ""


def test_panels_show_what_was_measured():
    rows = [{"step": step, "grad_norm": 1.0, "peak_memory_bytes": 2e9} for step in range(3)]
    shown = plots.panels(rows, 3e9, 1.5e9)
    assert re.findall("<b>(.*?)</b>", shown) == ["Gradient norm", "Peak memory"]
    assert "2 GB measured, 1.5 GB planned, 3 GB allowed" in shown
    # Each in the picture and in its key.
    assert shown.count('class="limit"') == shown.count('class="planned"') == 2
    assert re.findall("</svg>([a-z]+)</li>", shown) == ["measured", "planned", "allowed"]
    # A line far above all that was held would press the curve to the ground.
    far = plots.panels(rows, 8e9)
    assert "2 GB measured, 8 GB allowed" in far and 'class="limit"' not in far and "<li>" not in far
    assert plots.panels([]) == ""


def test_the_loss_by_width_has_a_line_and_a_key_for_each():
    rows = [{"step": step, "loss": 3.0, "loss@384": 1.0, "loss@codes": 2.0} for step in range(1, 21)]
    shown = plots.by_width(rows)
    assert re.findall("</svg>([a-z0-9]+)</li>", shown) == ["384", "codes"]
    assert shown.count('class="curve s1"') == shown.count('class="curve s2"') == 3
    assert plots.by_width([{"step": 1, "loss": 3.0}]) == ""


def test_series_are_by_step_and_the_later_row_of_a_step_counts():
    rows = [
        {"step": 1, "loss": 4},
        {"step": 2, "loss": 3},
        {"step": 3, "loss": 9},
        {"step": 2, "loss": 2.5},
        {"step": 3},
    ]
    assert series(rows, "loss") == [(1, 4.0), (2, 2.5), (3, 9.0)]
    assert series([{"step": 9, "loss": 1}, {"step": 8, "loss": 2}], "loss") == [(8, 2.0), (9, 1.0)]
    assert series([{"loss": 5}, {"loss": 6, "step": "x"}], "loss") == [(1, 5.0), (2, 6.0)]


def test_smoothing_keeps_a_line_and_averages_noise():
    line = [(step, 3.0 - 0.5 * step) for step in range(40)]
    assert [value for _, value in smooth(line, 4)] == pytest.approx([value for _, value in line])
    # Five neighbours of a zigzag around 0: (1 - 1 + 1 - 1 + 1) / 5 in the middle.
    zigzag = [(step, (-1.0) ** step) for step in range(11)]
    assert smooth(zigzag, 2)[4] == (4, pytest.approx(1 / 5))
    with_gap = [(0, 1.0), (1, math.nan), (2, 1.0), (3, 1.0)]
    assert [value for _, value in smooth(with_gap, 1)] == pytest.approx([1.0, math.nan, 1.0, 1.0], nan_ok=True)
    assert smooth([(5, 7.0)], 3) == [(5, 7.0)]


def test_smoothing_stays_within_the_values():
    steep = [(step, 0.0 if step > 3 else 100.0) for step in range(20)]
    assert all(0 <= value <= 100 for _, value in smooth(steep, 5))


def test_thinning_keeps_ends_and_extremes():
    points = [(step, math.sin(step)) for step in range(100_000)]
    points[54_321] = (54_321, 9.0)
    points[77_777] = (77_777, -9.0)
    kept = thin(points, 500)
    assert len(kept) <= 502 and kept == sorted(kept)
    assert {points[0], points[-1], points[54_321], points[77_777]} <= set(kept)
    assert thin(points[:500], 500) == points[:500]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 10.0, [0, 2, 4, 6, 8, 10]),
        (0.31, 0.52, [0.3, 0.35, 0.4, 0.45, 0.5, 0.55]),
        (-3.0, 2.0, [-3, -2, -1, 0, 1, 2]),
        (0.0, 0.0, [-1, -0.5, 0, 0.5, 1]),
        (1e-5, 2e-5, [1e-5, 1.2e-5, 1.4e-5, 1.6e-5, 1.8e-5, 2e-5]),
    ],
)
def test_ticks_are_round_and_cover_the_range(low: float, high: float, expected: list):
    assert ticks(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("low", [-1e100, -1e12, -1.0, 0.0, 1e-300, 1.0, 1e12, 1e100])
@pytest.mark.parametrize("reach", [0.0, 1e-300, 1e-9, 1.0, 1e9, 1e100])
@pytest.mark.parametrize("whole", [False, True])
def test_ticks_of_any_range_are_few_and_rising(low: float, reach: float, whole: bool):
    found = ticks(low, low + reach, whole=whole)
    assert 2 <= len(found) <= 13 and found == sorted(set(found))
    slack = 1e-6 * (found[1] - found[0])
    assert found[0] <= low + slack and found[-1] >= low + reach - slack


def test_labels_of_ticks_tell_them_apart():
    assert [decimal([0.0, 0.25, 0.5])(value) for value in (0.0, 0.25, -0.5)] == ["0.00", "0.25", "−0.50"]
    assert [decimal([0.0, 2000.0])(value) for value in (0.0, 2000.0)] == ["0", "2,000"]


def test_powers_of_two_and_their_scale():
    assert powers_of_two(15.0, 1536.0) == [16, 32, 64, 128, 256, 512, 1024]
    assert powers_of_two(15.0, 1536.0, 4) == [16, 64, 256, 1024]
    scale = Scale(16, 1024, 100, 700, log=True)
    assert [scale(value) for value in (16, 32, 1024)] == pytest.approx([100, 200, 700])


def test_quality_points_stand_where_their_numbers_say():
    rows = [
        {"name": "before@4", "bytes_per_vector": 16, "ndcg@10": 0.5},
        {"name": "after@256", "bytes_per_vector": 1024, "ndcg@10": 0.75},
        {"name": "after@4", "bytes_per_vector": 16, "ndcg@10": 0.7},
        {"name": "after@fsq", "bytes_per_vector": 32, "ndcg@10": 0.6},
        {"name": "after@lost", "ndcg@10": 0.6},
        {"name": "after@none", "bytes_per_vector": 64, "ndcg@10": None},
        {"name": "after@zero", "bytes_per_vector": 0, "ndcg@10": 0.6},
        {"name": "after@less", "bytes_per_vector": -8, "ndcg@10": 0.6},
    ]
    svg = tradeoff.quality(pair(rows), "ndcg@10").partition("</ul>")[2].partition("</svg>")[0]
    frame = tradeoff.WIDE
    across = Scale(16 / 1.3, 1024 * 1.3, frame.left, frame.width - frame.right, log=True)
    up = Scale(0.5, 0.75, frame.height - frame.bottom, frame.top)
    marks = re.findall(r'<g transform="translate\(([\d.]+),([\d.]+)\)" class="(\w+)"><title>(\S+):', svg)
    found = {name: (float(x), float(y), stage) for x, y, stage, name in marks}
    assert found == {
        row["name"]: (
            pytest.approx(across(row["bytes_per_vector"]), abs=0.06),
            pytest.approx(up(row["ndcg@10"]), abs=0.06),
            row["name"].partition("@")[0],
        )
        for row in rows[:4]
    }
    joined = f"M{across(16):.1f},{up(0.7):.1f}L{across(1024):.1f},{up(0.75):.1f}"
    assert f'<path d="{joined}" class="after join">' in svg and 'class="before join"' not in svg
    assert re.findall('class="name">(.*?)<', svg).count("4") == 1


def test_quality_of_one_point_is_no_plot_and_of_one_size_has_an_axis():
    rows = [{"name": "before@8", "bytes_per_vector": 1500, "ndcg@10": 0.5}, {"name": "after@8"}]
    assert tradeoff.quality(pair(rows), "ndcg@10") == ""
    same = tradeoff.quality(pair([rows[0], {**rows[0], "name": "after@8"}]), "ndcg@10")
    assert same.count('role="img"') == 2 and ">1,024</text>" in same


def test_labels_keep_clear_of_each_other_of_marks_and_of_the_edge():
    marks = [(60 + 37.0 * at, 60 + 11.0 * (at * at % 7)) for at in range(9)]
    wanted = [(x, y, ("some name",) * (1 + at % 3)) for at, (x, y) in enumerate(marks)]
    frame = (0, 0, 420, 300)
    placed = place(wanted, marks=marks, segments=[(*marks[0], *marks[-1])], frame=frame)
    assert len(placed) == len(wanted)
    assert not any(overlap(one.box, other.box) for one, other in combinations(placed, 2))
    for label in placed:
        left, top, right, bottom = label.box
        assert left >= 0 and top >= 0 and right <= 420 and bottom <= 300
        assert not any(left < x < right and top < y < bottom for x, y in marks)


def test_a_label_without_room_is_left_out_and_a_near_one_stays_near():
    (label,) = place([(50, 50, ("ab",))], marks=[(50, 50)], frame=(0, 0, 100, 100))
    assert label.anchor == "middle" and label.box == pytest.approx((50 - 6.7, 26, 50 + 6.7, 40))
    assert place([(50, 50, ("a name as wide as the plot",))], marks=[(50, 50)], frame=(0, 0, 100, 100)) == []


def test_marks_that_lie_on_each_other_share_a_label():
    names = ("384", "mlx-8bit", "sentence-transformers")
    rows = [
        {"name": f"after@{name}", "bytes_per_vector": 1536, "ndcg@10": 0.74 - at / 1000}
        for at, name in enumerate(names)
    ]
    rows.reverse()
    rows.append({"name": "after@fsq", "bytes_per_vector": 15, "ndcg@10": 0.6})
    svg = tradeoff.quality(pair(rows), "ndcg@10").partition("</ul>")[2].partition("</svg>")[0]
    labels = re.findall(r'<text x="([\d.]+)" y="([\d.]+)"[^>]*class="name">(.*?)<', svg)
    stack = [(float(x), float(y)) for x, y, name in labels if name in names]
    assert [name for *_, name in labels if name in names] == list(names)
    assert len({x for x, _ in stack}) == 1
    assert [y - stack[0][1] for _, y in stack] == pytest.approx([0, 14, 28])


def test_marks_have_a_key_and_a_code_one_mark_at_all_its_widths():
    rows = [
        {"name": f"{stage}@{name}", "bytes_per_vector": size, "ndcg@10": value}
        for stage, value in (("before", 0.5), ("after", 0.6))
        for name, size in (("384", 1536), ("int8@384", 384), ("int8@96", 96), ("binary@384", 48))
    ]
    shown = tradeoff.quality(pair(rows), "ndcg@10")
    legend, _, plot = shown.partition("</ul>")
    meanings = ["before training (hollow)", "after training (filled)", "float32", "int8", "binary"]
    assert re.findall("</svg>([^<]+)</li>", legend) == [*meanings, "full width before training"]
    wide = plot.partition("</svg>")[0]
    shapes = dict(re.findall(r"<title>after@(\S+): [^<]*</title><(\w+ d=\S+|circle)", wide))
    assert shapes["int8@384"] == shapes["int8@96"] != shapes["binary@384"]
    # The key says what a mark is; its name beside it is the width alone.
    assert sorted(re.findall('class="name">(.*?)<', wide)) == ["384", "384", "384", "96"]
