"""What documentation says at first, and names as words."""

import pytest

from mlx_metaembed.data.code import comments, names


@pytest.mark.parametrize(
    ("said", "summary"),
    [
        ("Sums all prices, see :class:`~shop.Shop` and ``rate``.", "Sums all prices, see shop.Shop and rate."),
        ("Sum of **all** [prices](http://x).\n\nMore.", "Sum of all prices."),
        ("Sums all prices.\n@param x a rate", "Sums all prices."),
        ("Sums all prices.\nArgs:\n  x: a rate", "Sums all prices."),
        ("@return the sum of all", "the sum of all"),
        ("@param x a rate of all", ""),
        ("Two words", ""),
        ("TODO: sum all the prices", ""),
        ("Copyright 2020 of somebody", ""),
        ("x = total(prices);\nreturn x;", ""),
        ("{@inheritDoc}", ""),
        ("a &lt; b for all c", "a < b for all c"),
    ],
)
def test_what_documentation_says_at_first(said, summary):
    assert comments.summary(said) == summary


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("parseHTTPResponse", "parse http response"),
        ("read_json_lines", "read json lines"),
        ("toUTF8", "to utf 8"),
        ("get", ""),
        ("__init__", ""),
        ("testSomethingHere", ""),
        ("vec2_length", "vec 2 length"),
        ("größe_messen", "größe messen"),
    ],
)
def test_names_as_words(name, words):
    assert names.spoken(name) == words
