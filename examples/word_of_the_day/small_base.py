"""A small Llama from scratch, where no base is named: random weights, and a tokenizer of the corpus."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from mlx_metaembed.files import disk, safetensors

START, END = "<s>", "</s>"
WIDTH, LAYERS, HEADS, WIDE, TOKENS, POSITIONS = 192, 3, 6, 512, 4_096, 512


def write(out: Path, corpus: Path, seed: int) -> None:
    """Write the folder of a base for the texts of a corpus."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=True), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        _texts(corpus),
        trainers.BpeTrainer(
            vocab_size=TOKENS, special_tokens=[START, END], initial_alphabet=alphabet, show_progress=False
        ),
    )
    config = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": made.get_vocab_size(),
        "hidden_size": WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "intermediate_size": WIDE,
        "max_position_embeddings": POSITIONS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10_000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 1,
    }
    random = np.random.default_rng(seed)
    arrays = {name: _drawn(random, shape) for name, shape in _shapes(config["vocab_size"]).items()}
    with disk.replacing(out) as partial:
        made.save(str(partial / "tokenizer.json"))
        disk.write_json(
            partial / "tokenizer_config.json",
            {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": START, "eos_token": END},
        )
        disk.write_json(partial / "config.json", config)
        safetensors.write(partial / "model.safetensors", arrays)


def _texts(corpus: Path) -> Iterator[str]:
    with corpus.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["text"]


def _drawn(random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Norms of one, and matrices of the width that GPT-2 begins with."""
    if len(shape) == 1:
        return np.ones(shape, np.float32)
    return (random.standard_normal(shape) * 0.02).astype(np.float32)


def _shapes(tokens: int) -> dict[str, tuple[int, ...]]:
    found = {"model.embed_tokens.weight": (tokens, WIDTH), "model.norm.weight": (WIDTH,)}
    for layer in range(LAYERS):
        at = f"model.layers.{layer}."
        found |= {f"{at}self_attn.{name}_proj.weight": (WIDTH, WIDTH) for name in "qkvo"}
        found |= {f"{at}mlp.{name}_proj.weight": (WIDE, WIDTH) for name in ("gate", "up")}
        found |= {f"{at}mlp.down_proj.weight": (WIDTH, WIDE)}
        found |= {f"{at}{name}.weight": (WIDTH,) for name in ("input_layernorm", "post_attention_layernorm")}
    return found
