"""What an index takes from a file."""

import pytest

from mlx_metaembed.errors import CallError
from mlx_metaembed.search import source


def read(tmp_path, name, content, **settings):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    found = source.read(path, **settings)
    return found.ids, found.texts


def test_lines_of_a_text_file(tmp_path):
    assert read(tmp_path, "a.txt", "one\n\n  two \nthree") == (["1", "3", "4"], ["one", "two", "three"])


def test_equal_texts_are_one_row(tmp_path):
    assert read(tmp_path, "a.txt", "one\ntwo\none\n") == (["1", "2"], ["one", "two"])


def test_json_lines_with_text_alone(tmp_path):
    assert read(tmp_path, "a.jsonl", '{"text": "one"}\n{"text": "two"}\n') == (["1", "2"], ["one", "two"])
    found = read(tmp_path, "b.jsonl", '{"id": "x", "text": "one"}\n{"id": 7, "text": "two"}\n')
    assert found == (["x", "7"], ["one", "two"])


def test_a_beir_corpus_has_its_titles(tmp_path):
    found = read(
        tmp_path,
        "corpus.jsonl",
        '{"_id": "x", "title": "T", "text": "one"}\n{"_id": "y", "title": "", "text": "two"}\n',
    )
    assert found == (["x", "y"], ["T one", "two"])


@pytest.mark.parametrize(
    ("row", "texts"),
    [
        ('{"anchor": "q", "positive": "p", "negative": "n"}', ["p", "n"]),
        ('{"text": "t", "label": "l"}', ["t"]),
        ('{"sentence1": "s", "sentence2": "z", "score": 1}', ["s"]),
    ],
)
def test_of_training_data_the_texts_to_find_are_taken(tmp_path, row, texts):
    assert read(tmp_path, "a.jsonl", row + "\n")[1] == texts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", "", "is empty"),
        ("a.txt", "\n \n", "holds no text"),
        ("a.txt", b"good\n\xff\xfe bad\n", "line 2: byte 5"),
        ("a.txt", "x" * 50 + "\nshort\n" + "y" * 60, r"2 faults:\n  - line 1: 50 characters.*\n  - line 3: 60 char"),
        (
            "a.jsonl",
            '{"text": "a"}\n{"text": ""}\n{"text": 5}\n{"txt": "a"}\n',
            "3 faults(.|\n)*line 2(.|\n)*line 3(.|\n)*line 4",
        ),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "line 2"),
        (
            "a.jsonl",
            '{"id": "x", "text": "a"}\n{"id": "x", "text": "b"}\n',
            "line 2, column 'id': 'x' stands on line 1",
        ),
        ("a.jsonl", '{"id": null, "text": "a"}\n', "line 1, column 'id': null"),
        ("a.jsonl", '{"body": "a"}\n', "fit no known shape"),
        ("a.pdf", "x", "unknown kind"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_faults_are_named(tmp_path, name, content, message):
    with pytest.raises(CallError, match=message):
        read(tmp_path, name, content, max_characters=50)


def test_a_missing_file(tmp_path):
    with pytest.raises(CallError, match="There is no file"):
        source.read(tmp_path / "none.txt")
