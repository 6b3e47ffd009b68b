"""The rows of a run's metrics: what a killed run, or anyone else, left in the file."""

from pathlib import Path

import pytest

from mlx_metaembed.train import metrics

ROW = '{"step": 1, "elapsed_s": 2.5}\n'
LEFT = {
    "half a row": b'{"step": 2, "elap',
    "no row": b"[1]\n" + ROW.encode(),
    "a row without a step": b'{"loss": 1.0}\n',
    "a step in words": b'{"step": "2", "elapsed_s": 1}\n',
    "bytes": b"\xff\x00\n" + ROW.encode(),
    "depth": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("case", LEFT)
def test_what_follows_a_row_that_is_none_is_dropped(tmp_path: Path, case: str):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(ROW.encode() + LEFT[case])
    assert metrics.read(path) == [{"step": 1, "elapsed_s": 2.5}]
    assert metrics.keep_until(path, 1) == 2.5
    assert path.read_text() == ROW
