"""Programs in pieces: cut at definitions, within the budget, and whole together."""

import sysconfig
from pathlib import Path

import pytest

from mlx_metaembed.data.code import chunks, languages, program

PYTHON = '''import os
import sys

# Belongs to first.
@decorated
def first(a):
    return a + 1


class Shop:
    """Prices."""

    def total(self):
        return sum(self.prices)

    def name(self):
        return self.own_name
'''


def cut(name, text, most):
    language = next(each for each in languages.LANGUAGES if each.name == name)
    return list(chunks.chunks(program.parsed(language, text), most))


def lines(found):
    return [(each.first_line, each.last_line) for each in found]


def test_a_small_program_is_one_piece():
    (only,) = cut("python", PYTHON, 1_000)
    assert (only.text, only.first_line, only.last_line) == (PYTHON.rstrip("\n"), 1, 17)


def test_pieces_begin_at_definitions_and_small_neighbours_are_one():
    # import os, import sys: 4; first: 16; Shop with its docstring and total: 26; name: 13.
    assert lines(cut("python", PYTHON, 30)) == [(1, 7), (10, 14), (16, 17)]
    assert lines(cut("python", PYTHON, 50)) == [(1, 7), (10, 17)]


def test_a_function_that_is_too_large_is_cut_between_its_statements():
    body = "".join(f"    value_{at} = compute({at})\n" for at in range(8))
    found = cut("python", f"def many():\n{body}", 30)
    assert lines(found) == [(1, 3), (4, 6), (7, 9)]


def test_javascript_is_cut_at_its_methods():
    text = "class A {\n  // One.\n  one() { return 1; }\n\n  /** Two. */\n  two() { return 2; }\n}\n"
    # Each method with its comment has 13 or 16, the class's head 3, its brace 1.
    assert lines(cut("javascript", text, 17)) == [(1, 3), (5, 7)]
    assert lines(cut("javascript", text, 16)) == [(1, 3), (5, 6), (7, 7)]


def test_a_long_line_is_cut_between_words():
    found = cut("python", "x = '" + "word " * 40 + "'\n", 16)
    assert len(found) > 2 and {each.first_line for each in found} == {1}
    assert all(chunks.estimated([each.text])[0] <= 16 for each in found)
    assert "".join("".join(each.text.split()) for each in found) == "x='" + "word" * 40 + "'"
    (whole,) = cut("python", "x = '" + "word " * 40 + "'\n", 100)
    assert whole.first_line == whole.last_line == 1


@pytest.mark.parametrize("most", [16, 64, 256])
def test_pieces_have_every_line_once_and_keep_the_budget(most):
    path = Path(sysconfig.get_path("stdlib"), "json", "decoder.py")
    text = path.read_text()
    found = cut("python", text, most)
    assert all(sum(chunks.estimated(each.text.split("\n"))) <= most for each in found)
    text_of = "".join("".join(each.text.split()) for each in found)
    assert text_of == "".join(text.split())
    for each in found:
        if each.first_line < each.last_line:
            assert each.text == "\n".join(text.split("\n")[each.first_line - 1 : each.last_line])


def test_a_program_that_does_not_parse_is_cut_between_lines():
    found = cut("python", "def broken(:\n" + "".join(f"    value_{at} = {at}\n" for at in range(20)), 20)
    assert lines(found)[0][0] == 1 and lines(found)[-1][1] == 21
    assert cut("python", "", 20) == []
