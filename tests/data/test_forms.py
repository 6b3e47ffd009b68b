"""Data as it lies: small files of the forms that public sets have, each read with the words that docs/data.md gives."""

import gzip
import json

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Labelled, Pairs, Scored


@pytest.fixture
def write(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_csv_without_a_header_is_told_by_position(write):
    assert data.read(write("a.csv", 'a,"b, c",2.5\nd,e,0\n'), no_header=True) == Scored(
        ["a", "d"], ["b, c", "e"], [2.5, 0.0]
    )
    assert data.read(write("a.tsv", "a\tb\nc\td\n"), no_header=True) == Pairs(["a", "c"], ["b", "d"], [(), ()])
    triplets = data.read(write("b.csv", "a,b,n\nc,d,m\n"), no_header=True)
    assert triplets == Pairs(["a", "c"], ["b", "d"], [("n",), ("m",)])


def test_positions_can_be_named_and_cells_must_agree_in_number(write):
    path = write("a.csv", "1,spam,buy now\n2,ham,see you\n")
    rows = data.read(path, no_header=True, columns="text=3,label=2")
    assert rows == Labelled(["buy now", "see you"], ["spam", "ham"])
    assert rows.notes == ("Columns that nothing reads: '1'",)
    assert "line 2: 2 cells, line 1 has 3" in message(write("b.csv", "a,b,c\nd,e\n"), no_header=True)
    assert "2 numbers" not in message(write("c.csv", "a,1,2,3\n"), no_header=True)
    assert "4 cells without names, which can't be told; name them: --columns anchor=1,positive=2" in message(
        write("d.csv", "a,b,c,4\n"), no_header=True
    )
    assert "--columns asks for it, and found are 1, 2" in message(
        write("e.csv", "a,b\n"), no_header=True, columns="anchor=1,positive=3"
    )


def test_a_json_array_of_objects_of_lists_and_inside_an_object(write):
    rows = [{"doc": "q", "code": "c", "idx": 1}, {"doc": "r", "code": "d", "idx": 2}]
    expected = Pairs(["q", "r"], ["c", "d"], [(), ()])
    chosen = {"columns": "anchor=doc,positive=code"}
    assert data.read(write("a.json", json.dumps(rows, indent=1)), **chosen) == expected
    assert data.read(write("b.json", json.dumps(rows)), **chosen) == expected
    inside = data.read(write("c.json", json.dumps({"version": 2, "data": rows}, indent=1)), **chosen)
    assert (inside, inside.notes[0]) == (expected, "The rows are those under 'data'")
    assert data.read(write("c1.json", json.dumps({"version": 2, "data": rows})), **chosen) == expected
    two = write("d.json", json.dumps({"train": {"rows": rows}, "dev": [], "old": [1], "x": [2]}, indent=1))
    assert data.read(f"{two}?rows=train.rows", **chosen) == expected
    assert f"with 2 arrays (old, x); expected an array of rows; choose one like this: '{two}?rows=old'" in message(two)
    assert "no 'tran' for ?rows=tran; found are train, dev, old, x; did you mean 'train'?" in message(
        f"{two}?rows=tran"
    )
    assert data.read(write("e.json", '[["q", "c"], ["r", "d"]]')) == expected
    assert data.read(write("f.jsonl", '["q", "c"]\n["r", "d"]\n')) == expected
    assert data.read(write("g.json", lines(*[{"anchor": "q", "positive": "c"}]))) == Pairs(["q"], ["c"], [()])


def test_gzip_lines(write):
    path = write("a.jsonl.gz", gzip.compress(lines({"anchor": "q", "positive": "c"}).encode()))
    assert data.read(path) == Pairs(["q"], ["c"], [()])
    assert data.read(write("a.tsv.gz", gzip.compress(b"text\tlabel\na b\tx\n"))) == Labelled(["a b"], ["x"])


def test_sentences_of_a_mapped_column_are_joined_and_listed_positives_are_rows(write):
    path = write("a.jsonl", lines({"title": "T", "source": ["One.", " Two. ", ""], "target": ["s", "t"]}))
    rows = data.read(path, columns="anchor=title,positive=source")
    assert rows == Pairs(["T"], ["One. Two."], [()])
    assert rows.notes[0] == "Column 'source' holds lists; the texts of each are joined by spaces"
    assert data.read(path, columns="query=title,pos=target") == Pairs(["T", "T"], ["s", "t"], [(), ()])
    assert "column 'positive': a list; expected text" in message(
        write("b.jsonl", lines({"anchor": "a", "positive": ["p"]}))
    )


def test_nested_fields(write):
    row = {"question": {"text": "q"}, "answers": [{"text": "a"}, {"text": "b"}], "meta.id": 3}
    path = write("a.jsonl", lines(row))
    assert data.read(path, columns="anchor=question.text,positive=answers.0.text") == Pairs(["q"], ["a"], [()])
    assert data.read(path, columns="query=question.text,pos=answers.text").positives == ["a", "b"]
    assert "column 'question.body': null; expected text" in message(
        path, columns="anchor=question.body,positive=answers.text"
    )


def test_a_class_column_of_another_name(write):
    path = write("a.csv", "text,category\nhello there,greeting\n")
    assert data.read(path, columns="label=category") == Labelled(["hello there"], ["greeting"])


NLI = "sentence1\tsentence2\tgold_label\na\tb\tentailment\na\tc\tcontradiction\na\td\tneutral\ne\tf\tcontradiction\n"


@pytest.mark.parametrize("columns", ["", "anchor=sentence1,positive=sentence2,label=gold_label"])
def test_entailed_hypotheses_are_positives_and_contradicted_ones_hard_negatives(write, columns):
    rows = data.read(write("a.tsv", NLI), columns=columns)
    assert rows == Pairs(["a"], ["b"], [("c",)])
    assert rows.notes == (
        "1 rows labelled 0 or contradiction are hard negatives of their anchor",
        "1 rows labelled 0 or contradiction are left out: no positive of their anchor, or a text twice",
        "1 rows labelled neutral are left out",
    )


def test_replies_of_a_folder_of_conversations(write, tmp_path):
    write("chat/b.ascii.txt", "[1] <x> hi\n[1] <y> hello x\n[2] <x> how?\n")
    write("chat/b.annotation.txt", "0 0 -\n0 1 -\n2 1 -\n\n")
    rows = data.read(tmp_path / "chat")
    assert rows == Pairs(["[1] <x> hi", "[1] <y> hello x"], ["[1] <y> hello x", "[2] <x> how?"], [(), ()])
    write("chat/b.annotation.txt", "0 7 -\nx\n")
    found = message(tmp_path / "chat")
    assert "b.annotation.txt, line 1: message 7; there are 3, numbered from 0" in found
    assert "b.annotation.txt, line 2: 'x'; expected the numbers of two messages" in found
    write("chat/c.annotation.txt", "0 1 -\n")
    assert "c.annotation.txt: expected it and c.ascii.txt beside it" in message(tmp_path / "chat")


def test_blocks_between_lines_of_stars(write):
    path = write("a.txt", "One easy.\nOne hard.\n*******\n\nTwo easy.\nTwo hard.\n*******\n")
    assert data.read(path) == Pairs(["One easy.", "Two easy."], ["One hard.", "Two hard."], [(), ()])
    other = write("b.txt", "a\nb\n%%\nc\nd\n")
    assert data.read(f"{other}?separator=%25%25") == Pairs(["a", "c"], ["b", "d"], [(), ()])
    assert "is of an unknown kind (.txt)" in message(other)
    assert "has no line '%'" in message(f"{other}?separator=%25")
    assert "line 4: 1 cells, line 1 has 2" in message(write("c.txt", "a\nb\n***\nc\n***\n"))
