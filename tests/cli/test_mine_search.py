"""Where `metaembed mine` looks: in an index, along its graph, in lists of near texts."""

import pytest
from calls import call
from mined_rows import mined, refused, write, write_pairs
from tiny import TEXTS, tiny_folder

from mlx_metaembed.mining import lists, searched
from mlx_metaembed.search import about
from mlx_metaembed.search import index as indexes

WAYS = ("exact", "graph")


@pytest.fixture
def rows(tmp_path):
    return write_pairs(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("dtype", ["f32", "i8"])
def test_from_an_index(engine_name, dtype, tiny, rows, tmp_path, capsys):
    corpus = write(tmp_path / "corpus.jsonl", [{"text": text} for text in [*TEXTS[::-1], "1 2 3", "4 5 file"]])
    built = tmp_path / "ix"
    assert call(capsys, "index", tiny, corpus, built, "--dtype", dtype, "--engine", engine_name)[0] == 0
    same = ["--negatives", 2, "--no-margin", "--engine", engine_name]
    answer, found = mined(capsys, tiny, rows, tmp_path / "out.jsonl", "--index", built, *same)
    _, from_corpus = mined(capsys, tiny, rows, tmp_path / "other.jsonl", "--corpus", corpus, *same)
    assert (answer["corpus"], answer["search"]) == (8, "exact")
    assert dtype == "i8" or found == from_corpus
    assert all(row["negative_1"] != row["positive"] for row in found)


def test_an_index_of_another_model_or_corpus_is_refused(tiny, rows, tmp_path, capsys):
    corpus = write(tmp_path / "corpus.jsonl", [{"text": text} for text in TEXTS])
    assert call(capsys, "index", tiny, corpus, tmp_path / "ix")[0] == 0
    out = tmp_path / "out.jsonl"
    other = tiny_folder(tmp_path / "other", seed=1)
    said = refused(capsys, out, other, rows, out, "--index", tmp_path / "ix")
    assert f"{other} gives other vectors than those in {tmp_path / 'ix'}: its weights differ" in said
    write(corpus, [{"text": text} for text in ["1 2", "3 4", "5 6", "7 8"]])
    assert call(capsys, "index", tiny, corpus, tmp_path / "far")[0] == 0
    said = refused(capsys, out, tiny, rows, out, "--index", tmp_path / "far")
    assert f"The index {tmp_path / 'far'} has none of the data's positives" in said
    write(corpus, [{"text": text} for text in [*TEXTS[1:], "1 2", "3 4"]])
    assert call(capsys, "index", tiny, corpus, tmp_path / "near")[0] == 0
    said = refused(capsys, out, tiny, rows, out, "--index", tmp_path / "near")
    assert f"The index {tmp_path / 'near'} lacks positives of 1 rows:\n  - 'sort numbers'" in said


def test_the_graph_of_an_index_is_walked(engine_name, tiny, rows, tmp_path, capsys, monkeypatch):
    corpus = write(
        tmp_path / "corpus.jsonl", [{"text": text} for text in [*TEXTS, *(f"file {at}" for at in range(60))]]
    )
    built = tmp_path / "ix"
    assert call(capsys, "index", tiny, corpus, built, "--engine", engine_name)[0] == 0
    monkeypatch.setattr(about, "EXACT_ROWS", 65)
    walked, nearest = [], indexes.Index.nearest
    monkeypatch.setattr(indexes.Index, "nearest", lambda self, *given: walked.append(1) or nearest(self, *given))
    same = [tiny, rows, "--index", built, "--negatives", 3, "--no-margin", "--engine", engine_name]
    asked = [mined(capsys, same[0], same[1], tmp_path / f"{way}.jsonl", *same[2:], "--search", way) for way in WAYS]
    (exact, expected), (graph, found) = asked
    assert (exact["search"], exact["recall"], graph["search"]) == ("exact", 1.0, "graph")
    # Each query, and again where it is told how many of the nearest are found.
    assert len(walked) == 12
    shared = [len(set(one.values()) & set(other.values())) - 2 for one, other in zip(expected, found, strict=True)]
    assert sum(shared) >= 0.9 * 18 and graph["recall"] >= 0.9


def test_lists_find_what_is_near(engine_name, tiny, rows, tmp_path, capsys, monkeypatch):
    corpus = write(
        tmp_path / "corpus.jsonl", [{"text": text} for text in [*TEXTS, *(f"file {at}" for at in range(60))]]
    )
    same = ["--corpus", corpus, "--negatives", 3, "--no-margin", "--engine", engine_name]
    _, expected = mined(capsys, tiny, rows, tmp_path / "exact.jsonl", *same)
    monkeypatch.setattr(lists, "SHARE", 1)
    answer, found = mined(capsys, tiny, rows, tmp_path / "lists.jsonl", *same, "--search", "lists")
    assert answer["search"] == "lists" and answer["recall"] >= 0.8
    if answer["recall"] == 1:
        assert found == expected
    # Where most lists would be looked through, every text is compared, and that is said.
    monkeypatch.setattr(lists, "SHARE", 0)
    answer, found = mined(capsys, tiny, rows, tmp_path / "all.jsonl", *same, "--search", "lists")
    assert (answer["search"], answer["recall"], found) == ("exact", 1.0, expected)
    status, _, err = call(capsys, "mine", tiny, rows, tmp_path / "said.jsonl", *same, "--search", "lists")
    assert status == 0 and "Most lists would have to be looked through here" in err


def test_very_many_products_are_looked_for_in_lists(tiny, rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(searched, "LISTS_FROM", 6 * 6 * 32)
    monkeypatch.setattr(lists, "SHARE", 1)
    answer, _ = mined(capsys, tiny, rows, tmp_path / "out.jsonl", "--no-margin")
    assert answer["search"] == "lists"
    monkeypatch.setattr(searched, "LISTS_FROM", 6 * 6 * 32 + 1)
    answer, _ = mined(capsys, tiny, rows, tmp_path / "exact.jsonl", "--no-margin")
    assert answer["search"] == "exact"
