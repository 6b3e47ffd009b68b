"""Texts to fit on, queries and what is searched: apart, and said."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate import code_data


def texts_of(side: code_data.Side) -> set[str]:
    return set(side.texts)


def pairs_file(path: Path, count: int) -> Path:
    rows = [{"anchor": f"question {at}", "positive": f"answer {at}"} for at in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_documents_of_pairs_are_held_out_and_their_queries_go(tmp_path: Path):
    found = code_data.parts(pairs_file(tmp_path / "pairs.jsonl", 100), 4, seed=1)
    assert (len(found.fit), len(found.queries), len(found.searched)) == (50, 50, 50)
    assert not texts_of(found.fit) & texts_of(found.searched)
    assert (found.queries.prompt, found.searched.prompt) == ("query", "document")
    for query, grades in zip(found.queries.texts, found.relevant, strict=True):
        assert {found.searched.texts[row]: grade for row, grade in grades.items()} == {
            f"answer {query.split()[1]}": 1.0
        }
    assert "50 of 100 documents are held out to fit codes on, 50 are searched by 50 queries" in found.notes[0]


def test_documents_that_answer_nothing_are_held_out_first(tmp_path: Path):
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": f"d{at}", "title": "", "text": f"text {at}"}) + "\n" for at in range(60))
    )
    (tmp_path / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": f"q{at}", "text": f"ask {at}"}) + "\n" for at in range(10))
    )
    lines = "".join(f"q{at}\td{at}\t1\n" for at in range(10))
    (tmp_path / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + lines)
    found = code_data.parts(tmp_path, 4)
    assert len(found.queries) == 10 and len(found.fit) == 30
    assert {f"text {at}" for at in range(10)} <= texts_of(found.searched)


def test_texts_alone_ask_search_and_fit_apart(tmp_path: Path):
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": f"note {at}"}) + "\n" for at in range(100)))
    found = code_data.parts(path, 4)
    sides = [texts_of(side) for side in (found.fit, found.queries, found.searched)]
    assert [len(side) for side in sides] == [45, 10, 45] and len(set.union(*sides)) == 100
    assert found.relevant is None and "there is no nDCG" in found.notes[0]


def test_texts_to_fit_on_are_none_of_those_that_are_searched(tmp_path: Path):
    fit = tmp_path / "fit.jsonl"
    rows = [{"text": f"answer {at}"} for at in range(5)] + [{"text": f"other {at}"} for at in range(30)]
    fit.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = code_data.parts(pairs_file(tmp_path / "pairs.jsonl", 40), 4, fit=fit)
    assert (len(found.fit), len(found.queries), len(found.searched)) == (30, 40, 40)
    assert any("5 texts of" in note and "no code is fitted on them" in note for note in found.notes)


def test_sizes_bound_every_side(tmp_path: Path):
    path = pairs_file(tmp_path / "pairs.jsonl", 200)
    found = code_data.parts(path, 4, most_fit=30, most_queries=7, most_searched=50)
    assert (len(found.fit), len(found.queries), len(found.searched)) == (30, 7, 50)
    assert all(grades for grades in found.relevant)


def test_too_few_rows_are_refused_with_what_helps(tmp_path: Path):
    with pytest.raises(CallError, match=r"leaves 5 texts to fit codes on, 5 queries and 5 texts.*--fit-data"):
        code_data.parts(pairs_file(tmp_path / "pairs.jsonl", 10), 4)


def test_vectors_of_a_file_are_drawn_by_the_seed(tmp_path: Path):
    np.save(tmp_path / "v.npy", np.arange(400, dtype=np.float32).reshape(100, 4))
    side, judged = code_data.to_fit(tmp_path / "v.npy", 4, 10, 0)
    rows = side.vectors[:, 0] / 4
    assert len(side) == 10 and np.all(np.diff(rows) > 0) and judged is None
    found = code_data.parts(tmp_path / "v.npy", 4)
    assert [len(side) for side in (found.fit, found.queries, found.searched)] == [45, 10, 45]


def test_queries_go_with_the_texts_that_answer_them(tmp_path: Path):
    side, judged = code_data.to_fit(pairs_file(tmp_path / "pairs.jsonl", 40), 4, 10, 0)
    assert len(side) == len(judged.queries) == 10
    assert judged.relevant == [{row: 1.0} for row in range(10)]
    assert judged.queries.prompt == "query"
    some = judged.among([7, 3], 5, 0)
    assert some.queries.texts == [judged.queries.texts[3], judged.queries.texts[7]]
    assert some.relevant == [{1: 1.0}, {0: 1.0}]


def test_vectors_that_are_none_are_refused(tmp_path: Path):
    wrong = np.ones((9, 4), np.float32)
    wrong[[2, 5]] = np.nan
    np.save(tmp_path / "nan.npy", wrong)
    with pytest.raises(CallError, match=r"nan.npy: 2 of 9 vectors hold NaN or infinity: row 2, 5 \(from 0\)"):
        code_data.to_fit(tmp_path / "nan.npy", 4, 10, 0)
    np.save(tmp_path / "wide.npy", np.ones((9, 5), np.float32))
    with pytest.raises(CallError, match=r"expected vectors \[n, 4\] of floats; found float32 \[9, 5\]"):
        code_data.to_fit(tmp_path / "wide.npy", 4, 10, 0)
    (tmp_path / "torn.npy").write_bytes((tmp_path / "nan.npy").read_bytes()[:100])
    with pytest.raises(CallError, match="can't be read as an array"):
        code_data.to_fit(tmp_path / "torn.npy", 4, 10, 0)
    with pytest.raises(CallError, match="There is no file"):
        code_data.to_fit(tmp_path / "none.npy", 4, 10, 0)
