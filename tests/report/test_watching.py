"""What the page shows of held-out data beside its tables: scores in bins, mistakes, neighbours that changed."""

import re

import pytest
from pages import Page

from mlx_metaembed import report
from mlx_metaembed.report.histograms import histograms
from mlx_metaembed.report.mistakes import mistakes, neighbours
from mlx_metaembed.report.plots import PANEL

SCORES = [
    {
        "stage": "before",
        "groups": [
            {"name": "right answers", "low": 0.5, "width": 0.25, "counts": [3, 1]},
            {"name": "all wrong answers", "low": 0.0, "width": 0.25, "counts": [50, 0, 50]},
        ],
    },
    {
        "stage": "after",
        "groups": [
            {"name": "right answers", "low": 0.75, "width": 0.25, "counts": [4]},
            {"name": "all wrong answers", "low": 0.0, "width": 0.25, "counts": [100]},
        ],
    },
]
MISTAKES = [
    {
        "query": "copy a tree",
        "rank_before": 3,
        "rank_after": 22,
        "right": {"text": "def copytree(a, b): ...", "score": 0.125},
        "first": {"text": "def copy(a): ...", "score": 0.75},
    },
    {
        "sentence1": "A dog jogs.",
        "sentence2": "A dog trots.",
        "score": 5.0,
        "cosine_before": 0.75,
        "cosine_after": 0.5,
        "score_place": 0.97,
        "cosine_place": 0.55,
    },
    {
        "text": "Where is my card?",
        "label": "arrival",
        "guess_before": "lost",
        "guess_after": "lost",
        "nearest": {"text": "My card is gone", "score": 0.875, "label": "lost"},
    },
]
CHANGED = {
    "nearest": 10,
    "kept": 0.25,
    "first_changed": 150,
    "queries": 200,
    "answers": [{"query": "q", "before": [{"score": 0.5, "text": "a"}], "after": [{"score": 0.5, "text": "b"}]}],
}


def test_both_stages_have_one_axis_and_their_groups_as_shares():
    shown = histograms(SCORES, "r0")
    assert re.findall("<b>(.*?)</b>", shown) == ["Scores", "Before training", "After training"]
    assert re.findall("</svg>([a-z ]+)</li>", shown) == ["right answers", "all wrong answers"]
    # Before, of the wrong half lie below all the right, and half in the first of the right ones' two bins, which has
    # three of the four: 0.5 + 0.5 * (0.25 + 0.75 / 2).
    assert "81.2 % in the right order" in shown and "100 % in the right order" in shown
    across, up = PANEL.across(0.0, 1.0), PANEL.up(0.0, 1.0)
    right = f"M{across(0.0):.1f},{up(0.0):.1f}"
    for at, share in enumerate((0.0, 0.0, 0.75, 0.25)):
        right += f"V{up(share):.1f}H{across((at + 1) / 4):.1f}"
    assert f'd="{right}V{up(0.0):.1f}" class="curve s1"' in shown


def test_bins_are_joined_until_they_are_few_and_tails_are_outside():
    counts = [1] + [0] * 99 + [1000] * 64 + [0] * 99 + [1]
    groups = [{"name": "right answers", "low": 0.0, "width": 1 / 64, "counts": counts}]
    shown = histograms([{"stage": "after", "groups": groups}], "r0")
    # 64 bins of the 264 hold all but two; joined two by two they are 33, as the first is odd in no way: 100 / 2 = 50.
    (path,) = re.findall('d="([^"]*)" class="curve s1"><', shown)[-1:]
    assert path.count("H") == 32


@pytest.mark.parametrize(
    "hostile",
    [
        None,
        "x",
        {},
        [1],
        [{"stage": "before"}],
        [{"stage": "before", "groups": [{}]}],
        [{"stage": "before", "groups": [{"low": 0, "width": 0, "counts": [1]}]}],
        [{"stage": "before", "groups": [{"low": 0, "width": 1, "counts": [0]}]}],
        [{"stage": "before", "groups": [{"low": 1e99, "width": 1e-9, "counts": [1]}]}],
        [{"stage": "before", "groups": [{"low": 0, "width": 1, "counts": [float("nan"), -1]}]}],
        [{"stage": ["before"], "groups": [{"low": 0, "width": 1, "counts": [1]}]}],
    ],
)
def test_what_is_no_histogram_is_left_out(hostile: object):
    assert histograms(hostile, "r0") == "" == mistakes(hostile) == neighbours(hostile)


def test_mistakes_have_their_texts_and_what_went_wrong():
    page = Page(mistakes(MISTAKES))
    assert page.text("b") == ["copy a tree", "A dog jogs.", "Where is my card?"]
    assert page.text("span") == [
        "right answer 22nd, 3rd before training",
        "people 5, above 97 % of the pairs · cosine 0.5, above 55 % of the pairs · 0.75 before training",
        "arrival, taken for lost, as before training",
    ]
    assert page.text("h3") == [
        *("The right answer, 22nd, score 0.125", "Ranked first, score 0.750", "One sentence", "The other"),
        "The nearest text of lost, score 0.875",
    ]
    assert page.text("code")[:2] == ["def copytree(a, b): ...", "def copy(a): ..."]
    # The first is open.
    assert [("open" in attributes) for attributes in page.all("details")] == [True, False, False]
    judged = {"sentence1": "A dog jogs.", "sentence2": "A dog trots.", "together": True, "cosine_place": 0.25}
    (said,) = Page(mistakes([judged | {"cosine_after": 0.5, "cosine_before": 0.75}])).text("span")
    assert said == "they belong together · cosine 0.5, above 25 % of the pairs · 0.75 before training"
    bare = Page(mistakes([{"query": "q"}, {"sentence1": "s"}, {"text": "t", "label": "x"}, 1, {}]))
    assert bare.text("b") == ["q", "s", "t"]


def test_changed_neighbours_are_said_and_shown():
    page = Page(neighbours(CHANGED))
    assert page.text("p") == [
        "Of the 10 nearest texts 25 % are the same after training; 150 of 200 queries have another first one. "
        "These changed most:"
    ]
    assert page.text("code") == ["a", "b"]
    assert neighbours(CHANGED | {"kept": None}) == ""
    broken = [1, {"query": "q", "before": "x"}, {"query": "q", "after": [1]}]
    assert Page(neighbours(CHANGED | {"answers": broken})).text("b") == []


def test_each_set_of_data_has_its_sections_and_nothing_runs():
    nasty = "<script>1</script>"
    found = {"data": nasty, "rows": [], "answers": [], "scores": SCORES, "neighbours": CHANGED}
    found["mistakes"] = [dict.fromkeys(each, nasty) for each in MISTAKES]
    content = report.page(title="A run", evaluations=[found, found | {"data": "two.csv"}])
    page = Page(content)
    assert page.text("h2") == [
        f"{heading} {name}"
        for name in (nasty, "two.csv")
        for heading in ("Results on", "Neighbours that changed in", "The hardest mistakes on")
    ]
    identities = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(identities) == len(set(identities)) == 8 and not page.all("script")
