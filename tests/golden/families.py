"""The families of tiny checkpoints: what each one's config.json, tokenizer and reference are."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jina import JINA, adapted
from nomic_moe import NOMIC_MOE, NomicMoe
from references import new_trunk, nomic_trunk, t5_encoder, transformers_trunk
from tiny import BERT_SPECIALS
from two_towers import CLIP, SIGLIP, TEXT_TOWER, clip_features, siglip_features, text_tower

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
