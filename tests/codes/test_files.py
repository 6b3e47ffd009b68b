"""A code's folder: whole or absent, of one model, and refused where it is torn."""

import json
from pathlib import Path

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed.codes import files, kinds
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk, safetensors

MODEL = {"weights": "00ff", "settings": "aa00"}
VECTORS = clustered(600, 20)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    out = tmp_path / "codes" / "small"
    files.save(kinds.fit("scalar", VECTORS, 6), out, model=MODEL, fitted={"texts": 600})
    return out


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_a_code_comes_back_as_it_was(kind: str, tmp_path: Path):
    least, most = kinds.KINDS[kind].span(20)
    codec = kinds.fit(kind, VECTORS, min(max(3, least), most))
    files.save(codec, tmp_path / "one", model=MODEL, fitted={"texts": 600, "seed": 0})
    stored = files.load(tmp_path / "one")
    assert (stored.model, stored.fitted) == (MODEL, {"texts": 600, "seed": 0})
    assert type(stored.codec) is type(codec)
    codes = stored.codec.encode(VECTORS)
    assert np.array_equal(codes, codec.encode(VECTORS))
    assert np.array_equal(stored.codec.score(VECTORS[:3], codes), codec.score(VECTORS[:3], codes))


def test_its_json_says_what_it_is(saved: Path):
    said = json.loads((saved / "code.json").read_text())
    assert {key: said[key] for key in ("format", "kind", "bytes_per_vector", "dimensions", "model")} == {
        "format": "metaembed-code-1",
        "kind": "scalar",
        "bytes_per_vector": 6,
        "dimensions": 20,
        "model": MODEL,
    }
    assert sum(said["bits"]) == 4


def test_a_code_of_before_gives_what_it_gave(saved: Path):
    now = files.load(saved).codec
    said = json.loads((saved / "code.json").read_text())
    assert said.pop("unit") is True
    disk.write_json(saved / "code.json", said)
    before = files.load(saved).codec
    codes = now.encode(VECTORS)
    lengths = now.lengths(codes)
    assert not before.unit and np.abs(lengths - 1).max() > 0.01
    np.testing.assert_allclose(before.decode(codes), now.decode(codes) * lengths[:, None], atol=1e-6)


def test_a_code_that_is_there_is_never_overwritten(saved: Path):
    with pytest.raises(CallError, match="already holds something"):
        files.save(kinds.fit("binary", VECTORS, 2), saved, model=MODEL, fitted={})


def test_a_missing_code_names_those_that_are_there(saved: Path):
    with pytest.raises(CallError, match=r"There is no code 'smal' .*did you mean 'small'.*there are small"):
        files.load(saved.parent / "smal")


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_torn_arrays_are_refused(saved: Path, size: int):
    path = saved / "code.safetensors"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CallError, match=r"damaged: code.safetensors: [\d,]+ bytes, [\d,]+ were written"):
        files.load(saved)


def test_a_swapped_or_missing_file_is_refused(saved: Path):
    path = saved / "code.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(CallError, match="its content changed"):
        files.load(saved)
    path.unlink()
    with pytest.raises(CallError, match=r"code\.safetensors: missing"):
        files.load(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "metaembed-code-9"}, "is not of the format 'metaembed-code-1'"),
        ({"kind": "scaler"}, "has the kind 'scaler'; known: scalar"),
        ({"bits": [9]}, r"bits = \(9,\), expected 1 to 8 a block"),
        ({"bits": "many"}, "bits = 'many', expected whole numbers"),
        ({"bits": []}, r"bits = \[\], expected whole numbers"),
        ({"dimensions": 0}, "dimensions = 0, expected whole numbers"),
        ({"dimensions": 21}, r"mean: shape \[20\], expected \[21\]"),
        ({"bytes_per_vector": 7}, "bytes_per_vector = 7, its parts make 6"),
        ({"kind": "residual"}, "codebooks: missing in code.safetensors"),
        ({"model": None}, "model: expected the fingerprint"),
        ({"fitted": 3}, "fitted: expected how it was fitted"),
        ({"unit": 1}, "unit = 1, expected true or false"),
    ],
)
def test_a_json_that_contradicts_the_arrays_is_refused(saved: Path, change: dict, message: str):
    said = json.loads((saved / "code.json").read_text())
    disk.write_json(saved / "code.json", said | change)
    with pytest.raises(CallError, match=message):
        files.load(saved)


def test_arrays_that_are_no_numbers_are_refused(saved: Path):
    from mlx_metaembed.files import checksums

    arrays = safetensors.read(saved / "code.safetensors")
    arrays["levels"] = np.where(arrays["levels"] > 0, np.float32(np.nan), 0)
    safetensors.write(saved / "code.safetensors", arrays)
    said = json.loads((saved / "code.json").read_text())
    said["files"] = {"code.safetensors": checksums.of_file(saved / "code.safetensors")}
    disk.write_json(saved / "code.json", said)
    with pytest.raises(CallError, match="levels: expected finite float32 numbers"):
        files.load(saved)


def test_a_code_of_another_model_is_refused(saved: Path):
    stored = files.load(saved)
    files.require_model(stored, dict(MODEL), saved)
    with pytest.raises(CallError, match="is of another model: its weights differ"):
        files.require_model(stored, MODEL | {"weights": "0100"}, saved)
    with pytest.raises(CallError, match="is of another model: its weights and settings differ"):
        files.require_model(stored, {}, saved)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(path: Path, content: dict) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.disk, "write_json", full)
    with pytest.raises(JobError, match="No space left on device"):
        files.save(kinds.fit("binary", VECTORS, 2), tmp_path / "codes" / "one", model=MODEL, fitted={})
    assert list((tmp_path / "codes").iterdir()) == []


@pytest.mark.parametrize("name", ["", ".hidden", "../up", "a/b", "x" * 65, "a b"])
def test_names_are_those_that_a_folder_can_have_everywhere(name: str):
    with pytest.raises(CallError, match="can't be called"):
        files.require_name(name)
    files.require_name("code-32.v2")
