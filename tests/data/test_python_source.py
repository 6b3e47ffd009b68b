"""Pairs out of Python source: what is taken, what is left out, and a split in which nothing is shared."""

import ast
import json
import os
import sysconfig
from textwrap import dedent

import pytest

from mlx_metaembed import data
from mlx_metaembed.data import Pairs
from mlx_metaembed.data.readers import python_source
from mlx_metaembed.data.readers.python_source import Record
from mlx_metaembed.errors import CallError


@pytest.fixture
def write(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else dedent(text).encode())
        return tmp_path

    return write


GOOD = 'def {0}(x):\n    """Say something about {0}."""\n    y = x + 1\n    return y\n'


def test_anchor_is_the_first_paragraph_and_positive_the_source_without_docstring(write):
    root = write(
        shop='''
        class Shop:
            @property
            async def total(
                self, rate: float
            ) -> float:
                """Sum of all prices,
                with   tax.

                Not this paragraph.
                """

                # Why it is so.
                text = """
            kept as it is
        """
                return self.sum * rate
        '''
    )
    assert python_source.pairs(root) == [
        Record(
            anchor="Sum of all prices, with tax.",
            positive=(
                "async def total(\n    self, rate: float\n) -> float:\n    # Why it is so.\n"
                '    text = """\nkept as it is\n"""\n    return self.sum * rate'
            ),
            file="shop.py",
            line=4,
        )
    ]


def test_what_is_left_out(write):
    root = write(
        a='''
        def two_words():
            """Two words."""
            x = 1
            return x

        def none():
            x = 1
            return x

        def attribute(self):
            """Return the hidden attribute."""
            return self._attribute

        def only_docstring():
            """Three words or more."""

        def missing():
            """Raise an error always."""
            raise NotImplementedError("a", "b", "c", "d", "e")

        def same_line(x,
                      y): """Three words or more."""; x = 1; return x

        def same_line_as_code():
            """Three words or more."""; x = 1
            return x

        def example():
            """>>> example() == 1"""
            x = 1
            return x

        def call(self, x, y):
            """Call another with both."""
            return self.other.call(x, y)  # one statement, but it says something

        if True:
            try:
                pass
            except ValueError:
                def outer(x):
                    """Outer function is taken."""
                    def inner():
                        """Inner function is not."""
                        y = x
                        return y
                    return inner
        '''
    )
    assert [record.anchor for record in python_source.pairs(root)] == [
        "Call another with both.",
        "Outer function is taken.",
    ]


def test_files_that_are_left_out(write):
    root = write(
        good=GOOD.format("good"),
        pack__deep=GOOD.format("deep"),
        test__x=GOOD.format("a"),
        pack__tests__x=GOOD.format("b"),
        test_x=GOOD.format("c"),
        x_test=GOOD.format("d"),
        idlelib__x=GOOD.format("e"),
        **{"site-packages__x": GOOD.format("f"), ".hidden__x": GOOD.format("g")},
        broken="def x(:\n",
        bytes=b"\xff\xfe",
        nul="x = '\0'",
    )
    assert [record.file for record in python_source.pairs(root)] == ["good.py", "pack/deep.py"]


def test_encodings_line_ends_and_invalid_escapes(write):
    root = write(
        latin=b"# coding: latin-1\r\ndef f():\r\n    '''Stra\xdfe und mehr.'''\r\n    x = '\\d'\r\n    return x\r\n",
        mark=b"\xef\xbb\xbf" + GOOD.format("mark").encode(),
    )
    latin, mark = python_source.pairs(root)
    assert (latin.anchor, latin.positive) == ("Straße und mehr.", "def f():\n    x = '\\d'\n    return x")
    assert mark.anchor == "Say something about mark."


def test_equal_pairs_are_taken_once(write):
    root = write(a=GOOD.format("same"), b=GOOD.format("same"))
    assert [record.file for record in python_source.pairs(root)] == ["a.py"]


def test_reading_a_folder_or_a_file(write):
    root = write(a=GOOD.format("one") + GOOD.format("two"), b=GOOD.format("three"))
    assert [len(data.read(root)), len(data.read(root / "a.py"))] == [3, 2]
    body = "def three(x):\n    y = x + 1\n    return y"
    assert data.read(root / "b.py") == Pairs(["Say something about three."], [body], [()])
    with pytest.raises(CallError, match=r"b.py, line 1, column 'positive': 40 characters; expected fewer than 40"):
        data.read(root, max_characters=40)


def test_source_without_pairs_or_that_does_not_parse(write):
    root = write(a="x = 1\n", b="def x(:\n")
    with pytest.raises(CallError, match="has no function with a docstring of 3 words"):
        data.read(root)
    with pytest.raises(CallError, match=r"b.py is not Python that this interpreter can parse \(invalid syntax"):
        data.read(root / "b.py")


def test_a_file_that_is_too_large_is_not_read(write):
    root = write(a='def f(x):\n    """Sort a list of numbers."""\n    y = sorted(x)\n    return y\n', b="")
    os.truncate(root / "b.py", 1 << 40)
    assert data.read(root).anchors == ["Sort a list of numbers."]
    with pytest.raises(CallError, match=r"b\.py .*it has 1,099,511,627,776 bytes, expected at most 4,194,304"):
        data.read(root / "b.py")


def records(files, each=3):
    return [Record(f"anchor {n} {f}", f"positive {n} {f}", f"{f}.py", n) for f in range(files) for n in range(each)]


def test_split_is_by_file_and_repeats():
    train, held_out = python_source.split(records(20), held_out=0.25)
    assert len(held_out) == 5 * 3
    assert len(train) == 15 * 3
    assert not {record.file for record in train} & {record.file for record in held_out}
    assert python_source.split(records(20)[::-1], held_out=0.25)[1] == held_out[::-1]
    assert python_source.split(records(20), held_out=0.25, seed=1)[1] != held_out


def test_split_leaves_no_anchor_and_no_positive_in_both_parts():
    rows = records(20)
    _, held_out = python_source.split(rows)
    train_file = next(record.file for record in rows if record not in held_out)
    same_anchor = Record(held_out[0].anchor, "other", train_file, 9)
    same_positive = Record("other", held_out[0].positive, train_file, 10)
    train, again = python_source.split([*rows, same_anchor, same_positive])
    assert again == held_out
    assert len(train) == len(rows) - len(held_out)


def test_split_refuses_what_it_cannot_cut():
    for share in (0, 1, -0.1, float("nan")):
        with pytest.raises(CallError, match="expected a share of the files between 0 and 1"):
            python_source.split(records(5), held_out=share)
    for rows in (records(1), []):
        with pytest.raises(CallError, match="can't be split by file; expected more files"):
            python_source.split(rows)


def test_written_lines_are_read_back(tmp_path):
    rows = [Record("ä\nb", "def f():\u2028", "a.py", 3), Record("c", "d", "b.py", 4)]
    python_source.write_jsonl(rows, tmp_path / "rows.jsonl")
    assert data.read(tmp_path / "rows.jsonl") == Pairs(["ä\nb", "c"], ["def f():\u2028", "d"], [(), ()])
    first = json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8").split("\n")[0])
    assert first == {"anchor": "ä\nb", "positive": "def f():\u2028", "file": "a.py", "line": 3}


def test_a_package_of_the_standard_library_gives_functions_that_parse():
    found = python_source.pairs(f"{sysconfig.get_path('stdlib')}/json")
    assert {record.file for record in found} == {"__init__.py", "decoder.py", "encoder.py"}
    for record in found:
        function = ast.parse(record.positive).body[0]
        assert ast.get_docstring(function) is None
        assert len(record.anchor.split()) >= 3
