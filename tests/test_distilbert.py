"""DistilBERT's own names in config.json, wherever a width or a depth is read."""

from pathlib import Path

import pytest
from golden_variants import altered
from test_encoders import GOLDEN, encoder

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.train.plan import activation_bytes


def test_width_and_depth_are_read_under_its_names():
    folder = folders.read(GOLDEN / "distilbert")
    assert folder.hidden_size == folder.dimensions == 32
    # 2 layers x 4 bytes x (10 x 32 + 4 x 64 + 3 heads' worth x 4 x 16 tokens)
    assert activation_bytes(folder.architecture, 16, 4) == 2 * 4 * (10 * 32 + 4 * 64 + 3 * 4 * 16)
    # What is written is what was read.
    assert "hidden_size" not in folder.config


def test_a_width_of_no_name_is_a_fault(tmp_path: Path):
    with pytest.raises(CallError, match="has no 'hidden_size'"):
        folders.read(altered(tmp_path / "m", "distilbert", {"dim": ...}))


def test_a_missing_key_is_named(tmp_path: Path):
    with pytest.raises(CallError, match="n_heads is missing"):
        encoder("mlx", altered(tmp_path / "m", "distilbert", {"n_heads": ...}))
