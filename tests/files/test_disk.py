"""JSON of a folder: whatever stands there is content or one message with its path."""

import json
import os
from pathlib import Path

import pytest

from mlx_metaembed.errors import CallError, JobError, faults
from mlx_metaembed.files import disk

DEEP = "[" * 100_000 + "]" * 100_000
WRONG = {
    "no JSON": ("{", "line 1, column 2: not JSON"),
    "two values": ("{} {}", "line 1, column 4: not JSON (Extra data)"),
    "depth": (DEEP, "is JSON that can't be read: maximum recursion depth"),
    "digits": ("9" * 5000, "is JSON that can't be read: Exceeds the limit (4300 digits)"),
    "half a character": (r'{"a": ["\ud83d"]}', r"has half a character, '\ud83d'"),
    "half a name": (r'{"\udc00": 1}', r"has half a character, '\udc00'"),
    "not UTF-8": (b"\xff\xfe{\x00}\x00", "is not UTF-8 text (byte 0)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_json_that_is_none_is_named(tmp_path: Path, case: str):
    text, message = WRONG[case]
    (tmp_path / "a.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CallError) as error:
        disk.read_json(tmp_path / "a.json")
    assert str(error.value).startswith(str(tmp_path / "a.json")) and message in str(error.value)


def test_whole_characters_in_escapes_are_read(tmp_path: Path):
    (tmp_path / "a.json").write_text(r'["\ud83d\ude00", "\u00e9"]')
    assert disk.read_json(tmp_path / "a.json") == ["\U0001f600", "\u00e9"]


def test_what_is_no_file_is_not_opened(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    said = {
        "pipe": "it is a device or a pipe",
        "zero": "it is a device or a pipe",
        "folder": "it is a folder",
        "loop": "Too many levels of symbolic links",
        "a" * 300: "File name too long",
    }
    for name, message in said.items():
        with pytest.raises(CallError, match=message):
            disk.read_json(tmp_path / name)


def test_a_file_larger_than_any_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(disk, "MOST_JSON_BYTES", 10)
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_text(json.dumps(["long enough"]))
    with pytest.raises(CallError, match="has 15 bytes, expected at most 10"):
        disk.read_json(tmp_path / "config.json")
    assert disk.read_json(tmp_path / "tokenizer.json") == ["long enough"]


def test_an_object_is_asked_for(tmp_path: Path):
    assert disk.optional_json(tmp_path / "a.json") == {}
    (tmp_path / "a.json").write_text("[1]")
    for read in (disk.read_object, disk.optional_json):
        with pytest.raises(CallError, match=r"a\.json: expected an object, found \[1\]"):
            read(tmp_path / "a.json")


def test_a_fault_that_is_a_whole_file_is_cut():
    said = str(faults("Wrong:", ["x" * 600, "y" * 500]))
    assert said == "Wrong:\n  - " + "x" * 500 + " ... and 100 more characters\n  - " + "y" * 500


def test_nothing_stands_at_out_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="No space left"), disk.replacing(tmp_path / "deep" / "out") as partial:
        (partial / "half").write_text("half")
        raise OSError(28, "No space left on device")
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_folder_within_a_file_is_the_callers_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "file/below"):
        with pytest.raises(CallError, match="is, or lies in, a file; expected the name of a folder"):
            disk.make_folder(tmp_path / name)
    with pytest.raises(CallError, match="file is, or lies in, a file"), disk.replacing(tmp_path / "file" / "out"):
        raise AssertionError("nothing is written")


def test_a_folder_named_by_a_dot_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with disk.replacing(Path()) as partial:
        (partial / "a").write_text("a")
    assert [file.name for file in (tmp_path / "here").iterdir()] == ["a"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path: Path) -> None:
    with disk.replacing(tmp_path / "out") as partial:
        name = partial.name
    (tmp_path / "out").rmdir()
    (tmp_path / name).mkdir()
    (tmp_path / name / "old").write_text("old")
    with disk.replacing(tmp_path / "out") as partial:
        (partial / "new").write_text("new")
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["new"]


def test_an_occupied_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a")
    (tmp_path / "file").write_text("f")
    with pytest.raises(CallError, match=r"already holds something \(a\)"):
        disk.require_vacant(tmp_path / "out")
    with pytest.raises(CallError, match="is a file"):
        disk.require_vacant(tmp_path / "file")
    disk.require_vacant(tmp_path / "absent")
