"""Folders of source code: as files, and as a git repository."""

import os
import subprocess

import pytest
from code_rows import PYTHON


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "shop.py").write_text(PYTHON)
    return folder


@pytest.fixture
def git(tree):
    """What runs git in a repository of the tree."""
    known = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        known |= {f"GIT_{who}_NAME": "a", f"GIT_{who}_EMAIL": "a@b", f"GIT_{who}_DATE": "2024-01-01T00:00:00Z"}

    def git(*words):
        done = subprocess.run(["git", *words], cwd=tree, env=os.environ | known, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(message, **files):
        for name, text in files.items():
            (tree / f"{name}.py").write_text(text)
        git("add", "-A")
        git("commit", "-q", "--allow-empty", "-m", message)
        return git("rev-parse", "HEAD")

    git("init", "-q", "-b", "main")
    git.commit = commit
    return git
