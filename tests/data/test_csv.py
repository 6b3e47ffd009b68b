"""CSV and TSV: quoting, headers, cells, and faults by the line a record starts on."""

import csv

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Labelled, Pairs, Scored


@pytest.fixture
def write(tmp_path):
    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_quotes_commas_and_lines_inside_a_text(write):
    path = write('anchor,positive\n"a, b","say ""c""\nand d"\ne,f\n')
    assert data.read(path) == Pairs(["a, b", "e"], ['say "c"\nand d', "f"], [(), ()])


def test_byte_order_mark_blank_lines_and_spaced_header(write):
    path = write(b"\xef\xbb\xbftext, label ,more\r\n\r\nhello,greeting,\r\nbye,parting,x\r\n")
    assert data.read(path) == Labelled(["hello", "bye"], ["greeting", "parting"])


def test_tab_separated_texts_may_hold_commas(write):
    path = write('sentence1\tsentence2\tscore\na, b\t"c ""d"""\t3.8\n', "rows.tsv")
    assert data.read(path) == Scored(["a, b"], ['c "d"'], [3.8])


def test_every_fault_of_a_file_is_in_one_error(write):
    path = write(
        b"sentence1,sentence2,score\n"
        b"a,b,1\n"
        b'"two\nlines",b,high\n'
        b"a, ,2\n"
        b"a,b\n"
        b"a,b,c,3\n"
        b'"a" b,c,3\n'
        b"\xff,b,3\n"
        b"a,,nan\n"
        b"a,b,\n"
    )
    assert message(path).split("\n") == [
        f"{path} has 9 faults:",
        "  - line 3, column 'score': 'high'; expected a number",
        "  - line 5, column 'sentence2': only white space; expected text",
        "  - line 6: 2 cells, the header has 3",
        "  - line 7: 4 cells, the header has 3; a text with the separator in it needs quotes around it",
        "  - line 8: ',' expected after '\"'; double a quote inside a quoted cell",
        f"  - line 9: byte {path.read_bytes().index(0xFF)} of the file (0xFF) is not UTF-8; save the file as UTF-8",
        "  - line 10, column 'sentence2': empty; expected text",
        "  - line 10, column 'score': nan; expected a finite number",
        "  - line 11, column 'score': empty; expected a number",
        "Mend these rows or leave them out; nothing was done.",
    ]


def test_a_quote_that_is_never_closed_is_named_where_it_opens(write):
    assert "line 3: a quote is opened here and never closed" in message(write('text,label\na,x\n"b,y\nc,z\nd,w\n'))


def test_a_file_without_header_is_told_what_to_put_before_it(write):
    found = message(write("A plane is taking off.,An air plane is taking off.,5.0\n"))
    assert "line 1: columns 'A plane is taking off.', 'An air plane is taking off.', '5.0' fit no known shape" in found
    assert "Put a header line before it, such as: 'sentence1,sentence2,score'" in found
    found = message(write("A plane takes off\tSomething flies up there\n", "rows.tsv"))
    assert r"such as: 'anchor\tpositive'" in found


def test_a_header_of_unknown_names_lists_the_known_ones(write):
    found = message(write("text,category\nhello,greeting\n"))
    assert "columns 'text', 'category' fit no known shape; closest is (text, label), which lacks 'label'" in found
    assert "looks like a row" not in found
    assert "  query, pos [, negative or negative_1 .. negative_n or negatives]" in found
    assert "--columns anchor=title,positive=source" in found


def test_another_separator_is_recognised(write):
    assert "separated by a semicolon; expected a comma" in message(write("anchor;positive\na;b\n"))
    assert "separated by a comma; expected a tab" in message(write("anchor,positive\na,b\n", "rows.tsv"))


def test_a_name_that_stands_twice_is_a_fault(write):
    assert "line 1, column 'anchor': stands twice in the header" in message(write("anchor,anchor,positive\na,b,c\n"))


def test_lists_do_not_fit_into_cells(write):
    assert "line 2, column 'pos': a text; expected a list of texts" in message(write("query,pos\na,b\n"))


def test_a_long_text_is_named_by_the_kit_not_by_the_csv_module(write):
    before = csv.field_size_limit(60_000)
    path = write("anchor,positive\na," + "x" * 200_000 + "\n")
    assert "line 2, column 'positive': 200,000 characters; expected fewer than 100,000" in message(path)
    assert len(data.read(path, max_characters=200_001).positives[0]) == 200_000
    assert csv.field_size_limit(before) == 60_000


@pytest.mark.parametrize("text", ["anchor,positive\n", "anchor,positive\n\n\n", "\n\n"])
def test_a_file_without_rows(write, text):
    assert "has no rows; expected at least one" in message(write(text))


def test_an_utf16_file_is_one_fault(write):
    found = message(write("anchor,positive\na,b\n".encode("utf-16")))
    assert "line 1: the file is UTF-16; save it as UTF-8" in found
    assert found.count("line ") == 1
