"""Numbers that are not finite: never given as vectors, and the weights that they come from are named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from states import GOLDEN
from word_weights import BERT

from mlx_metaembed import heads
from mlx_metaembed.cli import convert, embed, index
from mlx_metaembed.cli import eval as evaluate
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.heads import Fsq

NAME = "encoder.layer.0.attention.self.key.weight"


def spoilt(path: Path, source: Path, name: str, value: float = np.nan) -> Path:
    """A copy of a golden folder with one number of a tensor replaced."""
    shutil.copytree(source, path)
    file = path / "model.safetensors"
    arrays = {each: array.copy() for each, array in safetensors.read(file).items()}
    arrays[name].flat[0] = value
    safetensors.write(file, arrays)
    return path


def test_vectors_are_not_given(engine_name: str, tmp_path: Path):
    path = spoilt(tmp_path / "m", GOLDEN / "bert", NAME)
    model = load(path, engine=engine_name)
    with pytest.raises(JobError) as error:
        model.encode(["a list"])
    assert str(error.value).splitlines() == [
        f"{path} gives vectors that are not finite (NaN or infinity). Of its weights are not:",
        f"  - {NAME}: 1 of 1,024 numbers are NaN or infinite",
        "Fetch the model again.",
    ]


def test_nor_weights_of_words_or_tokens_vectors(engine_name: str, tmp_path: Path):
    model = load(spoilt(tmp_path / "splade", BERT, f"bert.{NAME}"), engine=engine_name)
    with pytest.raises(JobError, match="not finite"):
        model.encode_sparse(["a list"])
    path = spoilt(tmp_path / "colbert", GOLDEN / "colbert", NAME)
    with pytest.raises(JobError, match="not finite"):
        load(path, engine=engine_name).encode_token_vectors(["a list"])


def test_arithmetic_that_is_too_narrow_is_named(engine_name: str, tmp_path: Path):
    path = spoilt(tmp_path / "m", GOLDEN / "bert", "embeddings.LayerNorm.weight", 1e6)
    assert np.isfinite(load(path, engine=engine_name).encode(["a list"])).all()
    with pytest.raises(JobError, match="Its weights are finite: float16 is too narrow"):
        load(path, engine=engine_name, dtype="float16").encode(["a list"])


def test_the_verbs_end_in_status_1_and_leave_nothing(engine_name: str, tmp_path: Path):
    path = spoilt(tmp_path / "m", GOLDEN / "bert", NAME)
    (tmp_path / "corpus.jsonl").write_text('{"id": "1", "text": "a list"}\n')
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps({"anchor": f"a list {at}", "positive": f"a file {at}"}) + "\n" for at in range(4))
    )
    for verb, *words in (
        (embed, path, "a list"),
        (embed, path, "a list", "--output", tmp_path / "out.npy"),
        (index, path, tmp_path / "corpus.jsonl", tmp_path / "index"),
        (evaluate, path, "--data", tmp_path / "pairs.jsonl"),
    ):
        done = CliRunner().invoke(verb.command, [*map(str, words), "--engine", engine_name])
        assert isinstance(done.exception, JobError) and done.exception.exit_status == 1
        assert NAME in str(done.exception) and done.stdout == ""
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["corpus.jsonl", "m", "pairs.jsonl"]
    done = CliRunner().invoke(convert.command, [str(path), str(tmp_path / "out"), "--engine", engine_name])
    assert isinstance(done.exception, CallError) and f"{NAME}: 1 of 1,024 numbers are NaN" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_a_head_that_is_not_finite(engine_name: str, tmp_path: Path):
    path = Path(shutil.copytree(GOLDEN / "bert", tmp_path / "m"))
    head = Fsq(in_features=32, levels=(5, 5))
    arrays = {f"code.{name}": array for name, array in head.initial(0).items()}
    arrays["code.projection.bias"][1] = np.nan
    heads.write({"code": head}, arrays, path)
    model = load(path, engine=engine_name)
    assert np.isfinite(model.encode(["a list"])).all()
    with pytest.raises(JobError, match=r"code\.projection\.bias: 1 of 2 numbers"):
        model.encode(["a list"], head="code")
