"""The page of a run of several data sets: their shares in a table, and a curve for each, since no curve is of two."""

import re

from pages import Page

from mlx_metaembed import report
from mlx_metaembed.report import data_sets, plots

OBJECTIVES = {"vectors": "pairs", "similarity": "rated", "order": "rated"}


def rows(steps: int = 8) -> list[dict]:
    """Pairs at odd steps, with a loss of 8 and then less, rated texts at even steps, with 0.25 and then more."""
    found = []
    for step in range(1, steps + 1):
        pairs, rated = (step + 1) // 2, step // 2
        counts = {"pairs": (100, pairs, 960 * pairs, 1000 * pairs), "rated": (1234, rated, 400 * rated, 0)}
        row = {"step": step, "steps": steps, "elapsed_s": float(step)}
        row |= {
            f"set/{name}/{what}": count
            for name, each in counts.items()
            for what, count in zip(("rows", "batches", "tokens", "padded_tokens"), each, strict=True)
        }
        if step % 2:
            row |= {"loss": 8.0 / pairs, "set/pairs/loss": 8.0 / pairs, "loss/vectors": 8.0 / pairs}
        else:
            row |= {"loss": rated / 4, "set/rated/loss": rated / 4, "loss/similarity": 0.125, "loss/order": 0.5}
        found.append(row)
    return found


def test_the_table_has_each_sets_share_tokens_padding_and_loss():
    page = Page(data_sets.table(rows()))
    assert page.lines == [
        ["Data set", "Rows", "Share of the steps", "Tokens", "Padding", "Loss, first tenth", "Loss, last tenth"],
        ["pairs", "100", "50 %", "3,840", "4 %", "8", "2"],
        ["rated", "1,234", "50 %", "1,600", "–", "0.25", "1"],
    ]
    # On a phone a cell says itself what it is.
    assert [cell["data-name"] for cell in page.all("td")][:2] == ["Rows", "Share of the steps"]
    assert data_sets.table([{"step": 1, "loss": 1.0}]) == ""


def test_each_set_has_its_own_curve_and_each_objective_that_is_not_alone():
    shown = data_sets.losses(rows(), OBJECTIVES)
    assert re.findall("<b>(.*?)</b>", shown) == [
        *("Loss on pairs", "Loss on rated", "Loss of similarity on rated", "Loss of order on rated")
    ]
    assert re.findall("<span>(.*?)</span>", shown) == ["8 → 2", "0.25 → 1", "0.125 → 0.125", "0.5 → 0.5"]
    # One axis for all: from the first step of any set to the last, 0 to 8, though pairs end at step 7.
    across = plots.PANEL.across(1, 8)
    first, second = re.findall('d="M([0-9.]+),[^"]*" class="curve"', shown)[:2]
    assert (first, second) == (f"{across(1):.1f}", f"{across(2):.1f}")
    # In a run of one set the objectives are shown, and the loss as a whole stays.
    alone = [{"step": step, "loss": 3.0, "loss/a": 1.0, "loss/b": 2.0, "loss@b": 2.0} for step in (1, 2)]
    assert re.findall("<b>(.*?)</b>", data_sets.losses(alone, {"a": "d", "b": "d"})) == ["Loss of a", "Loss of b"]
    assert data_sets.losses(alone) == data_sets.losses(alone, {"a": "d"}) == "" == plots.by_width(alone, ["a", "b"])


def test_learned_weights_have_a_line_each_and_fixed_ones_none():
    learned = [row | {"weight/similarity": 1 - row["step"] / 10, "weight/order": 0.5} for row in rows()]
    shown = data_sets.weights(learned)
    assert re.findall("<b>(.*?)</b>", shown) == ["Learned weights"]
    assert "similarity" in shown and "order" in shown and data_sets.weights(rows()) == ""
    assert "Learned weights" in Page(report.page(title="A run", metrics=learned)).text("b")


def test_the_page_compares_no_set_with_another():
    page = Page(report.page(title="A run", metrics=rows(), objectives=OBJECTIVES))
    assert "Loss" not in page.text("b") and "Loss, last tenth of the steps" not in page.text("dt")
    at = page.text("dt").index("Data sets whose loss fell")
    assert page.text("dd")[2 * at : 2 * at + 2] == ["1 of 2", "pairs 8 → 2, rated 0.25 → 1"]
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities))


def test_lines_without_a_colour_left_stand_in_another_figure():
    named = {f"loss@{width}": float(width) for width in range(8)}
    shown = plots.by_width([{"step": step} | named for step in (1, 2)])
    assert re.findall("<b>(.*?)</b>", shown) == ["Loss by width", "Loss by width, further lines"]
    assert re.findall("</svg>([0-9])</li>", shown) == list("01234567")
    # Both have the range of all.
    assert shown.count(">8</text>") == 4


def test_names_of_sets_are_escaped():
    nasty = [{name.replace("rated", "<b>/x"): value for name, value in row.items()} for row in rows()]
    page = Page(report.page(title="A run", metrics=nasty))
    assert page.lines[2][0] == "<b>/x" and "Loss on <b>/x" in page.text("b")
