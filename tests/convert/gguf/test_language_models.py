"""Language models out of GGUF: the logits of the model that the file was made of, in transformers and in mlx-lm.

The files are made here as llama.cpp's converter makes them (`convert_hf_to_gguf.py`).
"""

import re
from pathlib import Path

import gguf_files
import numpy as np
import pytest

from mlx_metaembed.convert.checkpoint import convert
from mlx_metaembed.files import safetensors

IDS = [[5, 9, 40, 200, 7, 7, 130, 261, 3, 11]]
SIZES = {
    "vocab_size": gguf_files.WORDS,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 1,
}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
MODELS = {
    "llama": ("llama", {"rope_theta": 5000.0, "tie_word_embeddings": False}),
    "llama-tied": ("llama", {"rope_theta": 5000.0, "tie_word_embeddings": True}),
    "llama-wide-heads": ("llama", {"head_dim": 16, "tie_word_embeddings": True}),
    "llama-biased": ("llama", {"attention_bias": True, "mlp_bias": True}),
    "llama-linear": ("llama", {"rope_theta": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 4.0}}),
    "llama-3.1": ("llama", {"head_dim": 16, "rope_theta": 500_000.0, "rope_scaling": LLAMA3}),
    "qwen2": ("qwen2", {"rope_theta": 5000.0, "tie_word_embeddings": True}),
    "qwen3": ("qwen3", {"rope_theta": 5000.0, "head_dim": 16, "tie_word_embeddings": False}),
    "gemma": ("gemma", {"head_dim": 16}),
    "gemma2": ("gemma2", {"head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 32}),
    "gemma3": (
        "gemma3",
        {"hidden_size": 64, "head_dim": 16, "query_pre_attn_scalar": 16, "sliding_window": 32, "num_hidden_layers": 7},
    ),
    "phi3": ("phi3", {"tie_word_embeddings": False}),
}
NAMES = {
    r"model\.embed_tokens": "token_embd",
    r"model\.norm": "output_norm",
    "lm_head": "output",
    r"model\.layers\.(\d+)\.": r"blk.\1.",
    "input_layernorm": "attn_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
    r"self_attn\.([qk])_norm": r"attn_\1_norm",
    r"self_attn\.([qkv])_proj": r"attn_\1",
    r"self_attn\.qkv_proj": "attn_qkv",
    r"self_attn\.o_proj": "attn_output",
    r"mlp\.gate_up_proj": "ffn_up",
    r"mlp\.(gate|up|down)_proj": r"ffn_\1",
}


def config_of(kind: str, settings: dict):
    import transformers

    name = {"gemma3": "Gemma3TextConfig"}.get(kind, f"{kind.capitalize()}Config")
    return getattr(transformers, name)(**SIZES | settings)


def model_of(config):
    """A model whose random weights all matter."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.normal_(0, 0.2)
            if "norm" in name and not config.model_type.startswith("gemma"):
                weight += 1
    return model


def name_of(kind: str, name: str) -> str:
    four = kind in ("gemma2", "gemma3")
    name = name.replace("post_attention_layernorm", "post_attention_norm" if four else "ffn_norm")
    for own, theirs in NAMES.items():
        name = re.sub(own, theirs, name)
    return name


def permuted(rows: np.ndarray, heads: int) -> np.ndarray:
    """As LlamaModel.permute in convert_hf_to_gguf.py."""
    return rows.reshape(heads, 2, rows.shape[0] // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def written(path: Path, kind: str, config, model) -> Path:
    """The file that llama.cpp's converter makes of a model."""
    said = {
        "general.architecture": kind,
        f"{kind}.block_count": config.num_hidden_layers,
        f"{kind}.context_length": config.max_position_embeddings,
        f"{kind}.embedding_length": config.hidden_size,
        f"{kind}.feed_forward_length": config.intermediate_size,
        f"{kind}.attention.head_count": config.num_attention_heads,
        f"{kind}.attention.head_count_kv": config.num_key_value_heads,
        f"{kind}.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
    }
    if width := getattr(config, "head_dim", None):
        said |= {f"{kind}.attention.key_length": width, f"{kind}.attention.value_length": width}
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    said[f"{kind}.rope.freq_base"] = float(rope["rope_theta"])
    if rope.get("rope_type") == "linear":
        said |= {f"{kind}.rope.scaling.type": "linear", f"{kind}.rope.scaling.factor": rope["factor"]}
    if kind in ("gemma2", "gemma3"):
        said[f"{kind}.attention.sliding_window"] = config.sliding_window
    tensors = {}
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and config.tie_word_embeddings:
            continue
        array = weight.numpy().copy()
        if kind == "llama" and ".q_proj" in name:
            array = permuted(array, config.num_attention_heads)
        if kind == "llama" and ".k_proj" in name:
            array = permuted(array, config.num_key_value_heads)
        if kind.startswith("gemma") and "norm" in name:
            array += 1
        tensors[name_of(kind, name)] = array
    if rope.get("rope_type") == "llama3":
        plain = rope["rope_theta"] ** -(np.arange(0, config.head_dim, 2) / config.head_dim)
        tensors["rope_freqs.weight"] = (plain / model.model.rotary_emb.inv_freq.numpy()).astype(np.float32)
    return gguf_files.write(path, said | gguf_files.byte_pairs(), tensors)


@pytest.mark.parametrize("case", MODELS)
def test_logits_are_the_models_own(case: str, tmp_path: Path, torch_engine: str, mlx_engine: str):
    import mlx.core as mx
    import mlx_lm
    import torch
    from transformers import AutoModelForCausalLM

    kind, settings = MODELS[case]
    config = config_of(kind, settings)
    model = model_of(config)
    source = written(tmp_path / "a.gguf", kind, config, model)
    out = tmp_path / "out"
    made = convert(source, out)
    assert made.config["dtype"] == "float32"
    with torch.no_grad():
        expected = model(torch.tensor(IDS)).logits.numpy()
        loaded = AutoModelForCausalLM.from_pretrained(out)
        found = loaded(torch.tensor(IDS)).logits.numpy()
    assert type(loaded) is type(model)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    own, tokenizer = mlx_lm.load(str(out))
    # mlx-lm's gemma has the exact GELU, and its gemma3 the root of the width in bfloat16, which is exact for 64.
    atol = 2e-3 if kind == "gemma" else 1e-5
    np.testing.assert_allclose(np.array(own(mx.array(IDS))), expected, atol=atol)
    assert tokenizer.encode("sort the and") == tokenizer.encode("sort") + tokenizer.encode(" the and")


def test_the_reference_reader_gives_the_same_logits(tmp_path: Path, torch_engine: str):
    pytest.importorskip("gguf")
    pytest.importorskip("accelerate")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = gguf_files.llama(tmp_path / "a.gguf")
    convert(source, tmp_path / "out")
    reference = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="a.gguf", dtype=torch.float32)
    with torch.no_grad():
        expected = reference(torch.tensor(IDS)).logits.numpy()
        found = AutoModelForCausalLM.from_pretrained(tmp_path / "out")(torch.tensor(IDS)).logits.numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="a.gguf")
    ours = AutoTokenizer.from_pretrained(tmp_path / "out")
    text = "sort the  and<|turn|>, it's 12 é"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    chat = [{"role": "user", "content": "the"}]
    assert ours.apply_chat_template(chat, tokenize=False) == "the<|turn|>"
    assert (ours.eos_token, ours.bos_token, ours.pad_token) == ("<|turn|>", "<|end|>", "<|end|>")


def test_quantized_tensors_become_float16(tmp_path: Path):
    plain = gguf_files.llama_tensors()
    names = [name for name, tensor in plain.items() if tensor.ndim == 2]
    random, tensors = np.random.default_rng(0), dict(plain)
    for name in names:
        scales = np.full((plain[name].size // 32, 1), 0.01, np.float16).view(np.uint8)
        codes = random.integers(0, 256, (len(scales), 32), np.uint8)
        blocks = np.concatenate([scales, codes], axis=1)
        tensors[name] = gguf_files.Blocks("Q8_0", plain[name].shape, blocks.tobytes())
    path = gguf_files.write(tmp_path / "a.gguf", gguf_files.LLAMA | gguf_files.byte_pairs(), tensors)
    made = convert(path, tmp_path / "out")
    found = safetensors.read(tmp_path / "out" / "model.safetensors")
    assert made.config["dtype"] == "float16"
    assert {array.dtype for array in found.values()} == {np.dtype(np.float16)}
    data = np.frombuffer(tensors["blk.1.ffn_up.weight"].data, np.uint8).reshape(64, 34)
    expected = np.float16(0.01).astype(np.float32) * data[:, 2:].view(np.int8).astype(np.float32)
    np.testing.assert_array_equal(found["model.layers.1.mlp.up_proj.weight"], expected.astype(np.float16))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"scaling.type": "yarn", "scaling.factor": 4.0, "scaling.original_context_length": 16}, ("yarn", 4.0)),
        ({"scale_linear": 8.0}, ("linear", 8.0)),
        ({"scaling.type": "linear", "scaling.factor": 1.0}, None),
        ({"scaling.type": "none"}, None),
    ],
)
def test_how_positions_are_scaled(said: dict, expected: tuple | None, tmp_path: Path):
    keys = {f"llama__rope__{key.replace('.', '__')}": value for key, value in said.items()}
    made = convert(gguf_files.llama(tmp_path / "a.gguf", **keys), tmp_path / "out")
    found = made.config.get("rope_scaling")
    assert (found and (found["rope_type"], found["factor"])) == expected
    assert made.config["rope_theta"] == 5000


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_dtype_that_is_asked_for(dtype: str, tmp_path: Path):
    made = convert(gguf_files.llama(tmp_path / "a.gguf"), tmp_path / "out", dtype=dtype)
    header = safetensors.header(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in header.values()} == {safetensors.FLOATING[dtype]}
    assert made.config["dtype"] == dtype
