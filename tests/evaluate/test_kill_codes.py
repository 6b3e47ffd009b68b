"""A fit of a code that is killed before any call that changes the folder gives the same code once it goes on."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from conftest import TESTED
from tiny import TEXTS

WALK = Path(__file__).parents[1] / "killing_codes.py"


def test_a_kill_at_any_change_is_made_good(tiny: Path, tmp_path: Path):
    model = shutil.copytree(tiny, tmp_path / "model")
    words, random = " ".join(TEXTS).split(), np.random.default_rng(3)
    lines = list(dict.fromkeys(" ".join(random.choice(words, 4)) for _ in range(320)))[:290]
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"text": line}) + "\n" for line in lines))
    command = [sys.executable, str(WALK), TESTED[0], str(model), str(texts)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    assert int(done.stdout.split()[-1]) > 20
