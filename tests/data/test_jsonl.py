"""JSON lines: every shape, and every fault with its line and column, all in one error."""

import json

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Labelled, Pairs, Scored


@pytest.fixture
def write(tmp_path):
    def write(*lines, name="rows.jsonl"):
        path = tmp_path / name
        encoded = [line if isinstance(line, bytes) else json.dumps(line, ensure_ascii=False).encode() for line in lines]
        path.write_bytes(b"\n".join(encoded) + b"\n")
        return path

    return write


PAIR = {"anchor": "an apple", "positive": "a fruit"}


def test_pairs_note_other_columns(write):
    path = write({"id": 3, **PAIR}, {"id": None, "positive": "a root", "anchor": "a carrot"})
    rows = data.read(path)
    assert rows == Pairs(["an apple", "a carrot"], ["a fruit", "a root"], [(), ()])
    assert rows.notes == ("Columns that nothing reads: 'id'",)


def test_numbered_negatives_come_in_the_order_of_their_numbers(write):
    row = {"negative_10": "ten", "negative_2": "two", "negative": "zero", **PAIR}
    assert data.read(write(row)).negatives == [("zero", "two", "ten")]


@pytest.mark.parametrize("names", [("query", "positive"), ("query", "answer"), ("question", "answer")])
def test_other_names_of_pairs(write, names):
    path = write(dict(zip((*names, "negative"), "abc", strict=True)))
    assert data.read(path) == Pairs(["a"], ["b"], [("c",)])


def test_flagembedding_gives_one_row_a_positive_with_all_negatives(write):
    path = write(
        {"query": "a", "pos": ["p", "q"], "neg": ["n", "m"], "pos_scores": [], "neg_scores": None, "id": 1},
        {"query": "b", "pos": ["r"], "neg": [], "pos_scores": None, "neg_scores": None, "id": 2},
    )
    assert data.read(path) == Pairs(["a", "a", "b"], ["p", "q", "r"], [("n", "m"), ("n", "m"), ()])


def test_scored_pairs_and_labelled_texts(write):
    scored = write({"sentence1": "a", "sentence2": "b", "score": 4}, {"sentence1": "c", "sentence2": "d", "score": 0.5})
    assert data.read(scored) == Scored(["a", "c"], ["b", "d"], [4.0, 0.5])
    labelled = write({"text": "a", "label": "spam"}, {"text": "b", "label": 7})
    assert data.read(labelled) == Labelled(["a", "b"], ["spam", "7"])


def test_a_byte_order_mark_carriage_returns_and_blank_lines_are_accepted(tmp_path):
    path = tmp_path / "rows.json"
    path.write_bytes(b'\xef\xbb\xbf\r\n{"anchor": "\xc3\xa4", "positive": "b"}\r\n\r\n   \r\n')
    assert data.read(path) == Pairs(["ä"], ["b"], [()])


def test_bytes_and_characters_are_counted_from_the_start_of_file_and_line(write):
    path = write(b'\xef\xbb\xbf{"anchor": "\xff"}', b"  {]")
    found = message(path)
    assert "line 1: byte 15 of the file (0xFF)" in found
    assert "line 2, character 4: not JSON" in found


def test_line_separators_of_unicode_do_not_end_a_line(write):
    row = {"anchor": "one\u2028two\x85three", "positive": "b"}
    assert data.read(write(row)).anchors == ["one\u2028two\x85three"]


def test_every_fault_of_a_file_is_in_one_error(write):
    path = write(
        PAIR,
        b'{"anchor": "a", "positive" "b"}',
        {"anchor": "a"},
        {"anchor": "a", "positive": None},
        {"anchor": 5, "positive": " \t"},
        {"anchor": "", "positive": ["b"]},
        {"sentence1": "a", "sentence2": "b", "score": 1},
        {"anchor": "a", "positive": "b", "negative": "c"},
        [1],
        b'{"anchor": "\xff", "positive": "b"}',
        {"anchor": "x" * 50, "positive": "b"},
        b'{"anchor": "\\ud800", "positive": "b"}',
        b'{"anchor": "a", "anchor": "b", "positive": "c"}',
        PAIR,
        {"anchor": "a", "positive": "b", "negative": "c"},
    )
    start = sum(len(line) + 1 for line in path.read_bytes().split(b"\n")[:9])
    assert message(path, max_characters=50).split("\n") == [
        f"{path} has 15 faults:",
        "  - line 2, character 28: not JSON (Expecting ':' delimiter); expected one object a line",
        "  - line 3, column 'positive': missing; line 1 has it, and found are anchor",
        "  - line 4, column 'positive': null; expected text",
        "  - line 5, column 'anchor': the number 5; expected text",
        "  - line 5, column 'positive': only white space; expected text",
        "  - line 6, column 'anchor': empty; expected text",
        "  - line 6, column 'positive': a list; expected text",
        "  - line 7: columns sentence1, sentence2, score, but line 1 has anchor, positive; one file has one shape",
        "  - line 8, column 'negative': line 1 has no such column; every row has the same",
        '  - line 9: a list; expected an object such as {"anchor": ..., "positive": ...}',
        f"  - line 10: byte {start + 12} of the file (0xFF) is not UTF-8; save the file as UTF-8",
        "  - line 11, column 'anchor': 50 characters; expected fewer than 50. Cut the text, or raise the limit with "
        "--max-characters",
        "  - line 12, column 'anchor': not valid Unicode (half of a surrogate pair, or bytes that are not UTF-8)",
        "  - line 13, column 'anchor': stands twice in the object",
        "  - line 15, column 'negative': line 1 has no such column; every row has the same",
        "Mend these rows or leave them out; nothing was done.",
    ]


def test_a_text_of_100_000_characters_is_a_fault_and_one_less_is_not(write):
    long = write({"anchor": "a", "positive": "x" * 100_000})
    assert "line 1, column 'positive': 100,000 characters; expected fewer than 100,000" in message(long)
    assert "--max-characters" in message(long)
    assert len(data.read(long, max_characters=100_001)) == 1
    assert len(data.read(write({"anchor": "a", "positive": "x" * 99_999}))) == 1


def test_a_negative_that_later_rows_lack_is_missing(write):
    path = write({**PAIR, "negative_1": "n", "negative_2": "m"}, {**PAIR, "negative_1": "n"})
    assert "line 2, column 'negative_2': missing; line 1 has it" in message(path)


def test_unknown_columns_are_one_fault_with_the_closest_shape(write):
    path = write(*[{"anchor": "a", "positve": "b"}] * 1000)
    found = message(path)
    assert "line 1: columns 'anchor', 'positve' fit no known shape; closest is (anchor, positive)" in found
    assert "which lacks 'positive' (1,000 rows like this)" in found
    assert "sentence1, sentence2, score" in found
    assert found.count("line ") == 1


def test_an_unknown_first_row_does_not_hide_the_faults_of_later_ones(write):
    found = message(write({"foo": "a"}, PAIR, {**PAIR, "anchor": None}))
    assert "line 1: columns 'foo' fit no known shape" in found
    assert "line 3, column 'anchor': null" in found


def test_columns_of_two_shapes_are_ambiguous(write):
    found = message(write({**PAIR, "text": "t", "label": "l"}))
    assert "fit more than one shape: (anchor, positive) and (text, label); leave out what is not meant" in found


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (b'"high"', "a text; expected a number"),
        (b'"0.5"', "a text; expected a number"),
        (b"null", "null; expected a number"),
        (b"true", "true; expected a number"),
        (b"NaN", "nan; expected a finite number"),
        (b"-Infinity", "-inf; expected a finite number"),
        (b"1e999", "inf; expected a finite number"),
        (b"1" + b"0" * 400, "inf; expected a finite number"),
    ],
)
def test_a_score_must_be_a_finite_number(write, score, words):
    path = write(b'{"sentence1": "a", "sentence2": "b", "score": ' + score + b"}")
    assert f"line 1, column 'score': {words}" in message(path)


@pytest.mark.parametrize("label", [None, 1.5, "", ["x"]])
def test_a_label_must_be_a_name_or_a_whole_number(write, label):
    assert "line 1, column 'label': " in message(write({"text": "a", "label": label}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pos": "p"}, "line 1, column 'pos': a text; expected a list of texts"),
        ({"pos": []}, "line 1, column 'pos': an empty list; expected at least one text"),
        ({"pos": ["p", ""]}, "line 1, item 2, column 'pos': empty"),
        ({"neg": None}, "line 1, column 'neg': null; expected a list of texts; write [] where there are none"),
        ({"neg": ["n", 3]}, "line 1, item 2, column 'neg': the number 3; expected text"),
        ({"pos_scores": [0.5]}, "line 1, column 'pos_scores': a score, which nothing reads and which would be lost"),
        ({"neg_scores": [0.1]}, "on purpose, say so: --columns 'neg_scores='"),
        ({"prompt": "Find: "}, "line 1, column 'prompt': a prompt, which nothing reads"),
        ({"type": "only_1neg"}, "line 1, column 'type': FlagEmbedding's kind of a row, which nothing reads"),
        ({"query": None}, "line 1, column 'query': null; expected text"),
    ],
)
def test_faults_of_flagembedding_rows(write, change, words):
    row = {"query": "a", "pos": ["p"], "neg": ["n"]}
    assert words in message(write(row | change))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty (0 bytes); expected at least one row"),
        (b"\n \n", "has no rows; expected at least one"),
        (b"\xef\xbb\xbf", "has no rows; expected at least one"),
        (b'[\n {"anchor": "a"}\n]', "row 1: columns 'anchor' fit no known shape"),
        (b'[\n {"anchor": "a"},\n]', "line 3, character 1: not JSON"),
        (b"[\n]", "holds an empty array; expected at least one row"),
        (b"\xff\xfe{\x00}\x00", "line 1: the file is UTF-16; save it as UTF-8"),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "line 1: not JSON that can be read"),
        (b'{"a": ' + b"1" * 5000 + b"}\n", "line 1: not JSON that can be read"),
        (b"{}\n", "line 1: columns none fit no known shape"),
        (b"\x00\x01\x02\n", "line 1, character 1: not JSON"),
    ],
)
def test_files_that_hold_no_rows(tmp_path, content, words):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    assert words in message(path)
    assert str(path) in message(path)


def test_past_twenty_faults_are_counted(write):
    found = message(write(PAIR, *[{**PAIR, "anchor": None}] * 30))
    assert "has 30 faults:" in found
    assert "  - line 21, column 'anchor'" in found
    assert "line 22" not in found
    assert "  - and 10 more" in found
