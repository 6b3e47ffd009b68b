"""Rows to mine negatives for, and calls of `metaembed mine`."""

import json

from calls import call
from tiny import TEXTS

ANCHORS = ["sort numbers", "read a file", "a socket", "parse a line", "walk folders", "join paths"]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_pairs(path):
    """Each of TEXTS as the answer of an anchor."""
    return write(path, [{"anchor": anchor, "positive": text} for anchor, text in zip(ANCHORS, TEXTS, strict=True)])


def mined(capsys, *args):
    """The answer and the rows of a call that ends well."""
    status, out, err = call(capsys, "mine", *args, "--json")
    assert status == 0, err
    answer = json.loads(out)
    with open(answer["out"], encoding="utf-8") as file:  # noqa: PTH123
        return answer, [json.loads(line) for line in file]


def refused(capsys, out, *args):
    status, said, err = call(capsys, "mine", *args)
    assert (status, said) == (2, ""), err
    assert not out.exists() and not out.with_name(out.name + ".mining").exists()
    return err
