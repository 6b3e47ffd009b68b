"""Makes tiny random language models with NumPy and a word tokenizer, as folders in Hugging Face's layout."""

from pathlib import Path

import numpy as np
from tiny import save, tokenizer

from mlx_metaembed.files import disk, safetensors

SPECIALS = ("<pad>", "<unk>", "<s>", "</s>")
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 96,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "bos_token_id": 2,
    "eos_token_id": 3,
}


def tiny_lm(path: Path, *, seed: int = 0, **config: object) -> Path:
    """Write a Llama of two layers and 32 features with random weights."""
    path.mkdir(parents=True)
    made = {key: value for key, value in (CONFIG | config).items() if value is not None}
    random = np.random.default_rng(seed)
    arrays = {}
    for name, shape in shapes(made).items():
        values = random.standard_normal(shape).astype(np.float32) * 0.15
        arrays[name] = values + 1 if name.endswith("norm.weight") else values
    disk.write_json(path / "config.json", made)
    safetensors.write(path / "model.safetensors", arrays)
    save(tokenizer(SPECIALS, "<s> $A"), path)
    return path


def shapes(config: dict) -> dict[str, tuple[int, ...]]:
    """Every tensor by the checkpoint's names."""
    width, wide = config["hidden_size"], config["intermediate_size"]
    own = width // config["num_attention_heads"] * config["num_key_value_heads"]
    found = {"model.embed_tokens.weight": (config["vocab_size"], width), "model.norm.weight": (width,)}
    if not config["tie_word_embeddings"]:
        found["lm_head.weight"] = (config["vocab_size"], width)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        found |= {
            f"{at}self_attn.q_proj.weight": (width, width),
            f"{at}self_attn.k_proj.weight": (own, width),
            f"{at}self_attn.v_proj.weight": (own, width),
            f"{at}self_attn.o_proj.weight": (width, width),
            f"{at}mlp.gate_proj.weight": (wide, width),
            f"{at}mlp.up_proj.weight": (wide, width),
            f"{at}mlp.down_proj.weight": (width, wide),
            f"{at}input_layernorm.weight": (width,),
            f"{at}post_attention_layernorm.weight": (width,),
        }
    return found
