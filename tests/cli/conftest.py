"""Folders of source code, as files and as a git repository; a model to fit codes to, and texts for them."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from code_rows import PYTHON
from tiny import TEXTS


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


@pytest.fixture
def model(tiny: Path, tmp_path: Path) -> Path:
    """The tiny model in a folder that codes may be written into."""
    return Path(shutil.copytree(tiny, tmp_path / "model"))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Three hundred texts of the tiny model's words."""
    words, random = " ".join(TEXTS).split(), np.random.default_rng(3)
    lines = dict.fromkeys(" ".join(random.choice(words, 4 + at % 7)) for at in range(320))
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps({"text": line}) + "\n" for line in list(lines)[:300]))
    return path
