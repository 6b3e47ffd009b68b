"""`metaembed data split`: the parts, what may not be in both, and what can not be parted."""

import json

import pytest
from calls import call


def written(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def parts(tmp_path):
    return tmp_path / "train.jsonl", tmp_path / "held_out.jsonl"


def test_the_parts_have_all_rows_in_their_order_and_the_seed_draws(tmp_path, capsys, parts):
    rows = [{"anchor": f"a {at}", "positive": f"p {at}", "n": at} for at in range(100)]
    path = written(tmp_path / "a.jsonl", rows)
    status, out, err = call(capsys, "data", "split", path, *parts, "--share", 0.2, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert (found["train_rows"], found["held_out_rows"], found["groups"], found["largest"]) == (80, 20, 100, 1)
    train, held = map(read, parts)
    assert sorted(train + held, key=lambda row: row["n"]) == rows
    assert [row["n"] for row in train] == sorted(row["n"] for row in train)
    call(capsys, "data", "split", path, *parts, "--share", 0.2)
    assert read(parts[1]) == held
    call(capsys, "data", "split", path, *parts, "--share", 0.2, "--seed", 1)
    assert read(parts[1]) != held and len(read(parts[1])) == 20


def test_no_text_is_in_both_parts_whatever_its_column(tmp_path, capsys, parts):
    # Rows 2n and 2n + 1 share a text: as anchor and in a list of positives, with other white space.
    rows = [
        {"query": f"text {at // 2}", "pos": [f"own {at}"]}
        if at % 2
        else {"query": f"q {at}", "pos": [f"text   {at // 2}"]}
        for at in range(40)
    ]
    assert call(capsys, "data", "split", written(tmp_path / "a.jsonl", rows), *parts, "--share", 0.3)[0] == 0
    train, held = ({" ".join(t.split()) for row in read(each) for t in (row["query"], *row["pos"])} for each in parts)
    assert not train & held and len(read(parts[1])) == 12


@pytest.mark.parametrize("seed", range(3))
def test_no_group_is_in_both_parts(tmp_path, capsys, parts, seed):
    rows = [{"text": f"text {at}", "label": "same", "customer": at % 7} for at in range(70)]
    path = written(tmp_path / "a.jsonl", rows)
    assert call(capsys, "data", "split", path, *parts, "--by", "customer", "--seed", seed, "--share", 0.3)[0] == 0
    train, held = ({row["customer"] for row in read(each)} for each in parts)
    assert not train & held and len(held) == 2


def test_whole_folders_are_held_out(tmp_path, capsys, parts):
    rows = [{"text": f"text {at}", "path": f"{'abcdef'[at % 6]}/{at % 4}/{at}.py"} for at in range(60)]
    rows += [{"text": f"root {at}", "path": f"{at}.py"} for at in range(4)]
    path = written(tmp_path / "a.jsonl", rows)
    for depth, groups in ((1, 7), (2, 13), (9, 13)):
        words = ("--by", "path", "--depth", depth, "--share", 0.3, "--json")
        status, out, _ = call(capsys, "data", "split", path, *parts, *words)
        assert status == 0 and json.loads(out)["groups"] == groups
        train, held = ({"/".join(row["path"].split("/")[:-1][:depth]) for row in read(each)} for each in parts)
        assert not train & held
    assert "--depth cuts the paths of a column" in call(capsys, "data", "split", path, *parts, "--depth", 1)[2]


def test_a_group_is_no_text(tmp_path, capsys, parts):
    rows = [{"text": "1", "room": "0"}, {"text": "0", "room": "2"}, {"text": "room 2", "room": "3"}]
    _, out, _ = call(capsys, "data", "split", written(tmp_path / "a.jsonl", rows), *parts, "--by", "room", "--json")
    assert json.loads(out)["groups"] == 3


def test_a_csv_file_is_parted_too(tmp_path, capsys, parts):
    (tmp_path / "a.csv").write_text("sentence1,sentence2,score\n" + "".join(f"a {at},b {at},{at}\n" for at in range(6)))
    assert call(capsys, "data", "split", tmp_path / "a.csv", *parts, "--share", 0.5)[0] == 0
    assert {row["score"] for each in parts for row in read(each)} == set(range(6))


def test_what_can_not_be_parted(tmp_path, capsys, parts):
    rows = [{"anchor": f"a {at}", "positive": f"p {at}", "negative": "one for all"} for at in range(10)]
    path = written(tmp_path / "a.jsonl", rows)
    status, out, err = call(capsys, "data", "split", path, *parts)
    assert (status, out) == (2, "") and "10 rows hang together in 1 group" in err and "--columns negative=" in err
    assert not any(each.exists() for each in parts)
    assert call(capsys, "data", "split", path, *parts, "--columns", "negative=")[0] == 0
    assert [set(row) for row in read(parts[1])] == [{"anchor", "positive"}]
    status, _, err = call(capsys, "data", "split", path, *parts, "--by", "person", "--columns", "negative=")
    assert status == 2 and "no column 'person'" in err
    assert "name two files" in call(capsys, "data", "split", path, parts[0], parts[0])[2]
    assert "is the source itself" in call(capsys, "data", "split", path, path, parts[0])[2]
    assert "expected a name that ends in .jsonl" in call(capsys, "data", "split", path, "a.csv", parts[0])[2]
