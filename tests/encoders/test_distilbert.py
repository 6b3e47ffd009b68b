"""DistilBERT's own names in config.json, wherever a width or a depth is read."""

from pathlib import Path

import pytest
from golden_variants import altered
from states import GOLDEN, encoder

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError
from mlx_metaembed.training.plan.activations import Shape


def test_width_and_depth_are_read_under_its_names():
    folder = folders.read(GOLDEN / "distilbert")
    assert folder.hidden_size == folder.dimensions == 32
    assert Shape.of(folder.architecture) == Shape("bert", layers=2, hidden=32, wide=64, heads=4, query=32, shared=32)
    # What is written is what was read.
    assert "hidden_size" not in folder.config


def test_a_width_of_no_name_is_a_fault(tmp_path: Path):
    with pytest.raises(CallError, match="has no 'hidden_size'"):
        folders.read(altered(tmp_path / "m", "distilbert", {"dim": ...}))


def test_a_missing_key_is_named(tmp_path: Path):
    with pytest.raises(CallError, match="n_heads is missing"):
        encoder("mlx", altered(tmp_path / "m", "distilbert", {"n_heads": ...}))
