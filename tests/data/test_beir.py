"""BEIR folders: joined texts, the chosen split, grades, and faults across the three files."""

import json

import pytest
from calls import message

from mlx_metaembed import data
from mlx_metaembed.data import Retrieval
from mlx_metaembed.data.readers import beir
from mlx_metaembed.errors import CallError

CORPUS = [
    {"_id": "d1", "title": "Plums", "text": "are fruit"},
    {"_id": "d2", "title": "", "text": "roots"},
    {"_id": 3, "text": "leaves"},
    {"_id": "d4", "title": "Only a title", "text": ""},
]
QUERIES = [{"_id": "q1", "text": "fruit?"}, {"_id": "q2", "text": "roots?"}, {"_id": "q3", "text": "never asked"}]
QRELS = "query-id\tcorpus-id\tscore\nq2\td2\t1\nq1\td1\t2\nq1\t3\t1\nq1\td2\t0\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "qrels").mkdir()

    def folder(corpus=CORPUS, queries=QUERIES, **qrels):
        (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in corpus))
        (tmp_path / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
        for name, text in qrels.items():
            (tmp_path / "qrels" / f"{name}.tsv").write_text(text)
        return tmp_path

    return folder


def test_texts_grades_and_ids(folder):
    assert data.read(folder(test=QRELS)) == Retrieval(
        queries=["fruit?", "roots?"],
        corpus=["Plums are fruit", "roots", "leaves", "Only a title"],
        relevant=[{0: 2.0, 2: 1.0}, {1: 1.0}],
        query_ids=["q1", "q2"],
        corpus_ids=["d1", "d2", "3", "d4"],
    )


def test_test_is_preferred_another_split_can_be_named_and_the_only_one_is_taken(folder):
    path = folder(train="q3\td1\t1\n")
    assert data.read(path).query_ids == ["q3"]
    folder(test=QRELS)
    assert beir.splits(path) == ["test", "train"]
    assert data.read(path).query_ids == ["q1", "q2"]
    assert data.read(f"{path}?qrels=train").query_ids == ["q3"]


def test_without_test_dev_is_taken_and_other_splits_must_be_chosen_from(folder):
    path = folder(dev=QRELS, train="q3\td1\t1\n")
    found = data.read(path)
    assert found.query_ids == ["q1", "q2"] and found.notes == ("Judgements: qrels/dev.tsv",)
    assert "has no qrels/dve.tsv; its qrels: dev, train; did you mean 'dev'?" in message(f"{path}?qrels=dve")
    (path / "qrels" / "dev.tsv").rename(path / "qrels" / "mine.tsv")
    told = "has 2 files in qrels (mine, train) and none is test.tsv or dev.tsv; choose one like this"
    assert told in message(path)


@pytest.mark.parametrize(
    "qrels",
    [
        QRELS.partition("\n")[2],
        QRELS.replace("query-id\tcorpus-id\tscore", "qid\tdoc\trelevance"),
        QRELS.replace("\t", " "),
        QRELS.replace("\n", "\r\n"),
        "q2 0 d2   1\nq1 0 d1 2\nq1 0 3 1\nq1 0 d2 0\n",
        QRELS.replace("\t1\n", "\t1.0\n") + "\n",
    ],
    ids=["no header", "another header", "spaces", "ends of lines", "TREC", "grades with a point"],
)
def test_judgements_are_read_as_people_write_them(folder, qrels):
    assert data.read(folder(test=qrels)).relevant == [{0: 2.0, 2: 1.0}, {1: 1.0}]


def test_a_first_row_that_is_wrong_is_no_header(folder):
    assert "qrels/test.tsv, line 1, column 'score': 'high'; expected a number" in message(folder(test="q1\td1\thigh\n"))


def test_a_query_with_no_judgement_above_0_is_a_note(folder):
    found = data.read(folder(test=QRELS + "q3\td1\t0\n"))
    assert found.query_ids == ["q1", "q2"]
    assert found.notes[1:] == ("Queries without a judgement above 0, left out where pytrec_eval gives 0: 1",)


def test_a_text_without_a_word_is_searched_but_not_learnt_from(folder):
    corpus = [*CORPUS, {"_id": "d5", "title": "", "text": " "}]
    path = folder(corpus, test=QRELS, train=QRELS)
    found = data.read(path)
    assert found.corpus[4] == ""
    assert found.notes[1:] == ("Texts of corpus.jsonl without a word, searched all the same: 1",)
    with pytest.raises(CallError, match=r"corpus\.jsonl, line 5, column 'text': only white space"):
        data.read(path, training=True)


def test_every_fault_of_the_three_files(folder):
    corpus = [CORPUS[0], {"_id": "d1", "text": "again"}, {"_id": None, "text": "x"}, {"title": "y"}, [1]]
    queries = [{"_id": "q1", "text": " "}]
    path = folder(corpus, queries, test="query-id\tcorpus-id\tscore\nq1\td1\thigh\nq9\td1\t1\nq1\td9\t1\nq1 d1\n")
    assert message(path).split("\n") == [
        f"{path} has 10 faults:",
        "  - corpus.jsonl, line 2, column '_id': 'd1' stands twice in the file",
        "  - corpus.jsonl, line 3, column '_id': null; expected text",
        "  - corpus.jsonl, line 4, column '_id': missing; found are title",
        "  - corpus.jsonl, line 4, column 'text': missing; found are title",
        '  - corpus.jsonl, line 5: a list; expected an object such as {"anchor": ..., "positive": ...}',
        "  - queries.jsonl, line 1, column 'text': only white space; expected text",
        "  - qrels/test.tsv, line 2, column 'score': 'high'; expected a number",
        "  - qrels/test.tsv, line 3, column 'query-id': 'q9' is not in queries.jsonl",
        "  - qrels/test.tsv, line 4, column 'corpus-id': 'd9' is not in corpus.jsonl",
        "  - qrels/test.tsv, line 5: 2 cells; expected query-id, corpus-id and score with tabs between them",
        "Mend these rows or leave them out; nothing was done.",
    ]


def test_titles_and_texts_of_a_wrong_type(folder):
    found = message(
        folder([{"_id": "d", "title": 5, "text": "x"}, {"_id": "e", "title": "t", "text": None}], test=QRELS)
    )
    assert "corpus.jsonl, line 1, column 'title': the number 5; expected text" in found
    assert "corpus.jsonl, line 2, column 'text': null; expected text" in found


def test_folders_that_lack_something(folder):
    path = folder()
    assert "has 0 files in qrels (none) and none is test.tsv or dev.tsv; expected qrels/test.tsv" in message(path)
    folder(test="q1\td1\t0\n")
    assert "qrels/test.tsv names no relevant text for any query" in message(path)
    folder([], test=QRELS)
    assert "corpus.jsonl: empty; expected one object a line with _id and text" in message(path)
    (path / "queries.jsonl").unlink()
    assert "lacks queries.jsonl" in message(path)
