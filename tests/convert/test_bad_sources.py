"""Sources that can't be converted: each fault is named, and nothing is left at OUT."""

import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from checkpoints import with_weights
from pickled import archive

from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors


def config_of(source: Path, **changed: object) -> None:
    disk.write_json(source / "config.json", disk.read_json(source / "config.json") | changed)


def no_weights(source: Path) -> None:
    (source / "model.safetensors").unlink()


def truncated(source: Path) -> None:
    os.truncate(source / "model.safetensors", 5_000)


def pickled_safetensors(source: Path) -> None:
    (source / "model.safetensors").write_bytes(pickle.dumps({"w": [1.0] * 20}))


def hostile_pickle(source: Path) -> None:
    (source / "model.safetensors").unlink()
    proof = source.parent / "ran"

    class Runs:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {proof}",)

    archive(source / "pytorch_model.bin", pickle.dumps(Runs(), protocol=2), {})


def many_tokens(source: Path) -> None:
    arrays = safetensors.read(source / "model.safetensors")
    arrays["embeddings.word_embeddings.weight"] = arrays["embeddings.word_embeddings.weight"][:10]
    config_of(source, vocab_size=10)
    with_weights(source, arrays)


def no_tokenizer(source: Path) -> None:
    (source / "tokenizer.json").unlink()


def broken_tokenizer(source: Path) -> None:
    (source / "tokenizer.json").write_text("{")


def useless_vocabulary(source: Path) -> None:
    (source / "tokenizer.json").unlink()
    (source / "spiece.model").write_bytes(b"\0\1\2")


def broken_config(source: Path) -> None:
    (source / "config.json").write_text('{\n"model_type": "bert",\n"hidden_size": 32,,\n}')


def no_config(source: Path) -> None:
    (source / "config.json").unlink()


BAD = {
    "no weights": (no_weights, "has no weights: expected model.safetensors"),
    "truncated": (truncated, "model.safetensors is truncated"),
    "pickle for safetensors": (pickled_safetensors, "is a pickle or a zip, not safetensors"),
    "hostile pickle": (hostile_pickle, "system, which is no part of a tensor; nothing of it was run"),
    "unknown family": (lambda source: config_of(source, model_type="berd"), "did you mean 'bert'? Supported: bert"),
    "quantized by another": (
        lambda source: config_of(source, quantization_config={"quant_method": "gptq"}),
        "is quantized by 'gptq', which is not known",
    ),
    "too many tokens": (many_tokens, "embeddings.word_embeddings.weight has 10 rows"),
    "no tokenizer": (no_tokenizer, "has no tokenizer; expected tokenizer.json, or one of vocab.txt"),
    "broken tokenizer": (broken_tokenizer, "is no tokenizer file"),
    "useless vocabulary": (useless_vocabulary, "its older files give none"),
    "broken config": (broken_config, "config.json, line 3, column 19: not JSON"),
    "no config": (no_config, "is no model folder: it has no config.json"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_source_is_named_and_leaves_nothing(source: Path, tmp_path: Path, name: str) -> None:
    bend, message = BAD[name]
    bend(source)
    with pytest.raises(CallError) as error:
        convert(source, tmp_path / "out")
    assert message in str(error.value)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source"]


def test_a_bad_call_is_named(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r"dtype 'floot16' is not known; did you mean 'float16'"):
        convert(source, tmp_path / "out", dtype="floot16")
    with pytest.raises(CallError, match="already holds something"):
        convert(source, source)
    (source / "model.tflite").write_bytes(b"TFL3")
    with pytest.raises(
        CallError,
        match=r"model\.tflite is no weights file that is known; expected \.safetensors, \.gguf, \.onnx, \.bin",
    ):
        convert(source / "model.tflite", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def limited() -> None:
    """What a full disk does to a process, without filling one."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def test_no_space_left_fails_and_leaves_nothing(source: Path, tmp_path: Path) -> None:
    program = "from mlx_metaembed.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "convert", str(source), str(tmp_path / "out")],
        capture_output=True,
        text=True,
        preexec_fn=limited,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"metaembed: Could not write {tmp_path / 'out'}: File too large. What was there before is untouched.\n"
    )
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("empty", ["", None, {}])
def test_an_empty_quantization_is_none(tiny: Path, tmp_path: Path, empty: object):
    source = tmp_path / "source"
    shutil.copytree(tiny, source)
    config_of(source, quantization_config=empty)
    assert convert(source, tmp_path / "out").quantization is None
