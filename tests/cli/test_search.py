"""`metaembed index` and `metaembed search` on a tiny model, on every engine."""

import io
import json
import re
import shutil
import sys

import numpy as np
import pytest
from calls import call
from states import GOLDEN

from mlx_metaembed.search import index

LINES = ["sort a list of numbers", "open a socket", "parse the command line"]


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.jsonl"
    path.write_text(
        "".join(json.dumps({"id": f"d{at}", "text": f"{line}\nmore"}) + "\n" for at, line in enumerate(LINES))
    )
    return path


@pytest.fixture
def built(tiny, corpus, tmp_path, capsys):
    assert call(capsys, "index", tiny, corpus, tmp_path / "ix")[0] == 0
    return tmp_path / "ix"


@pytest.mark.parametrize("dtype", ["f16", "b1"])
def test_a_text_finds_itself(engine_name, dtype, tiny, corpus, tmp_path, capsys):
    out = tmp_path / "ix"
    status, said, err = call(
        capsys, "index", tiny, corpus, out, "--dims", 24, "--dtype", dtype, "--engine", engine_name, "--json"
    )
    assert status == 0, err
    assert json.loads(said) == {
        "index": str(out),
        "model": str(tiny),
        "engine": engine_name,
        "count": 3,
        "dims": 24,
        "dtype": dtype,
        "metric": "cosine",
        "exact": True,
        "bytes": sum(file.stat().st_size for file in out.iterdir()),
    }
    queries = [f"{LINES[1]}\nmore", f"{LINES[2]}\nmore"]
    status, said, err = call(capsys, "search", out, *queries, "-k", 2, "--engine", engine_name, "--json")
    assert status == 0, err
    found = json.loads(said)
    assert (found["index"], found["engine"]) == (str(out), engine_name)
    assert [(line["query"], line["hits"][0]["id"], line["hits"][0]["text"]) for line in found["results"]] == [
        (queries[0], "d1", queries[0]),
        (queries[1], "d2", queries[1]),
    ]
    assert [[hit["rank"] for hit in line["hits"]] for line in found["results"]] == [[1, 2], [1, 2]]


def test_hits_in_words(built, capsys):
    status, out, _ = call(capsys, "search", built, f"{LINES[0]} more", "other", "-k", 1)
    blocks = out.split("\n\n")
    first = blocks[0].splitlines()
    assert (status, len(blocks)) == (0, 2)
    assert first[0] == f"{LINES[0]} more"
    assert first[1].split(maxsplit=3)[::2] == ["1", "d0"]
    assert first[1].endswith(f"d0  {LINES[0]}")
    assert blocks[1].startswith("other\n   1  ")


def test_a_dash_reads_queries_from_stdin(built, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("one\n\n  zwei ü \n".encode())))
    status, out, _ = call(capsys, "search", built, "-", "--json")
    assert (status, [line["query"] for line in json.loads(out)["results"]]) == (0, ["one", "zwei ü"])


def test_the_index_says_which_model_and_words_go_to_stderr(tiny, corpus, tmp_path, capsys):
    status, out, err = call(capsys, "index", tiny, corpus, tmp_path / "ix")
    assert (status, out.splitlines()[0].split(",")[0]) == (0, f"{tmp_path / 'ix'}: 3 texts")
    assert err.startswith("Engine: ")
    assert index.open(tmp_path / "ix").about.model == str(tiny.resolve())


def test_a_model_that_moved_is_named_and_one_that_changed_is_noticed(tiny, corpus, tmp_path, capsys):
    shutil.copytree(tiny, tmp_path / "model")
    assert call(capsys, "index", tmp_path / "model", corpus, tmp_path / "ix")[0] == 0
    (tmp_path / "model").rename(tmp_path / "moved")
    status, _, err = call(capsys, "search", tmp_path / "ix", "dog")
    assert (status, "There is no model folder" in err) == (2, True)
    assert call(capsys, "search", tmp_path / "ix", "dog", "--model", tmp_path / "moved")[0] == 0
    path = tmp_path / "moved" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-4000:] = np.frombuffer(content[-4000:], np.float32)[::-1].tobytes()
    path.write_bytes(content)
    status, _, err = call(capsys, "search", tmp_path / "ix", "dog", "--model", tmp_path / "moved")
    assert (status, "gives other vectors than those in" in err) == (2, True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--dims", 64], "--dims 64: the model gives 32 dimensions"),
        (["--dtype", "f8"], "'f8' is not one of"),
        (["--max-characters", 5], "expected fewer than 5"),
    ],
    ids=str,
)
def test_a_wrong_index_call_writes_nothing(tiny, corpus, tmp_path, capsys, args, message):
    status, out, err = call(capsys, "index", tiny, corpus, tmp_path / "ix", *args)
    assert (status, out) == (2, "")
    assert message in err
    assert [entry.name for entry in tmp_path.iterdir()] == ["corpus.jsonl"]


@pytest.mark.parametrize(("family", "head"), [("splade_bert", "splade"), ("colbert", "multi_vector")])
def test_a_model_without_a_vector_a_text_is_refused_by_its_head(engine_name, pairs, tmp_path, capsys, family, head):
    model, said = GOLDEN / family, f"gives no vector a text: its modules end in the head '{head}'"
    for args, message in (
        (["index", model, pairs, tmp_path / "ix"], said),
        (["eval", model, "--data", pairs], said),
        (["embed", model, "--image", GOLDEN / "clip" / "wide.png"], "has no image tower"),
    ):
        status, out, err = call(capsys, *args, "--engine", engine_name)
        assert (status, out) == (2, "")
        assert message in err
    assert not (tmp_path / "ix").exists()


def test_an_index_is_never_built_over_something(tiny, corpus, tmp_path, capsys):
    status, _, err = call(capsys, "index", tiny, corpus, tmp_path)
    assert (status, "already holds something (corpus.jsonl)" in err) == (2, True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["nowhere", "dog"], "There is no index nowhere"),
        (["INDEX"], "Missing argument 'QUERY...'"),
        (["INDEX", " "], "A query is empty"),
        (["INDEX", "dog", "-k", "0"], "0 is not in the range"),
        (["INDEX", "dog", "--engin", "mlx"], "Did you mean '--engine'?"),
    ],
    ids=str,
)
def test_a_wrong_search_call_says_why(built, capsys, args, message):
    status, out, err = call(capsys, "search", *[built if arg == "INDEX" else arg for arg in args])
    assert (status, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("content", "message"), [(b"\n", "stdin holds no query"), (b"ab\xff", "not UTF-8 text (byte 2)")]
)
def test_a_stdin_without_queries_is_refused(built, capsys, monkeypatch, content, message):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    status, _, err = call(capsys, "search", built, "-")
    assert (status, message in err) == (2, True)


@pytest.mark.parametrize("verb", ["eval", "index", "search"])
def test_help_ends_with_an_example(verb, capsys):
    status, out, _ = call(capsys, verb, "--help")
    assert status == 0
    assert re.match(rf"  Examples?:\n    metaembed {verb} ", out.rstrip().split("\n\n")[-1])
