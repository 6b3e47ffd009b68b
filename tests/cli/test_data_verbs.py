"""`metaembed data`: its answer, its errors, and that training takes what it writes."""

import json

from calls import call


def test_messages_become_rows_that_train(tiny, tmp_path, capsys):
    log, out = tmp_path / "log.jsonl", tmp_path / "out.jsonl"
    rows = [{"sender": "ab"[at % 2], "text": f"message {at}", "time": 1e9 + at} for at in range(8)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    status, said, _ = call(capsys, "data", "messages", log, out, "--json")
    found = json.loads(said)
    assert (status, found["rows"], found["threads"], found["messages"]) == (0, 7, 1, 8)
    words = ["train", "--model", tiny, "--data", out, "--out", tmp_path / "run", "--iters", 1, "--batch-size", 4]
    status, _, err = call(capsys, *words)
    assert status == 0, err


def test_a_wrong_call(tmp_path, capsys):
    status, out, err = call(capsys, "data", "messages", tmp_path / "none.db", tmp_path / "out.jsonl")
    assert (status, out) == (2, "") and "There is no file or folder" in err
    status, _, err = call(capsys, "data", "mesages", "a", "b")
    assert status == 2 and "did you mean 'messages'?" in err
    status, _, err = call(capsys, "data", "messages", "a", "b", "--seed", 1, "--seed", 2)
    assert status == 2 and "--seed is given 2 times" in err
