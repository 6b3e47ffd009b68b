"""`metaembed data check`: the counts, the lengths in a model's tokens, and what two files share."""

import json

import pytest
from calls import call

ROWS = [
    {"anchor": "question number 0 about the tower", "positive": "first"},
    {"anchor": "question number 1 about the tower", "positive": "second"},
    {"anchor": "question number 0 about the tower", "positive": "first"},
    {"anchor": "x", "positive": "x "},
    {"anchor": " ", "positive": None},
]


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def checked(capsys, *words):
    status, out, err = call(capsys, "data", "check", *words, "--json")
    assert status == 0, err
    return json.loads(out)


def test_the_counts_of_a_file(tmp_path, capsys):
    found = checked(capsys, written(tmp_path / "a.jsonl", ROWS))
    assert (found["rows"], found["duplicate_rows"], found["rows_with_a_text_twice"]) == (5, 1, 1)
    assert found["columns"]["anchor"] == {
        "texts": 5,
        "missing": 0,
        "distinct": 4,
        "empty": 1,
        "near_empty": 1,
        "median": 33,
        "p95": 33,
        "longest": 33,
        "over_limit": None,
    }
    positive = found["columns"]["positive"]
    assert (positive["texts"], positive["missing"], positive["distinct"], positive["longest"]) == (4, 1, 3, 6)
    assert (found["unit"], found["scripts"], found["leaks"]) == ("characters", {"latin": 1.0}, None)


def test_lengths_are_tokens_of_a_model(tiny, tmp_path, capsys):
    rows = [{"text": "a cat"}, {"text": "a cat " * 3}, {"text": "a"}]
    path = written(tmp_path / "a.jsonl", rows)
    text = checked(capsys, path, "--model", tiny, "--max-seq-length", 4)
    assert (text["unit"], text["limit"]) == ("tokens", 4)
    whole = text["columns"]["text"]
    # [CLS] and [SEP] stand around each.
    assert (whole["longest"], whole["median"], whole["over_limit"]) == (8, 4, 1)
    assert call(capsys, "data", "check", path, "--max-seq-length", 4)[0] == 2


def test_texts_that_two_files_share(tmp_path, capsys):
    held_out = [
        {"query": "question  number 1 about the tower", "positive": "elsewhere"},
        {"query": "question number 0 about the towers", "positive": "second"},
        {"query": "what nobody asked before", "positive": "first answer of its own"},
    ]
    words = written(tmp_path / "a.jsonl", ROWS), written(tmp_path / "b.jsonl", held_out)
    leaks = checked(capsys, *words)["leaks"]
    assert [(each["texts"], each["equal"], each["near"]) for each in leaks.values()] == [(3, 1, 1), (3, 1, 0)]
    assert leaks["query"]["near_examples"] == [
        {
            "where": "line 2",
            "text": "question number 0 about the towers",
            "in_file": "line 1",
            "near_to": "question number 0 about the tower",
        }
    ]
    status, out, _ = call(capsys, "data", "check", *words)
    assert status == 0 and "query: of 3 texts 1 stand in" in out


def test_labels_are_no_texts(tmp_path, capsys):
    found = checked(
        capsys, written(tmp_path / "a.jsonl", [{"text": "one", "label": "a"}, {"text": "two", "label": "a"}])
    )
    assert list(found["columns"]) == ["text"]


def test_scripts_are_shares_of_letters(tmp_path, capsys):
    found = checked(capsys, written(tmp_path / "a.jsonl", [{"text": "abcde 1"}, {"text": "абвгд 2"}]))
    assert found["scripts"] == {"latin": 0.5, "cyrillic": 0.5}


def test_languages_are_shares_of_texts(tmp_path, capsys):
    pytest.importorskip("py3langid")
    rows = [{"text": "Where is the nearest railway station?"}, {"text": "Wo ist hier bitte der nächste Bahnhof?"}]
    assert checked(capsys, written(tmp_path / "a.jsonl", rows))["languages"] == {"en": 0.5, "de": 0.5}


def test_what_can_not_be_checked(tmp_path, capsys):
    path = written(tmp_path / "a.jsonl", [{"left": "a", "right": "b"}])
    status, out, err = call(capsys, "data", "check", path)
    assert (status, out) == (2, "") and "no column of texts; found are 'left', 'right'" in err
    found = checked(capsys, path, "--columns", "anchor=left,positive=right")
    assert list(found["columns"]) == ["anchor", "positive"]
    status, _, err = call(capsys, "data", "check", path, "--columns", "anchor=lift")
    assert status == 2 and "no column 'lift'" in err
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n{"text": \n')
    status, out, err = call(capsys, "data", "check", tmp_path / "bad.jsonl")
    assert (status, out) == (2, "") and "line 2" in err
    assert call(capsys, "data", "check", tmp_path / "none.jsonl")[0] == 2


def test_texts_of_one_file_that_are_nearly_the_same(tmp_path, capsys):
    said = "the quick brown fox jumps over the lazy dog number {}"
    rows = [{"anchor": said.format(at), "positive": f"answer {at} of its own, {'abcdefgh'[at] * 9}"} for at in range(4)]
    rows += [{"anchor": "nothing like the others", "positive": said.format(9)}, rows[0]]
    path = written(tmp_path / "a.jsonl", rows)
    near = checked(capsys, path)["near_duplicates"]
    assert near["left"] == 0
    found = near["columns"]["anchor"]
    assert (found["texts"], found["near"], found["groups"]) == (5, 4, 1)
    assert found["examples"][0] == {
        "where": "line 2",
        "text": said.format(1),
        "in_file": "line 1",
        "near_to": said.format(0),
    }
    # A text of another column is no near-duplicate.
    assert near["columns"]["positive"] == {"texts": 5, "near": 0, "groups": 0, "examples": []}
    status, out, err = call(capsys, "data", "check", path, "--near", 3)
    assert status == 0 and "7 texts of" in err and "anchor: of 2 texts 2 are nearly another one, in 1 groups." in out
    assert checked(capsys, path, "--near", 0)["near_duplicates"] is None
