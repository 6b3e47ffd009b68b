"""Writes the tiny checkpoints beside it, with the states that transformers computes for them.

    python tests/golden/make.py [FAMILY ...]     # all of FAMILIES, where none is named; needs torch and transformers

A folder FAMILY is a whole model folder (random weights, the kit's own tokenizer) and `expected.npz`: ids int32 [B, L]
padded on the right, mask bool [B, L], states float32 [B, L, hidden], zero on padding. The tests read only the folders.
"""

import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from jina import JINA, adapted  # noqa: E402
from nomic_moe import NOMIC_MOE, NomicMoe  # noqa: E402
from references import new_trunk, nomic_trunk, t5_encoder, transformers_trunk  # noqa: E402
from tiny import BERT_SPECIALS, save, tokenizer  # noqa: E402
from two_towers import CLIP, SIGLIP, TEXT_TOWER, clip_features, siglip_features, text_tower  # noqa: E402

from mlx_metaembed import folder as folders  # noqa: E402
from mlx_metaembed.config.spellings import unified  # noqa: E402
from mlx_metaembed.files import safetensors  # noqa: E402
from mlx_metaembed.folder import ModelFolder  # noqa: E402

LENGTHS = (24, 1, 2, 3, 7, 8, 9, 16, 17)
"""Tokens of each text: the longest, a single one, an empty text's two, around powers of two."""
BERT = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "hidden_act": "gelu",
    "pad_token_id": 0,
}


@dataclass(frozen=True)
class Family:
    """What is special about a family: config.json, in the form that its checkpoints on the hub have it."""

    config: dict
    pooling: str = "mean"
    specials: tuple[str, ...] = BERT_SPECIALS
    """The tokenizer's first ids; one of them holds "unk"."""
    template: str = "[CLS] $A [SEP]"
    lengths: tuple[int, ...] = LENGTHS
    reference: Callable[[dict], torch.nn.Module] = transformers_trunk
    norm: float = 1.0
    """What the norms' weights lie around."""
    more: Callable[..., dict[str, np.ndarray]] = lambda *_: {}
    """Further arrays of expected.npz, of (trunk, its weights, folder, ids, mask); it may add to weights and folder."""


# A table of 30 positions after the padding index, as RoBERTa's 514 are 512.
ROBERTA = BERT | {"pad_token_id": 1, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
ROBERTA_TOKENS = {"specials": ("<s>", "<pad>", "</s>", "<unk>"), "template": "<s> $A </s>"}
DISTILBERT = {
    "model_type": "distilbert",
    "activation": "gelu",
    "dim": 32,
    "hidden_dim": 64,
    "max_position_embeddings": 32,
    "n_heads": 4,
    "n_layers": 2,
    "pad_token_id": 0,
    "vocab_size": 120,
}

MODERNBERT = {
    "model_type": "modernbert",
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 24,
    "max_position_embeddings": 64,
    "hidden_activation": "gelu",
    "norm_eps": 1e-5,
    "norm_bias": False,
    "attention_bias": False,
    "mlp_bias": False,
    # Four tokens on each side.
    "local_attention": 8,
    "global_attn_every_n_layers": 3,
    "global_rope_theta": 160000.0,
    "local_rope_theta": 100.0,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}
NOMIC = {
    "model_type": "nomic_bert",
    "activation_function": "swiglu",
    "causal": False,
    "layer_norm_epsilon": 1e-12,
    "mlp_fc1_bias": False,
    "mlp_fc2_bias": False,
    "n_embd": 32,
    "n_head": 4,
    "n_inner": 48,
    "n_layer": 2,
    "n_positions": 64,
    "pad_token_id": 0,
    "parallel_block": False,
    "prenorm": False,
    "qkv_proj_bias": False,
    "rotary_emb_base": 1000,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "type_vocab_size": 2,
    "use_rms_norm": False,
    "vocab_size": 120,
}
NEW = BERT | {
    "model_type": "new",
    "intermediate_size": 48,
    "layer_norm_type": "layer_norm",
    "logn_attention_scale": False,
    "max_position_embeddings": 64,
    "pack_qkv": True,
    "position_embedding_type": "rope",
    "rope_scaling": {"factor": 2.0, "type": "ntk"},
    "rope_theta": 500.0,
    "type_vocab_size": 0,
}

DECODER = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-6,
    "hidden_act": "silu",
    "pad_token_id": None,
    "rope_theta": 10000.0,
}
T5 = {
    "model_type": "t5",
    "vocab_size": 120,
    "d_model": 32,
    "d_kv": 12,
    "d_ff": 48,
    "num_layers": 2,
    "num_heads": 4,
    "relative_attention_num_buckets": 16,
    "relative_attention_max_distance": 20,
    "layer_norm_epsilon": 1e-6,
    "pad_token_id": 0,
}
SENTENCEPIECE = {"specials": ("<pad>", "</s>", "<unk>", "<s>"), "template": "$A </s>"}
CLIP_TOKENS = {
    "specials": ("<pad>", "<unk>", "<|startoftext|>", "<|endoftext|>"),
    "template": "<|startoftext|> $A <|endoftext|>",
    "reference": text_tower,
    "pooling": "lasttoken",
}
SIGLIP_TOKENS = {
    "specials": ("<unk>", "</s>"),
    "template": "$A </s>",
    "reference": text_tower,
    "pooling": "lasttoken",
}
LAST = SENTENCEPIECE | {"pooling": "lasttoken"}


FAMILIES = {
    "bert": Family(BERT | {"model_type": "bert"}),
    "gemma3_text": Family(
        DECODER
        | {
            "model_type": "gemma3_text",
            "head_dim": 12,
            "num_key_value_heads": 1,
            "hidden_activation": "gelu_pytorch_tanh",
            "query_pre_attn_scalar": 20,
            # Both sides together: seven tokens on each.
            "sliding_window": 12,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            "use_bidirectional_attention": True,
            "rope_theta": 1000000.0,
            "rope_local_base_freq": 10000.0,
            "pad_token_id": 0,
        },
        norm=0.0,
        **SENTENCEPIECE,
    ),
    "llama": Family(
        DECODER
        | {
            "model_type": "llama",
            "rope_theta": 500.0,
            "rope_scaling": {
                "rope_type": "llama3",
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 32,
            },
        },
        **LAST,
    ),
    "mistral": Family(DECODER | {"model_type": "mistral", "sliding_window": 8, "head_dim": 12}, **LAST),
    "qwen2": Family(
        DECODER | {"model_type": "qwen2", "sliding_window": 8, "use_sliding_window": False, "max_window_layers": 1},
        **LAST,
    ),
    "qwen3": Family(DECODER | {"model_type": "qwen3", "head_dim": 12, "attention_bias": False}, **LAST),
    "t5": Family(T5 | {"feed_forward_proj": "relu"}, reference=t5_encoder, **SENTENCEPIECE),
    "t5_gated": Family(T5 | {"feed_forward_proj": "gated-gelu"}, reference=t5_encoder, **SENTENCEPIECE),
    "roberta": Family(ROBERTA | {"model_type": "roberta"}, **ROBERTA_TOKENS),
    "xlm-roberta": Family(ROBERTA | {"model_type": "xlm-roberta"}, **ROBERTA_TOKENS, pooling="cls"),
    "camembert": Family(ROBERTA | {"model_type": "camembert"}, **ROBERTA_TOKENS),
    "longformer": Family(
        # Windows of two and four tokens on each side: the longest texts are computed in blocks.
        ROBERTA | {"model_type": "longformer", "attention_window": [4, 8], "max_position_embeddings": 42},
        **ROBERTA_TOKENS,
        lengths=(40, *LENGTHS),
    ),
    "clip": Family(CLIP, **CLIP_TOKENS, more=clip_features),
    "clip_text_model": Family(
        TEXT_TOWER | {"model_type": "clip_text_model", "projection_dim": 16, "hidden_act": "gelu"}, **CLIP_TOKENS
    ),
    "siglip": Family(SIGLIP, **SIGLIP_TOKENS, more=siglip_features),
    "siglip_text_model": Family(
        TEXT_TOWER | {"model_type": "siglip_text_model", "pad_token_id": 1, "projection_size": 16}, **SIGLIP_TOKENS
    ),
    "distilbert": Family(DISTILBERT),
    "mpnet": Family(
        {key: value for key, value in ROBERTA.items() if key != "type_vocab_size"}
        | {"model_type": "mpnet", "max_position_embeddings": 160, "relative_attention_num_buckets": 32},
        **ROBERTA_TOKENS,
        lengths=(150, *LENGTHS),
    ),
    "modernbert": Family(MODERNBERT),
    "nomic_bert": Family(NOMIC, reference=nomic_trunk),
    "nomic_moe": Family(NOMIC_MOE, **ROBERTA_TOKENS, reference=NomicMoe),
    "jina_embeddings_v3": Family(JINA, **ROBERTA_TOKENS, more=adapted),
    "new": Family(NEW, pooling="cls", reference=new_trunk),
    "gte": Family(
        NEW | {"model_type": "gte", "type_vocab_size": 1, "rope_scaling": None},
        pooling="cls",
        reference=new_trunk,
    ),
}
"""One entry a folder; its name is the folder's."""


def main(names: list[str]) -> None:
    for name in names or FAMILIES:
        make(name, FAMILIES[name])
        size = sum(path.stat().st_size for path in (HERE / name).rglob("*") if path.is_file())
        print(f"{name}: {size:,} bytes")


def make(name: str, family: Family) -> None:
    """Write one folder anew."""
    random = np.random.default_rng(0)
    trunk = family.reference(family.config).eval()
    arrays = {key: draw(random, key, tuple(tensor.shape), family.norm) for key, tensor in trunk.named_parameters()}
    # Not strict: a second name of a tied tensor is not among them.
    trunk.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}, strict=False)
    ids, mask = texts(random, family)
    inputs = [torch.from_numpy(each.astype(np.int64)) for each in (ids, mask)]
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with torch.inference_mode():
        states = trunk(input_ids=inputs[0], attention_mask=inputs[1])
    folders.write(ModelFolder(out, family.config, max_seq_length=24, pooling=family.pooling, normalize=True), out)
    found = stored(trunk, family.config["model_type"])
    with torch.inference_mode():
        more = family.more(trunk, found, out, *inputs)
    safetensors.write(out / "model.safetensors", found)
    save(tokenizer(family.specials, family.template), out)
    states = states.last_hidden_state.numpy() * mask[:, :, None]
    np.savez_compressed(out / "expected.npz", ids=ids, mask=mask, states=states, **more)


def stored(trunk: torch.nn.Module, model_type: str) -> dict[str, np.ndarray]:
    """A trunk's weights as transformers saves them: some families' files name and fuse them as the hub does.

    SigLIP's text tower alone is saved without the prefix that its files on the hub have.
    """
    if not hasattr(trunk, "save_pretrained"):
        return {name: tensor.numpy() for name, tensor in trunk.state_dict().items()}
    prefix = "text_model." if model_type == "siglip_text_model" else ""
    with tempfile.TemporaryDirectory() as scratch:
        trunk.save_pretrained(scratch)
        found = safetensors.read(Path(scratch) / "model.safetensors")
        return {prefix + name: array for name, array in found.items()}


def draw(random: np.random.Generator, name: str, shape: tuple[int, ...], norm: float) -> np.ndarray:
    """Random weights wide enough that every part of the encoder matters; vectors named weight are norms' scales."""
    values = np.asarray(random.standard_normal(shape), np.float32) * np.float32(0.1 if name.endswith("bias") else 0.15)
    return values + norm if len(shape) == 1 and name.endswith("weight") else values


def texts(random: np.random.Generator, family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Random words inside the template; ids int32 and mask bool [B, L]."""
    before, after = ([family.specials.index(token) for token in part.split()] for part in family.template.split("$A"))
    mask = np.arange(max(family.lengths)) < np.array(family.lengths)[:, None]
    words = tokenizer(family.specials, family.template).get_vocab_size()
    pad = unified(family.config).get("pad_token_id") or 0
    ids = np.where(mask, random.integers(len(family.specials), words, mask.shape), pad)
    for row, length in zip(ids, family.lengths, strict=True):
        row[: len(before)] = before
        if length >= len(before) + len(after):
            row[length - len(after) : length] = after
    return ids.astype(np.int32), mask


if __name__ == "__main__":
    main(sys.argv[1:])
