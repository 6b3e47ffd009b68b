"""Schemes of IDs: encode and decode by hand, axes, code digits, and what can't be."""

import numpy as np
import pytest
from semantic_ids.vectors import made

from mlx_metaembed.errors import CallError
from mlx_metaembed.semantic_ids import Digit, Scheme, axis_measures, code_digits, measures
from mlx_metaembed.semantic_ids.choices import AxisChoice, Choices, parse_axis, parse_levels
from mlx_metaembed.semantic_ids.corpus import Corpus, split
from mlx_metaembed.semantic_ids.digit import CODE, nearest_to
from mlx_metaembed.semantic_ids.fit import fit
from mlx_metaembed.semantic_ids.stability import stability


def by_hand() -> Scheme:
    """Two digits: which side of 0 the first feature is on, then whether the second has 1 more or less."""
    tens = nearest_to("side", CODE, np.array([[-10, 0], [10, 0]], np.float32))
    ones = nearest_to("", CODE, np.array([[0, -1], [0, 0], [0, 1]], np.float32))
    return Scheme(np.zeros(2, np.float32), (tens, ones))


def test_an_id_by_hand():
    scheme = by_hand()
    ids = scheme.encode(np.array([[9, 1.2], [-11, 0.1], [10, -3]]))
    assert ids.tolist() == [[1, 2], [0, 1], [1, 0]] and ids.dtype == np.uint16
    assert scheme.decode(ids).tolist() == [[10, 1], [-10, 0], [10, -1]]
    assert scheme.decode(ids[:, :1]).tolist() == [[10, 0], [-10, 0], [10, 0]]


def test_ids_are_read_as_they_are_written():
    scheme = by_hand()
    assert scheme.parse("1.2") == (1, 2) and scheme.parse("0", prefix=True) == (0,)
    for text, message in [
        ("1", "is no ID of this scheme; expected 2 digits like 0.0"),
        ("1.2.0", "is no ID of this scheme"),
        ("1.x", "is no ID of this scheme"),
        ("2.3", "out of range: side is 2, and has 0 to 1; digit 2 is 3, and has 0 to 2"),
    ]:
        with pytest.raises(CallError, match=message):
            scheme.parse(text)


def test_vectors_that_are_not_finite_are_named_by_row():
    with pytest.raises(CallError, match=r"1 of 2 vectors hold NaN or infinity: row 1 \(from 0\)"):
        by_hand().encode(np.array([[1, 1], [np.nan, 1]]))
    with pytest.raises(CallError, match=r"Expected vectors \[n, 2\] of floats; found float32 \[3, 5\]"):
        by_hand().encode(np.zeros((3, 5)))


@pytest.fixture(scope="module")
def fitted() -> tuple[Scheme, Choices, tuple, tuple]:
    """A scheme of two columns and a free axis, and the parts that it was and was not fitted on."""
    x, columns = made()
    axes = (parse_axis("era=year:4"), parse_axis("style=author:12"), parse_axis("variation:5", is_free=True))
    choices = Choices(axes, (16, 16))
    own, held = (
        (x[part], {name: values[part] for name, values in columns.items()}) for part in (slice(900), slice(900, None))
    )
    return fit(*own, choices), choices, own, held


def test_axes_tell_what_a_linear_probe_tells(fitted):
    scheme, choices, own, held = fitted
    era, style = axis_measures.axes(scheme, choices, own, held)
    assert (era["axis"], era["texts"], style["axis"]) == ("era", 300, "style")
    for row in (era, style):
        assert row["accuracy"] >= 0.95 * row["probe"] and row["accuracy"] > 2 * row["commonest"]
    assert era["within_one"] > 0.97 and style["accuracy"] > 0.95


def test_a_free_axis_tells_nothing_of_the_others(fitted):
    scheme, _, _, held = fitted
    ids = scheme.encode(held[0])
    found = axis_measures.free(scheme, ids)
    assert [row["tells"] for row in found] == ["era", "style"]
    assert all(row["accuracy"] - row["commonest"] < 0.05 + 5 / 300 for row in found)
    assert measures.usage(ids, scheme)[2]["perplexity"] > 3


def test_every_digit_keeps_more_neighbours(fitted):
    scheme, _, own, _ = fitted
    ids = scheme.encode(own[0])
    kept = [measures.kept(Scheme(scheme.mean, scheme.digits[:count]), own[0], ids[:, :count]) for count in (1, 3, 5)]
    assert kept[0] < kept[1] < kept[2]


def test_more_classes_than_levels_are_put_together():
    x, columns = made()
    scheme = fit(x, columns, Choices((parse_axis("style=author:4"),), ()))
    (digit,) = scheme.digits
    assert digit.levels == 4 and all(len(label.split(", ")) == 3 for label in digit.labels)
    known = axis_measures.levels_of(digit, ["author 3", None, "somebody"])
    assert "author 3" in digit.labels[known[0]].split(", ") and known[1:].tolist() == [-1, -1]


def test_numbers_are_levels_or_ranges():
    x, columns = made()
    few = [value % 3 for value in columns["year"]]
    (digit,) = fit(x, {"n": few}, Choices((AxisChoice("n", 8, "n"),), ())).digits
    assert digit.labels == ("0", "1", "2")
    (digit,) = fit(x, columns, Choices((parse_axis("era=year:4"),), ())).digits
    first, last = digit.labels[0], digit.labels[-1]
    assert first.startswith("1840 to") and last.endswith("to 1919") and len(digit.labels) == 4
    assert axis_measures.levels_of(digit, [1840, 1919, None, "x"]).tolist() == [0, 3, -1, -1]


def test_prompts_need_no_label():
    """By hand: along the line of the years, from the first prompt to the second."""
    x, columns = made()
    line = np.random.default_rng(99)
    line.standard_normal((12, 48)), line.standard_normal((20, 48))
    way = line.standard_normal(48)
    vectors = {"an old book": -way, "a new book": way}
    choices = Choices((parse_axis("an old book|a new book:2"),), ())
    (digit,) = fit(x, {}, choices, lambda texts: np.array([vectors[text] for text in texts])).digits
    assert (digit.name, digit.labels) == ("an_old_book", ("an old book", "a new book"))
    years = np.array(columns["year"])
    assert years[digit.of(x) == 1].mean() - years[digit.of(x) == 0].mean() > 20
    shares = np.bincount(digit.of(x)) / len(x)
    assert abs(shares - 0.5).max() < 0.01


def test_few_examples_a_class_teach_an_axis():
    x, columns = made()
    labels, seen = [], {}
    for author in columns["author"]:
        seen[author] = seen.get(author, 0) + 1
        labels.append(author if author in ("author 0", "author 1", "author 2") and seen[author] <= 8 else None)
    (digit,) = fit(x, {"author": labels}, Choices((AxisChoice("style", 3, "author"),), ())).digits
    rows = [at for at, author in enumerate(columns["author"]) if author in digit.labels]
    right = [digit.labels[level] == columns["author"][at] for at, level in zip(rows, digit.of(x[rows]), strict=True)]
    assert np.mean(right) > 0.8


def test_balanced_levels_have_about_as_many_texts_each():
    x, _ = made()
    counts = {}
    for method in code_digits.METHODS:
        ids = fit(x, {}, Choices((), (16,), method)).encode(x)
        counts[method] = np.bincount(ids[:, 0], minlength=16)
    assert counts["balanced"].max() <= 1.15 * 1200 / 16 < counts["rq-kmeans"].max()


def test_a_digit_more_changes_none_before_it():
    x, _ = made()
    short, long = (fit(x, {}, Choices((), levels)).encode(x) for levels in ((16,), (16, 16)))
    np.testing.assert_array_equal(short[:, 0], long[:, 0])


def test_levels_by_the_number_of_texts():
    assert code_digits.levels_for(200) == (4,) * 6
    assert code_digits.levels_for(5_000) == (64, 64, 64)
    assert code_digits.levels_for(100_000) == (256, 256, 256)


def test_a_second_fit_of_the_same_groups_is_stable():
    centres = np.eye(8, dtype=np.float32) * 10
    x = np.repeat(centres, 50, axis=0) + np.random.default_rng(0).standard_normal((400, 8)).astype(np.float32) * 0.1
    scheme = fit(x, {}, Choices((), (8,)))
    found = stability(scheme, x, {}, Choices((), (8,)))
    assert found == {"digits": [1.0], "ids": 1.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("era=year:8", AxisChoice("era", 8, "year")),
        ("era=year", AxisChoice("era", 8, "year")),
        ("tone=formal|casual:4", AxisChoice("tone", 4, prompts=("formal", "casual"))),
        ("formal|casual", AxisChoice("formal", 8, prompts=("formal", "casual"))),
        ("a|b|c", AxisChoice("a", 3, prompts=("a", "b", "c"))),
    ],
)
def test_axes_as_they_are_written(text: str, found: AxisChoice):
    assert parse_axis(text) == found


@pytest.mark.parametrize("text", ["era", "=year", "era=", "a|b|c:5", "tone=a|", "1x=year"])
def test_what_is_no_axis(text: str):
    with pytest.raises(CallError, match="--axis"):
        parse_axis(text)
    assert parse_axis("variation:5", is_free=True) == AxisChoice("variation", 5)


def test_what_no_scheme_can_have():
    wrong = Choices((AxisChoice("a", 1, "x"), AxisChoice("a", 4, "y")), (1,), "kmeans")
    with pytest.raises(CallError) as caught:
        wrong.require()
    for part in ("axis a has 1 levels", "a digit has 1 levels", "the axis a is given twice", "'kmeans' is not known"):
        assert part in str(caught.value)
    with pytest.raises(CallError, match="there is no digit"):
        Choices((), ()).require()
    with pytest.raises(CallError, match="expected whole numbers"):
        parse_levels("64,x")


def test_what_axes_can_not_learn():
    x, _ = made(40)
    for values, message in [
        (["a"] * 40, "all texts have the class 'a'"),
        (["a"] * 39 + ["b"], "of the class 'b' there is one text"),
        ([3] * 40, "all texts have 3"),
        ([None] * 40, "no row has a value in the column 'c'"),
    ]:
        with pytest.raises(CallError, match=message):
            fit(x, {"c": values}, Choices((AxisChoice("c", 4, "c"),), ()))
    with pytest.raises(CallError, match="A digit has 64 centroids, which need at least as many vectors"):
        fit(x, {}, Choices((), (64,)))


def test_a_level_beyond_the_labels_has_no_name():
    digit = Digit("d", CODE, np.eye(2), np.zeros(2), np.zeros((2, 2)), ("first",))
    assert (digit.label(0), digit.label(1)) == ("first", "")


def test_every_value_keeps_two_texts_to_be_fitted_on():
    labels = ["a"] * 30 + ["b"] * 2 + [None] * 8
    own, held = split(Corpus([str(at) for at in range(40)], {"c": labels}), 0.5, 0)
    assert sorted([*own, *held]) == list(range(40)) and 10 < len(held) <= 20
    assert {30, 31} <= set(own.tolist())
