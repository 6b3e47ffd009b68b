"""Codes of a model's folder: carried where the vectors stay, left behind with a word where they do not."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from coded_vectors import clustered

from mlx_metaembed import embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.codes import files, kinds
from mlx_metaembed.convert.checkpoint import convert
from mlx_metaembed.evaluate import code_fit
from mlx_metaembed.export import mlx, sentence_transformers
from mlx_metaembed.search import fingerprint


@pytest.fixture
def model(source: Path) -> Path:
    """The tiny model with two codes, the second of another model."""
    own = fingerprint.of(folders.read(source))
    codec = kinds.fit("scalar", clustered(300, 32), 8)
    for name, marks in (("mine", own), ("other", own | {"weights": "0" * 16})):
        files.save(codec, source / "metaembed" / "codes" / name, model=marks, fitted={"texts": 300, "kept_r10": 0.5})
    return source


def loaded(path: Path) -> files.Stored:
    folder = folders.read(path)
    return code_fit.load(folder, "mine", fingerprint.of(folder))


def names(path: Path) -> list[str]:
    return files.names(path / "metaembed" / "codes")


@pytest.mark.parametrize("dtype", [None, "float16"])
@pytest.mark.parametrize("how", ["convert", "export", "save"])
def test_a_code_comes_along(how: str, dtype: str | None, model: Path, tmp_path: Path):
    out, heard = tmp_path / "out", []
    if how == "convert":
        convert(model, out, dtype=dtype, note=heard.append)
    elif how == "export":
        sentence_transformers.export(folders.read(model), out, dtype=dtype, note=heard.append)
    else:
        embedder.load(model).save(out, note=heard.append)
    assert names(out) == ["mine"]
    before, after = loaded(model), loaded(out)
    vectors = clustered(20, 32)
    np.testing.assert_array_equal(after.codec.encode(vectors), before.codec.encode(vectors))
    assert after.fitted == {"texts": 300, "kept_r10": 0.5}
    assert [line for line in heard if line.startswith("Left out: The code") and "of another model" in line]


def test_other_settings_leave_it_behind(model: Path, tmp_path: Path):
    heard: list[str] = []
    declared = {"prompts": {"query": "q: "}}
    sentence_transformers.export(folders.read(model), tmp_path / "out", declared=declared, note=heard.append)
    assert names(tmp_path / "out") == []
    assert any("its settings are not those" in line and "mine, other" in line for line in heard)


def test_what_was_set_since_it_was_loaded_leaves_it_behind(model: Path, tmp_path: Path):
    heard: list[str] = []
    changed = embedder.load(model)
    changed.similarity_fn_name = "dot"
    changed.save(tmp_path / "out", note=heard.append)
    assert names(tmp_path / "out") == []
    assert any("codes/mine is of another model: its settings differ" in line for line in heard)


def test_quantized_weights_leave_it_behind(model: Path, tmp_path: Path, mlx_engine: str):
    heard: list[str] = []
    mlx.export(folders.read(model), tmp_path / "out", bits=4, group_size=32, note=heard.append)
    assert names(tmp_path / "out") == []
    assert any(line.startswith("Left out, since quantized weights give other vectors") for line in heard)


def test_averaged_weights_leave_it_behind(model: Path, tmp_path: Path):
    base, heard = Path(shutil.copytree(model, tmp_path / "base")), []
    out = tmp_path / "out"
    sentence_transformers.export(folders.read(model), out, average_with_base=0.5, base=base, note=heard.append)
    assert names(out) == []
    assert any(line.startswith("Left out, since the weights were averaged") for line in heard)


def test_a_model_without_codes_says_nothing(source: Path, tmp_path: Path):
    heard: list[str] = []
    sentence_transformers.export(folders.read(source), tmp_path / "out", note=heard.append)
    assert not heard and not (tmp_path / "out" / "metaembed" / "codes").exists()
