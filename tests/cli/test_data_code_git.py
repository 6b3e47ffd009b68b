"""`metaembed data code` in a git repository: commits of rows, rows of commits, damaged and hostile repositories."""

import os

from code_rows import FUNCTION, PYTHON, made, read, refused


def test_files_of_a_repository_say_their_commit(tree, git, tmp_path, capsys, monkeypatch):
    git("remote", "add", "origin", "https://somebody:secret@host.example/owner/shop.git")
    (tree / ".gitignore").write_text("built.py\n")
    head = git.commit("Add the shop")
    (tree / "built.py").write_text(PYTHON.replace("rate", "built"))
    (tree / "changed.py").write_text(PYTHON.replace("rate", "new"))
    found, _ = made(capsys, tree, tmp_path / "a.jsonl")
    assert [(row["path"], row["commit"], row["repo"]) for row in read(tmp_path / "a.jsonl")] == [
        ("changed.py", None, "host.example/owner/shop"),
        ("shop.py", head, "host.example/owner/shop"),
    ]
    assert found["skipped"] == {"ignored by git": 1}
    monkeypatch.chdir(tree)
    assert made(capsys, ".", tmp_path / "b.jsonl")[0]["skipped"] == {"ignored by git": 1}


def test_rows_of_commits(tree, git, tmp_path, capsys):
    git.commit("Add the shop to everything")
    both = FUNCTION.format("first", 1) + "\n\n" + FUNCTION.format("second", 2)
    added = git.commit("feat(shop): Sort what was found (#12)\n\nWith more words.", both=both)
    changed = git.commit("Add four to the second", both=both.replace("+ 2", "+ 4"))
    git.commit("Update README", both=both.replace("+ 2", "+ 5"))
    git.commit("Change many things at once", many="\n\n".join(FUNCTION.format(f"f{at}", at) for at in range(11)))
    git.commit("Move everything elsewhere now", moved=both.replace("+ 2", "+ 5"), both="x = 1\n")
    git.commit("Say nothing of functions", other="x = 1\n")
    found, _ = made(capsys, tree, tmp_path / "a.jsonl", "--kind", "commit")
    second = FUNCTION.format("second", 2).rstrip("\n")
    rows = read(tmp_path / "a.jsonl")
    assert [(row["anchor"], row["positive"], row["commit"]) for row in rows] == [
        ("Add four to the second", second.replace("+ 2", "+ 4"), changed),
        ("Sort what was found", FUNCTION.format("first", 1).rstrip("\n"), added),
        ("Sort what was found", second, added),
    ]
    assert (rows[0]["path"], rows[0]["lines"], rows[0]["name"], rows[0]["repo"]) == ("both.py", "6-8", "second", "tree")
    assert found["commits"] == 7 and found["files"] == 0
    assert found["skipped"] == {"no content": 1, "too many functions": 1, "no function changed": 2}
    found, _ = made(capsys, tree, tmp_path / "a.jsonl", "--kind", "commit", "--max-commits", 6)
    assert found["rows"] == 3 and found["commits"] == 6


def test_a_history_that_is_damaged(tree, git, tmp_path, capsys):
    git.commit("Add the shop to everything")
    git.commit("Sort what was found", other=FUNCTION.format("first", 1))
    name = git("rev-parse", "HEAD^{tree}")
    path = tree / ".git" / "objects" / name[:2] / name[2:]
    path.chmod(0o644)
    path.unlink()
    err = refused(capsys, tree, tmp_path / "a.jsonl", "--kind", "commit")
    assert "git can't read the whole history of" in err and not (tmp_path / "a.jsonl").exists()
    _, err = made(capsys, tree, tmp_path / "a.jsonl")
    assert "its rows say no commit" in err and read(tmp_path / "a.jsonl")[0]["commit"] is None
    os.mkfifo(path)
    assert "is a pipe, a socket or a device" in refused(capsys, tree, tmp_path / "b.jsonl", "--kind", "commit")


def test_a_repository_runs_nothing(tree, git, tmp_path, capsys):
    mark = tmp_path / "ran"
    script = tmp_path / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    git.commit("Add the shop to everything")
    git.commit("Sort what was found", other=FUNCTION.format("first", 1))
    (tree / ".gitattributes").write_text("*.py diff=mine filter=mine\n")
    for name in ("core.fsmonitor", "diff.external", "diff.mine.textconv", "diff.mine.command", "core.pager"):
        git("config", name, str(script))
    for name in ("filter.mine.clean", "filter.mine.smudge", "filter.mine.process", "gpg.program", "core.sshCommand"):
        git("config", name, str(script))
    git("config", "log.showSignature", "true")
    mark.unlink(missing_ok=True)
    made(capsys, tree, tmp_path / "a.jsonl", "--kind", "commit")
    made(capsys, tree, tmp_path / "a.jsonl")
    assert not mark.exists()


def test_git_that_is_not_there_or_can_not_read(tree, git, tmp_path, capsys, monkeypatch):
    err = refused(capsys, tree, tmp_path / "a.jsonl", "--kind", "commit")
    assert "git can't read the repository" in err and "it has no commit" in err
    git.commit("Add the shop to everything")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "needs the program git, which is not installed" in refused(
        capsys, tree, tmp_path / "a.jsonl", "--kind", "commit"
    )
    _, err = made(capsys, tree, tmp_path / "a.jsonl")
    assert "its rows say no commit" in err and read(tmp_path / "a.jsonl")[0]["commit"] is None
