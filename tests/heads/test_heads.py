"""Heads on disk and off: fields, shapes, bytes, and files that are wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import safetensors
from mlx_metaembed.heads import Fsq, parse_levels


def test_levels_are_read_in_both_spellings():
    assert parse_levels("4x3") == (4, 4, 4)
    assert parse_levels("8,8,8,5") == (8, 8, 8, 5)
    for wrong in ("", "1x4", "4x", "4xz", "a", "8,,5", "4x0", "4x999999999", "99999x2", "4x65537"):
        with pytest.raises(CallError, match="like 4x64"):
            parse_levels(wrong)


def test_new_weights_are_orthonormal_rows_and_the_same_for_a_seed():
    head = Fsq(16, (4,) * 8)
    first = head.initial(3)["projection.weight"]
    np.testing.assert_allclose(first @ first.T, 16 * np.eye(8), atol=1e-4)
    np.testing.assert_array_equal(first, head.initial(3)["projection.weight"])
    assert not np.array_equal(first, head.initial(4)["projection.weight"])


def test_written_heads_are_read_back(tiny: Path, tmp_path: Path):
    head = Fsq(32, (4, 8))
    arrays = {f"codes.{name}": array for name, array in head.initial(0).items()}
    for name in ("config.json", "modules.json"):
        (tmp_path / name).write_text((tiny / name).read_text())
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text((tiny / "1_Pooling" / "config.json").read_text())
    heads.write({"codes": head}, arrays, tmp_path)
    found, read = heads.read(folders.read(tmp_path))
    assert found == {"codes": head}
    np.testing.assert_array_equal(read["codes.projection.weight"], arrays["codes.projection.weight"])

    listing = tmp_path / "metaembed" / "heads.json"
    listing.write_text(json.dumps({"codes": {"type": "fqs"}, "other": {"type": "fsq", "wide": 1}}))
    with pytest.raises(CallError, match=r"(?s)'fqs' is not known; did you mean 'fsq'.*other: "):
        heads.read(folders.read(tmp_path))
    listing.write_text(json.dumps({"codes": {"type": [1]}, "other": {"type": "fsq", "levels": ["4"]}}))
    with pytest.raises(
        CallError, match=r"(?s)codes: type \[1\] is not known.*other: levels = \['4'\], expected a list"
    ):
        heads.read(folders.read(tmp_path))
    listing.write_text(json.dumps({"codes": {"type": "fsq", "in_features": 32, "levels": [4, 8, 8]}}))
    with pytest.raises(CallError, match=r"projection.weight: shape \(2, 32\)"):
        heads.read(folders.read(tmp_path))
    safetensors.write(tmp_path / "metaembed" / "heads.safetensors", {})
    with pytest.raises(CallError, match="missing"):
        heads.read(folders.read(tmp_path))


def test_what_no_head_can_have_is_named(tiny: Path, tmp_path: Path):
    source = Path(shutil.copytree(tiny, tmp_path / "source"))
    heads.write({"codes": Fsq(32, (4, 8))}, {}, source)
    listing = source / "metaembed" / "heads.json"
    wrong = {
        "codes: levels hold 1, expected 2 to 65,536 each": {"type": "fsq", "in_features": 32, "levels": [4, 1]},
        "codes: levels hold 65537, expected 2": {"type": "fsq", "in_features": 32, "levels": [65537, 8]},
        "codes: 0 levels, expected 1 to 65,536": {"type": "fsq", "in_features": 32, "levels": []},
        "codes: ignored holds -1, expected ids": {"type": "lexical", "in_features": 32, "ignored": [0, -1]},
        "codes: 1,001 tokens are ignored": {"type": "lexical", "in_features": 32, "ignored": [1] * 1001},
        "codes: out_features = 0, expected 1": {"type": "multi_vector", "in_features": 32, "out_features": 0},
    }
    for message, fields in wrong.items():
        listing.write_text(json.dumps({"codes": fields}))
        with pytest.raises(CallError, match=message):
            heads.read(folders.read(source))


@pytest.mark.parametrize("level", [2, 3, 4, 5, 8, 16])
def test_a_new_head_spreads_texts_over_its_codes(level: int):
    """Bits a digit carries before anything is trained, of random unit vectors: near the most that it can."""
    head = Fsq(384, (level,) * 64)
    x = np.random.default_rng(0).standard_normal((2000, 384)).astype(np.float32)
    digits = head.digits(head(head.initial(1), x / np.linalg.norm(x, axis=1, keepdims=True)))
    for column in digits.T:
        shares = np.bincount(column, minlength=level) / len(column)
        assert -(shares * np.log2(np.maximum(shares, 1e-12))).sum() > 0.93 * np.log2(level)
