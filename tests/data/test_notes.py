"""Notes cut into parts: headings, paragraphs, budgets, and the line that each part starts on."""

import pytest

from mlx_metaembed import data
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.readers import notes
from mlx_metaembed.errors import CallError

NOTE = """---
title: not text
---
Before any heading,
two lines.

# Bread #

Flour and water.

```
# no heading
x = 1

y = 2
```

## Yeast
## Salt
Two grams.
"""


def parts(tmp_path, content, name="a.md"):
    path = tmp_path / name
    path.write_text(content)
    return list(notes.parts(path, Faults(path, 100_000)))


def test_a_part_is_a_section_with_its_heading_and_the_line_it_starts_on(tmp_path):
    assert parts(tmp_path, NOTE) == [
        (4, "Before any heading,\ntwo lines."),
        (7, "# Bread #\n\nFlour and water.\n\n```\n# no heading\nx = 1\n\ny = 2\n```"),
        (18, "## Yeast"),
        (19, "## Salt\n\nTwo grams."),
    ]


def test_a_long_section_is_cut_between_paragraphs_and_each_part_has_the_heading(tmp_path, monkeypatch):
    monkeypatch.setattr(notes, "BUDGET", 20)
    assert parts(tmp_path, "# H\n\none two three\n\nfour five\n\nsix\n") == [
        (1, "# H\n\none two three"),
        (5, "# H\n\nfour five\n\nsix"),
    ]
    # At a line's end, else a sentence's, else a word's; the line counts on.
    assert parts(tmp_path, "aaaa bbbb cccc\ndddd eeee ffff. gggg hhhh\n", "b.txt") == [
        (1, "aaaa bbbb cccc"),
        (2, "dddd eeee ffff."),
        (2, "gggg hhhh"),
    ]
    assert parts(tmp_path, "x" * 45, "c.txt") == [(1, "x" * 20), (1, "x" * 20), (1, "x" * 5)]


def test_plain_text_has_no_headings(tmp_path):
    assert parts(tmp_path, "# one\n---\ntwo\n", "a.txt") == [(1, "# one\n---\ntwo")]


def test_a_folder_of_notes_has_a_place_for_each_part(tmp_path):
    for name, content in {"b.md": "# B\ntext", "sub/a.txt": "\none\n", ".hidden/x.md": "no", "c.png": "no"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "loop").symlink_to(tmp_path)
    found = data.read_texts(tmp_path)
    assert found.ids == [f"{tmp_path}/b.md:1", f"{tmp_path}/sub/a.txt:2"]
    assert (found.texts, found.lines[1]) == (["# B\n\ntext", "one"], (f"{tmp_path}/sub/a.txt", 2))
    with pytest.raises(CallError, match=r"is no folder of a known kind.*Its notes can be indexed: metaembed index"):
        data.read(tmp_path)


def test_faults_of_every_note_are_in_one_error(tmp_path):
    (tmp_path / "a.md").write_bytes(b"ok\n\xff\n")
    (tmp_path / "b.md").write_bytes(b"\xff\xfea\x00")
    with pytest.raises(CallError) as error:
        data.read_texts(tmp_path)
    assert "a.md, line 2: byte 3 of the file (0xFF) is not UTF-8" in str(error.value)
    assert "b.md, line 1: the file is UTF-16" in str(error.value)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "empty.md").touch()
    with pytest.raises(CallError, match="holds no text"):
        data.read_texts(tmp_path / "c")
