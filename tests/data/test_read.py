"""Which reader is chosen, and what is said where none fits."""

import json

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Pairs


def test_a_missing_file_names_the_nearest(tmp_path):
    (tmp_path / "pairs.jsonl").write_text("{}\n")
    found = message(tmp_path / "pair.jsonl")
    assert found == f"There is no file or folder {tmp_path / 'pair.jsonl'}; did you mean 'pairs.jsonl'?"
    assert message(tmp_path / "no" / "where.csv") == f"There is no file or folder {tmp_path / 'no' / 'where.csv'}"
    assert message("nul\0.csv").startswith("There is no file or folder")
    assert "can't be read" in message("x" * 5000 + ".csv")


def test_an_unknown_kind_of_file_or_folder_says_what_is_expected(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    assert "notes.txt is of an unknown kind (.txt). Expected a file (.jsonl, .json, .csv" in message(
        tmp_path / "notes.txt"
    )
    (tmp_path / "notes").write_text("hello")
    assert "is of an unknown kind (no suffix)" in message(tmp_path / "notes")
    assert "is no folder of a known kind; found in it: notes, notes.txt. Expected" in message(tmp_path)
    (tmp_path / "empty").mkdir()
    assert "found in it: nothing" in message(tmp_path / "empty")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.db", "a.py"])
def test_an_empty_file_of_any_kind(tmp_path, name):
    (tmp_path / name).touch()
    assert message(tmp_path / name) == f"{tmp_path / name} is empty (0 bytes); expected at least one row"


def test_suffixes_are_read_in_any_case_and_a_question_mark_may_be_in_a_name(tmp_path):
    path = tmp_path / "why?=.JSONL"
    path.write_text(json.dumps({"anchor": "a", "positive": "b"}) + "\n")
    assert data.read(str(path)) == Pairs(["a"], ["b"], [()])


def test_a_choice_where_there_is_none(tmp_path):
    (tmp_path / "a.csv").write_text("anchor,positive\na,b\n")
    assert "there is no such choice; known: none for this kind of data" in message(f"{tmp_path / 'a.csv'}?table=x")


def test_a_folder_with_the_suffix_of_a_file_is_a_folder(tmp_path):
    (tmp_path / "a.csv").mkdir()
    assert "is no folder of a known kind" in message(tmp_path / "a.csv")
