"""The page of a run: well formed, self-contained, escaped, and whole with whatever is missing."""

import math
import re
import stat

import numpy as np
import pytest
from pages import Page

from mlx_metaembed import report
from mlx_metaembed.errors import CallError, JobError

NASTY = "<script>alert('x')</script> \" onload=\"x' & </title></style>\x00\x1b\ud800"
ROWS = [
    {"name": "before@384", "dimensions": 384, "bytes_per_vector": 1536, "ndcg@10": 0.643, "bytes_on_disk": 90_868_373},
    {"name": "before@48", "dimensions": 48, "bytes_per_vector": 192, "ndcg@10": 0.462},
    {"name": "before@binary", "dimensions": 384, "bytes_per_vector": 48, "ndcg@10": 0.571},
    {"name": "after@384", "dimensions": 384, "bytes_per_vector": 1536, "ndcg@10": 0.741, "bytes_on_disk": 90_868_373},
    {"name": "after@48", "dimensions": 48, "bytes_per_vector": 192, "ndcg@10": 0.689},
    {"name": "after@binary", "dimensions": 384, "bytes_per_vector": 48, "ndcg@10": 0.541},
    {"name": "after@fsq", "dimensions": 40, "bytes_per_vector": 15, "ndcg@10": 0.634},
    {"name": "after@mlx-4bit", "dimensions": 384, "bytes_per_vector": 1536, "bytes_on_disk": 13_020_100},
]
ANSWERS = [
    {"query": "copy a tree", "hits": [{"score": 0.7123, "id": "shutil.copytree", "text": "def copytree(a, b): ..."}]}
]
BESIDE = [
    {
        "query": "copy a tree",
        "before": [{"score": 0.5, "id": "17", "text": "def copy(a): ..."}],
        "after": [{"score": 0.75, "id": "3", "text": "def copytree(a, b): ...", "right": True}],
        "right_before": 22,
        "right_after": 1,
    }
]


def metrics(count: int) -> list[dict]:
    return [
        {
            "step": step,
            "loss": 3 / step,
            "learning_rate": 2e-5,
            "grad_norm": 1.5,
            "tokens_per_second": 8000.0,
            "peak_memory_bytes": 1_500_000_000,
            "elapsed_s": 2.0 * step,
        }
        for step in range(1, count + 1)
    ]


def test_page_is_well_formed_and_needs_nothing_else():
    content = report.page(title="A run", rows=ROWS, metrics=metrics(30), facts={"model": "m"}, answers=ANSWERS)
    page = Page(content)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?:|//|url\(|@import|src=|href=|\bon\w+=", content)
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))
    pictures = [svg for svg in page.all("svg") if svg.get("aria-hidden") != "true"]
    named = " ".join(svg["aria-labelledby"] for svg in pictures).split()
    assert sorted(named) == sorted(identities)
    assert len(pictures) == 2 + 2 + 4
    assert content.count('content="default-src &#x27;none&#x27;') + content.count("content=\"default-src 'none'") == 1


def test_every_row_stands_in_the_table_with_what_came_out_first():
    page = Page(report.page(title="A run", rows=ROWS))
    assert page.lines[0] == ["Vector", "Bytes", "After", "Change", "Before"]
    lines = {line[0]: line[1:] for line in page.lines[1:6]}
    assert lines["384 dimensions"] == ["1,536 B", "0.741", "+0.098", "0.643"]
    assert lines["48 dimensions"] == ["192 B", "0.689", "+0.227", "0.462"]
    assert lines["binary"] == ["48 B", "0.541", "−0.030", "0.571"]
    assert lines["fsq"] == ["15 B", "0.634", "–", "–"]
    assert lines["mlx-4bit"] == ["1,536 B", "–", "–", "–"]
    names = {name for attributes in page.all("th") for name in attributes.get("title", "").split(", ")}
    assert names >= {row["name"] for row in ROWS}
    signs = [attributes["class"] for attributes in page.all("td") if attributes.get("class") in ("good", "bad")]
    assert signs == ["good", "good", "bad"]


def test_other_measures_and_sizes_are_folded_and_no_table_is_wider_than_a_phone():
    rows = [row | {"recall@10": 0.5, "kept_r10": 0.25, "encode_s": 1.5, "texts": 9} for row in ROWS]
    page = Page(report.page(title="A run", rows=rows))
    folds = [data for tag, data in page.texts if tag == "b"]
    assert folds[-3:-1] == ["Kept R10", "Sizes and counts"] or {"recall@10", "Kept R10", "Sizes and counts"} <= set(
        folds
    )
    assert "0.500, 0.000 at 384 dimensions" in page.text("span")
    assert len(page.all("table")) == 5 and max(map(len, page.lines)) == 5
    assert ["Vector", "Dimensions", "On disk", "Encode"] in page.lines and ["Vector", "Texts"] in page.lines


def test_a_row_without_a_stage_has_its_value_where_others_have_what_came_out():
    rows = [*ROWS[:1], {"name": "bm25", "ndcg@10": 0.5}, {"name": "before@384", "ndcg@10": 0.25}]
    page = Page(report.page(title="A run", rows=rows))
    assert [line[0] for line in page.lines[1:4]] == ["384 dimensions", "bm25", "384 dimensions"]
    assert page.lines[2] == ["bm25", "–", "0.500", "–", "–"]


def test_without_stages_a_measure_is_one_column():
    page = Page(report.page(title="An evaluation", rows=[{"name": "384", "spearman": 0.875, "texts": 1000}]))
    assert page.lines[:2] == [["Vector", "Spearman"], ["384 dimensions", "0.875"]]
    assert page.lines[2:] == [["Vector", "Texts"], ["384 dimensions", "1,000"]]


def test_the_quality_comes_first_and_other_columns_are_no_quality():
    rows = [{"name": "after@8", "bytes_per_vector": 8, "encode_s": 1.5, "recall@10": 0.5, "ndcg@10": 0.25, "texts": 9}]
    page = Page(report.page(title="A run", rows=[*rows, {**rows[0], "name": "after@int8"}]))
    assert page.lines[1] == ["8 dimensions", "8 B", "0.250", "–", "–"]
    assert page.lines[4] == ["8 dimensions", "0.500", "–", "–"]
    first, second = page.text("caption")
    assert first == ": how near the top the right answers stand. More is better."
    assert second == ": share of the right answers among the first ones. More is better."
    assert "nDCG@10 by bytes a vector" in page.text("b")


INTERVALS = [
    {"name": "before@8", "bytes_per_vector": 8, "ap": 0.5, "ap_low": 0.25, "ap_high": 0.625, "f1_threshold": 0.75},
    {"name": "after@8", "bytes_per_vector": 8, "ap": 0.75, "ap_low": 0.5, "ap_high": 0.875, "f1": 0.5}
    | {"ap_difference": 0.25, "ap_difference_low": -0.125, "ap_difference_high": 0.375, "ap_p": 0.25},
    {"name": "before@4", "bytes_per_vector": 4, "ap": 0.25, "ap_low": 0.125, "ap_high": 0.375},
    {"name": "after@4", "bytes_per_vector": 4, "ap": 0.5, "ap_low": 0.375, "ap_high": 0.625}
    | {"ap_difference": 0.25, "ap_difference_low": 0.125, "ap_difference_high": 0.375, "ap_p": 0.01},
]


def test_intervals_stand_beside_their_figures_and_are_none_of_their_own():
    content = report.page(title="A run", rows=INTERVALS)
    page = Page(content)
    # A table of each figure, and one of the threshold, which belongs to a figure but has no better.
    assert [data for tag, data in page.texts if tag == "b"][:2] == ["AP", "F1"]
    assert len(page.all("table")) == 3 and ["Vector", "F1 threshold"] in page.lines
    assert page.lines[1:3] == [
        ["8 dimensions", "8 B", "0.750", "+0.250", "0.500"],
        ["4 dimensions", "4 B", "0.500", "+0.250", "0.250"],
    ]
    ranges = [data for data in page.text("span") if " to " in data]
    assert ranges[1:4] == ["0.500 to 0.875", "−0.125 to +0.375", "0.250 to 0.625"]
    # A change whose interval has 0 is none.
    signs = [cell["class"] for cell in page.all("td") if cell.get("class") in ("good", "bad", "none")]
    assert signs[:2] == ["none", "good"]
    assert page.text("dd")[:2] == ["0.750", " by training, from 0.500"]
    assert "+0.250 [−0.125 to +0.375]" in page.text("span")
    # Four whiskers in each of both sizes of the plot.
    assert len(re.findall('class="(?:before|after) whisker"', content)) == 8
    assert "8 B a vector" in content and "AP 0.750 (0.500 to 0.875)" in content and "95 % interval" in content


def test_answers_stand_before_beside_after_by_their_texts():
    page = Page(report.page(title="A run", answers=BESIDE))
    assert page.text("h3") == ["Before training", "After training"]
    assert page.text("code") == ["def copy(a): ...", "def copytree(a, b): ..."]
    assert page.text("em") == ["right answer"] and "22nd → 1st" in page.text("span")
    # The number of a row says nothing.
    assert not {"17", "3"} & set(page.text("b"))


def test_each_set_of_data_has_its_own_results():
    found = [{"data": name, "note": "3 queries", "rows": ROWS, "answers": BESIDE} for name in ("one.jsonl", "two.csv")]
    content = report.page(title="A run", evaluations=found, hint="metaembed report")
    page = Page(content)
    headings = ["Results on one.jsonl", "Answers from one.jsonl", "Results on two.csv", "Answers from two.csv"]
    assert page.text("h2") == headings and "metaembed report" not in content
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities)) == 8
    unmeasured = Page(report.page(title="A run", hint="metaembed report RUN --eval <held-out>"))
    assert unmeasured.text("code") == ["metaembed report RUN --eval <held-out>"]


def test_tiles_say_what_came_out():
    page = Page(report.page(title="A run", rows=ROWS, metrics=metrics(30)))
    assert page.text("dd")[:5] == [
        "0.741",
        " by training, from 0.643",
        "192 B",
        "48 dimensions, 0.689: 8× shorter",
        "1 min",
    ]
    assert "peak memory 1.5 GB" in page.text("dd")


def test_no_vector_is_called_as_good_when_none_is():
    rows = [row for row in ROWS if not row["name"].endswith("@48")]
    assert "Shortest" not in report.page(title="A run", rows=rows)


def test_texts_are_escaped_wherever_they_come_from():
    rows = [
        {"name": f"{stage}@{NASTY}", "bytes_per_vector": 4, NASTY: 0.5, "kind": NASTY} for stage in ("before", "after")
    ]
    answers = [{"query": NASTY, "hits": [{"score": NASTY, "id": NASTY, "text": NASTY}]}]
    content = report.page(title=NASTY, rows=rows, facts={NASTY: NASTY, "model": NASTY}, answers=answers)
    page = Page(content)
    assert not page.all("script")
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not re.search("[\x00-\x08\x0e-\x1f\ud800-\udfff]", content)
    shown = NASTY.replace("\x00", "�").replace("\x1b", "�").replace("\ud800", "�")
    assert page.text("title")[0] == page.text("h1")[0] == shown
    assert shown in page.text("code") and shown in page.text("dt")


def test_of_an_answer_the_first_lines_are_shown():
    code = "\n".join(f"line {number}" for number in range(1, 41)) + "\n"
    hits = [{"score": 0.5, "id": "long", "text": code}, {"score": None, "id": "wide", "text": "x" * 100_000}]
    page = Page(
        report.page(title="A run", answers=[{"query": "q", "hits": hits}, {"query": "nothing found", "hits": []}])
    )
    shown = page.text("code")
    assert shown[0].splitlines() == [f"line {number}" for number in range(1, 10)]
    assert page.text("i") == ["\n… 31 more lines"]
    assert shown[1] == "x" * 139 + "…"
    assert page.text("b") == ["q", "long", "wide", "nothing found"]
    assert "no hits" in page.text("span")


def test_facts_have_units():
    facts = {"batch_size": 256, "learning_rate": 2e-5, "peak_memory_bytes": 1_503_000_000, "wall_time_s": 383.4}
    page = Page(report.page(title="A run", facts={**facts, "padding": 0.043, "compiled": True, "seed": None}))
    assert page.text("dt") == ["Batch size", "Learning rate", "Peak memory", "Wall time", "Padding", "Compiled", "Seed"]
    assert page.text("dd") == ["256", "2e-5", "1.5 GB", "6 min 23 s", "4.3 %", "True", "–"]


def test_nothing_to_show_is_a_page_without_plots():
    page = Page(report.page(title="An empty run"))
    assert not page.all("svg") and not page.all("table") and not page.all("h2")
    assert page.text("h1") == ["An empty run"]


@pytest.mark.parametrize("hostile", [math.nan, math.inf, -math.inf, 1e308, 10**400, None, "text", True, [1]])
def test_hostile_numbers_break_nothing(hostile: object):
    keys = (
        "step",
        "epoch",
        "loss",
        "learning_rate",
        "grad_norm",
        "tokens_per_second",
        "peak_memory_bytes",
        "elapsed_s",
    )
    whole = metrics(20)
    for key in keys:
        rows = [*whole[:7], {**whole[7], key: hostile}, *whole[8:]]
        content = report.page(title="A run", metrics=rows, facts={"memory_budget_bytes": hostile})
        Page(content)
        assert not re.search(r"""\b(d|cx|cy|x|y)="[^"]*(nan|inf)""", content)
    for key in ("name", "dimensions", "bytes_per_vector", "ndcg@10", "bytes_on_disk"):
        Page(report.page(title="A run", rows=[{**ROWS[0], key: hostile}, *ROWS[1:]]))
    Page(report.page(title="A run", metrics=[dict.fromkeys(keys, hostile)] * 3))


def test_numpy_numbers_are_numbers():
    rows = [{"name": "after@8", "bytes_per_vector": np.int64(32), "ndcg@10": np.float32(0.625)}]
    page = Page(report.page(title="A run", rows=rows, metrics=[{"step": np.int64(1), "loss": np.float32(2.5)}]))
    assert page.lines[1] == ["8 dimensions", "32 B", "0.625", "–", "–"]
    assert "2.5" in page.text("span")


def test_write_replaces_in_one_step_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "runs" / "demo" / "report.html"
    assert report.write(path, title="one") == path
    report.write(path, title="two \ud800")
    assert "<h1>two �</h1>" in path.read_text(encoding="utf-8")
    assert list(path.parent.iterdir()) == [path]


def test_a_page_that_cannot_be_written_is_a_failed_job(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(CallError, match="file is, or lies in, a file; expected the name of a folder"):
        report.write(tmp_path / "file" / "report.html", title="x")
    (tmp_path / "taken").mkdir()
    with pytest.raises(JobError, match="What was there before is untouched"):
        report.write(tmp_path / "taken", title="x")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "taken"]
    assert (tmp_path / "file").read_text() == "kept"


def test_the_page_is_readable_by_others(tmp_path):
    mode = report.write(tmp_path / "report.html", title="x").stat().st_mode
    (tmp_path / "plain").write_text("")
    assert stat.S_IMODE(mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
