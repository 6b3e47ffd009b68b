"""The plots of what was mined while a run went."""

from mlx_metaembed.report.html import page
from mlx_metaembed.report.mined import mined


def rows(times: int) -> list[dict]:
    """Mined every ten steps: negatives come nearer, fewer are new."""
    found = []
    for at in range(times):
        row = {"mined/rows": 1.0, "mined/positive_score": 0.75, "mined/negative_score": 0.25 + at / 8}
        row |= {"mined/changed": 0.5 / at} if at else {}
        found.append({"step": 1 + 10 * at, "steps": 40, "loss": 1.0} | row)
    return found


def test_scores_and_what_is_new_have_a_plot_each():
    shown = mined(rows(4))
    assert shown.count("Scores of mined negatives") >= 1 and shown.count("New among the mined negatives") >= 1
    assert "a row&#x27;s own positive" in shown or "a row's own positive" in shown
    assert mined(rows(4)) in page(title="run", metrics=rows(4))


def test_what_was_mined_once_has_none():
    assert mined(rows(1)) == "" and mined([{"step": 1, "loss": 2.0}]) == ""
    assert "New among" not in mined(rows(2)) and "Scores of" in mined(rows(2))
