"""Index folders: what comes back, what is refused, and that nothing half-written is opened."""

import json
import resource
from itertools import pairwise

import numpy as np
import pytest

from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.search import about, index
from mlx_metaembed.search.corpus import Corpus

COUNT, WIDTH = 300, 40


def vectors(count=COUNT, width=WIDTH, seed=0):
    found = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def build(out, stored=None, **settings):
    stored = vectors() if stored is None else stored
    rows = range(len(stored))
    ids, texts = [f"d{row}" for row in rows], [f"text {row}\nsecond line é 日本" for row in rows]
    return index.build(stored, texts, ids, out, **({"model": "some/model"} | settings))


def near(stored, rows, seed=1):
    """Queries close to some rows."""
    return stored[rows] + 0.05 * vectors(len(rows), stored.shape[1], seed)


@pytest.mark.parametrize("dtype", ["f32", "f16", "i8", "b1"])
def test_the_row_asked_for_comes_first_with_its_id_and_text(tmp_path, dtype):
    build(tmp_path / "ix", dtype=dtype)
    hits = index.open(tmp_path / "ix").search(near(vectors(), [7, 250]), 3)
    assert [(line[0].row, line[0].id, line[0].text) for line in hits] == [
        (7, "d7", "text 7\nsecond line é 日本"),
        (250, "d250", "text 250\nsecond line é 日本"),
    ]
    assert all(one.score >= two.score for line in hits for one, two in pairwise(line))


@pytest.mark.parametrize(("dtype", "share"), [("f32", 1.0), ("f16", 0.98), ("i8", 0.95), ("b1", 0.45)])
@pytest.mark.parametrize("exact", [True, False])
def test_neighbours_and_scores_are_those_of_the_floats(tmp_path, monkeypatch, dtype, share, exact):
    monkeypatch.setattr(about, "EXACT_ROWS", COUNT if exact else COUNT - 1)
    stored, queries = vectors(), vectors(30, seed=2)
    build(tmp_path / "ix", dtype=dtype)
    opened = index.open(tmp_path / "ix")
    assert opened.about.exact is exact
    scores = queries @ stored.T
    best = np.argsort(-scores, axis=1)[:, :10]
    hits = opened.search(queries, 10)
    found = np.mean([len({hit.row for hit in line} & set(row)) / 10 for line, row in zip(hits, best, strict=True)])
    assert found >= share - (0 if exact else 0.05)
    if dtype != "b1":
        errors = [abs(hit.score - scores[at, hit.row]) for at, line in enumerate(hits) for hit in line]
        assert max(errors) < {"f32": 1e-5, "f16": 1e-3, "i8": 0.02}[dtype]


def test_signs_are_ordered_by_the_float_query(tmp_path):
    stored = np.array([[1, 1, 1, 1], [1, 1, -1, 1], [1, 1, 1, -1]], np.float32) / 2
    build(tmp_path / "ix", stored, dtype="b1")
    query = np.array([[0.5, 0.5, 0.1, 0.7]], np.float32)
    hits = index.open(tmp_path / "ix").search(query / np.linalg.norm(query), 3)[0]
    # By signs alone the last two are equally far; the query's weights part them.
    assert [hit.row for hit in hits] == [0, 1, 2]
    assert [hit.score for hit in hits] == pytest.approx([1.8 / 2, 1.6 / 2, 0.4 / 2])


@pytest.mark.parametrize(
    ("metric", "order", "scores"), [("dot", [1, 0], [4.0, 1.0]), ("euclidean", [0, 1], [0.0, -(10**0.5)])]
)
def test_lengths_count_where_the_model_says_so(tmp_path, metric, order, scores):
    build(tmp_path / "ix", np.array([[1.0, 0.0], [4.0, 1.0]], np.float32), metric=metric, dtype="f32")
    hits = index.open(tmp_path / "ix").search(np.array([[1.0, 0.0]], np.float32), 2)[0]
    assert [hit.row for hit in hits] == order
    assert [hit.score for hit in hits] == pytest.approx(scores)


def test_equal_vectors_come_by_row_and_k_may_exceed_the_count(tmp_path):
    build(tmp_path / "ix", np.ones((5, 4), np.float32))
    hits = index.open(tmp_path / "ix").search(np.ones((2, 4), np.float32), 50)
    assert [[hit.row for hit in line] for line in hits] == [[0, 1, 2, 3, 4]] * 2


def test_one_row(tmp_path):
    build(tmp_path / "ix", vectors(1))
    assert [hit.id for hit in index.open(tmp_path / "ix").search(vectors(1), 10)[0]] == ["d0"]


def test_the_folder_says_how_it_was_made(tmp_path):
    steps = []
    build(tmp_path / "ix", prompts={"query": "q: "}, dtype="i8", progress=steps.append)
    said = json.loads((tmp_path / "ix" / "index.json").read_text())
    assert {name: said[name] for name in ("model", "dims", "dtype", "metric", "count", "prompts")} == {
        "model": "some/model",
        "dims": WIDTH,
        "dtype": "i8",
        "metric": "cosine",
        "count": COUNT,
        "prompts": {"query": "q: "},
    }
    assert sum(steps) == COUNT
    assert sorted(file.name for file in (tmp_path / "ix").iterdir()) == [
        "corpus.jsonl",
        "index.json",
        "offsets.npy",
        "vectors.usearch",
    ]
    assert [entry.name for entry in tmp_path.iterdir()] == ["ix"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ids": ["a", "a"]}, "'a' comes more than once"),
        ({"ids": ["a"]}, "2 vectors, 2 texts and 1 ids"),
        ({"vectors": np.array([[1.0], [np.nan]])}, "1 vectors hold NaN or infinity, the first at row 1"),
        ({"vectors": np.ones((0, 3)), "texts": [], "ids": []}, "at least one row"),
        ({"dtype": "f61"}, r"'f61' is not known; did you mean 'f16'\? Known: f16"),
        ({"dtype": "i8", "metric": "dot"}, "keeps no lengths"),
        ({"metric": "manhattan"}, "similarity 'manhattan'"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_input_that_does_not_fit_is_refused_and_nothing_written(tmp_path, change, message):
    given = {"vectors": np.ones((2, 3)), "texts": ["x", "y"], "ids": ["a", "b"], "model": "m"} | change
    with pytest.raises(CallError, match=message):
        index.build(out=tmp_path / "ix", **given)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CallError, match=r"already holds something \(mine.txt\)"):
        build(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.txt"]


def test_a_failed_save_leaves_nothing(tmp_path):
    (tmp_path / "ix").write_bytes(b"")
    with pytest.raises(CallError, match="is a file"):
        build(tmp_path / "ix")
    with pytest.raises(CallError, match="ix is, or lies in, a file"):
        build(tmp_path / "ix" / "below")
    assert [entry.name for entry in tmp_path.iterdir()] == ["ix"]


@pytest.mark.parametrize("name", ["vectors.usearch", "corpus.jsonl", "offsets.npy"])
@pytest.mark.parametrize("damage", ["missing", "truncated", "flipped", "empty"])
def test_a_damaged_file_is_named_and_never_opened(tmp_path, name, damage):
    build(tmp_path / "ix")
    path = tmp_path / "ix" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.unlink()
    if damage != "missing":
        path.write_bytes({"truncated": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
    says = {"missing": "missing", "flipped": "its content changed"}.get(damage, "were written")
    with pytest.raises(CallError, match=rf"damaged:\n  - {name}: .*{says}[^\n]*\nBuild it again"):
        index.open(tmp_path / "ix")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dims": "40"}, "dims: '40'; expected int"),
        ({"count": 0}, "count: 0; expected 1 or more"),
        ({"count": COUNT + 1}, "does not fit corpus.jsonl of 301 rows"),
        ({"dims": WIDTH + 1}, "index.json says otherwise"),
        ({"dtype": "f32"}, "index.json says otherwise"),
        ({"dtype": "f8"}, "dtype 'f8' is not known"),
        ({"modle": "x"}, "modle: no field of an index"),
        ({"files": []}, "files: missing"),
        ({"format": "metaembed-index-9"}, "not of the format"),
    ],
    ids=str,
)
def test_an_index_json_that_lies_is_refused(tmp_path, change, message):
    build(tmp_path / "ix")
    path = tmp_path / "ix" / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CallError, match=message):
        index.open(tmp_path / "ix")


@pytest.mark.parametrize(
    ("content", "message"), [(None, "has no index.json"), ("{", "line 1"), ("[]", "not of the format")]
)
def test_a_folder_that_is_no_index_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "index.json").write_text(content)
    with pytest.raises(CallError, match=message):
        index.open(tmp_path)
    with pytest.raises(CallError, match="There is no index"):
        index.open(tmp_path / "nowhere")


@pytest.mark.parametrize("queries", [np.ones((1, WIDTH + 1)), np.ones(WIDTH), np.ones((0, WIDTH))], ids=str)
def test_queries_of_another_shape_are_refused(tmp_path, queries):
    build(tmp_path / "ix")
    with pytest.raises(CallError, match=r"Expected queries \[Q, 40\]"):
        index.open(tmp_path / "ix").search(queries)


def test_a_query_that_is_no_number_and_a_k_of_zero_are_refused(tmp_path):
    build(tmp_path / "ix")
    opened = index.open(tmp_path / "ix")
    with pytest.raises(CallError, match="NaN"):
        opened.search(np.full((1, WIDTH), np.nan))
    with pytest.raises(CallError, match="k = 0"):
        opened.search(vectors(1), 0)


@pytest.mark.parametrize("dtype", ["f32", "f16", "i8", "b1"])
def test_another_model_is_noticed(tmp_path, dtype):
    build(tmp_path / "ix", dtype=dtype)
    opened = index.open(tmp_path / "ix")
    assert opened.probe() == "text 0\nsecond line é 日本"
    opened.require_same(vectors()[0] + 0.001)
    with pytest.raises(CallError, match="gives other vectors"):
        opened.require_same(vectors()[1])


def test_another_width_or_prompt_is_noticed(tmp_path):
    build(tmp_path / "ix", prompts={"query": "q: "})
    opened = index.open(tmp_path / "ix")
    opened.require_model(WIDTH + 8, {"query": "q: "})
    with pytest.raises(CallError, match="holds 40 dimensions, the model gives 39"):
        opened.require_model(WIDTH - 1, {"query": "q: "})
    with pytest.raises(CallError, match="built with the prompts"):
        opened.require_model(WIDTH, {})


def test_texts_of_any_kind_come_back(tmp_path):
    texts = ["a\u2028b", '"quoted"\\', "\ud800 lone surrogate", "tab\tnul\x00", "\U0001f600" * 100]
    index.build(vectors(5), texts, list("vwxyz"), tmp_path / "ix", model="m")
    assert [entry[:2] for entry in Corpus(tmp_path / "ix", 5)[[4, 0, 1, 2, 3]]] == [
        ("z", texts[4]),
        ("v", texts[0]),
        ("w", texts[1]),
        ("x", texts[2]),
        ("y", texts[3]),
    ]


@pytest.mark.parametrize("limit", [1_000, 40_000], ids=["in the graph", "in the texts"])
def test_a_full_disk_leaves_nothing(tmp_path, limit):
    # A limit on the size of a file fails a write as a full disk does.
    texts, before = ["long " * 5_000] * 3, resource.getrlimit(resource.RLIMIT_FSIZE)
    stored = vectors(COUNT if limit < 10_000 else 3)
    texts = [*texts, *texts * 99][: len(stored)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(JobError, match="Could not write"):
            index.build(stored, texts, [str(row) for row in range(len(stored))], tmp_path / "ix", model="m")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY\x01\x00\x08\x00{'descr'", b"\x93NUMPY\x01\x00\x04\x00{{{\n", b"PK\x03\x04"]
)
def test_offsets_that_are_no_array(tmp_path, content):
    build(tmp_path / "ix")
    (tmp_path / "ix" / "offsets.npy").write_bytes(content)
    with pytest.raises(CallError, match=r"offsets\.npy"):
        Corpus(tmp_path / "ix", COUNT)


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"id": 1, "text": "a"}', b'{"id": "a"}', b'{"id": "a", "text": "b", "x": 1}']
)
def test_a_line_that_is_no_entry(tmp_path, line):
    (tmp_path / "corpus.jsonl").write_bytes(line + b"\n")
    np.save(tmp_path / "offsets.npy", np.array([0, len(line) + 1], np.int64))
    with pytest.raises(CallError, match="row 0: no object with an id and a text; build the index again"):
        Corpus(tmp_path, 1)[[0]]
