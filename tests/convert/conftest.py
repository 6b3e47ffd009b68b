"""What the tests of conversion start from: a model to be bent."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def source(tmp_path: Path, tiny: Path) -> Path:
    """A copy of the tiny model, to be bent."""
    return Path(shutil.copytree(tiny, tmp_path / "source"))
