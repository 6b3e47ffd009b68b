"""Parquet files, written here by pyarrow."""

import sys

import pyarrow
import pyarrow.parquet
import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Labelled, Pairs, Scored


@pytest.fixture
def write(tmp_path):
    def write(columns, **settings):
        path = tmp_path / "rows.parquet"
        pyarrow.parquet.write_table(pyarrow.table(columns), path, **settings)
        return path

    return write


def test_the_three_shapes(write):
    pairs = write({"vector": [[0.0], [1.0]], "positive": ["b", "d"], "anchor": ["a", "c"], "negative_1": ["n", "m"]})
    assert data.read(pairs) == Pairs(["a", "c"], ["b", "d"], [("n",), ("m",)])
    scored = write({"sentence1": ["a"], "sentence2": ["b"], "score": pyarrow.array([0.5], pyarrow.float32())})
    assert data.read(scored) == Scored(["a"], ["b"], [0.5])
    label = pyarrow.array(["x", "y", "x"]).dictionary_encode()
    assert data.read(write({"text": ["a", "b", "c"], "label": label})) == Labelled(["a", "b", "c"], ["x", "y", "x"])


def test_lists_of_flagembedding(write):
    path = write({"query": ["a"], "pos": [["p", "q"]], "neg": [["n"]]})
    assert data.read(path) == Pairs(["a", "a"], ["p", "q"], [("n",), ("n",)])


def test_rows_are_counted_across_batches(write):
    anchors = [f"a{row}" for row in range(9000)]
    path = write({"anchor": anchors, "positive": ["p", *["q"] * 8998, None]}, row_group_size=1000)
    assert "row 9000, column 'positive': null; expected text" in message(path)


def test_wrong_types_and_columns(write):
    assert "row 1, column 'anchor': the number 5; expected text" in message(write({"anchor": [5], "positive": ["b"]}))
    assert "its schema: columns 'anchor', 'b' fit no known shape" in message(write({"anchor": ["a"], "b": ["b"]}))
    assert "has no rows" in message(write({"anchor": pyarrow.array([], pyarrow.string()), "positive": []}))


def test_a_text_that_is_not_utf8(write):
    raw = pyarrow.array([b"ok", b"\xff"], pyarrow.binary())
    broken = pyarrow.StringArray.from_buffers(2, raw.buffers()[1], raw.buffers()[2])
    path = write({"anchor": broken, "positive": ["b", "c"]})
    assert "rows 1 to 2: a text is not UTF-8" in message(path)


def test_without_pyarrow_the_extra_is_named(write, monkeypatch):
    path = write({"anchor": ["a"], "positive": ["b"]})
    # What Python itself does for a module that is not installed.
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "Reading rows.parquet needs pyarrow" in message(path)
    assert "Install it with: pip install " in message(path) and "[parquet]" in message(path)


def test_a_file_that_is_no_parquet(tmp_path):
    path = tmp_path / "rows.parquet"
    path.write_bytes(b"PAR1 but nothing else of it")
    assert "is no Parquet file that pyarrow can read" in message(path)
