"""The architectures of language models: what config.json says of each, its tensors, their names and what is undone.

llama.cpp's converter renames tensors, permutes queries and keys of llama, and adds one to the norms of gemma
(`convert_hf_to_gguf.py`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mlx_metaembed.convert.gguf import rope
from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.convert.gguf.packed import Packed

TOP = {"token_embd": "model.embed_tokens", "output_norm": "model.norm", "output": "lm_head"}
LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
QK_NORMS = {"attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm"}
FOUR_NORMS = {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
JOINED = {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    `layer` names a layer's tensors, and `biases` those that always have a bias. `more` gives the keys of config.json
    beside those of all, from the metadata and those. `permuted`: queries and keys are; `raised`: norms are one more.
    """

    model_type: str
    class_name: str
    layer: Mapping[str, str] = field(default_factory=lambda: LAYER)
    more: Callable[[Metadata, dict], dict] = lambda said, config: {}
    biases: tuple[str, ...] = ()
    theta: float = 10_000.0
    permuted: bool = False
    raised: bool = False


def _gemma(said: Metadata, config: dict) -> dict:
    return {"hidden_act": "gelu_pytorch_tanh", "hidden_activation": "gelu_pytorch_tanh"}


def _scaled(widest: int) -> Callable[[Metadata, dict], int]:
    """What gemma divides queries by, squared: the head's width, but for the model of so many layers."""

    def scalar(said: Metadata, config: dict) -> int:
        own = config["num_hidden_layers"] == widest
        return config["hidden_size"] // config["num_attention_heads"] if own else config["head_dim"]

    return scalar


def _gemma2(said: Metadata, config: dict) -> dict:
    return _gemma(said, config) | {
        "query_pre_attn_scalar": _scaled(46)(said, config),
        "attn_logit_softcapping": said.number("{arch}.attn_logit_softcapping", 50.0),
        "final_logit_softcapping": said.number("{arch}.final_logit_softcapping", 30.0),
        "sliding_window": said.whole("{arch}.attention.sliding_window", 4096),
    }


def _gemma3(said: Metadata, config: dict) -> dict:
    return _gemma(said, config) | {
        "query_pre_attn_scalar": _scaled(62)(said, config),
        "sliding_window": said.whole("{arch}.attention.sliding_window", 1024),
        "sliding_window_pattern": 6,
        "rope_local_base_freq": said.number("{arch}.rope.freq_base_swa", 10_000.0),
    }


def _phi3(said: Metadata, config: dict) -> dict:
    window = said.whole("{arch}.attention.sliding_window", 0, least=0)
    rotated = said.whole("{arch}.rope.dimension_count", config["head_dim"])
    return {
        "original_max_position_embeddings": said.whole(
            "{arch}.rope.scaling.original_context_length", config["max_position_embeddings"]
        ),
        "sliding_window": window or None,
        "partial_rotary_factor": rotated / config["head_dim"],
    }


ARCHITECTURES = {
    "llama": Architecture("llama", "LlamaForCausalLM", permuted=True),
    "qwen2": Architecture("qwen2", "Qwen2ForCausalLM", biases=("attn_q", "attn_k", "attn_v")),
    "qwen3": Architecture("qwen3", "Qwen3ForCausalLM", LAYER | QK_NORMS),
    "gemma": Architecture("gemma", "GemmaForCausalLM", more=_gemma, raised=True),
    "gemma2": Architecture("gemma2", "Gemma2ForCausalLM", LAYER | FOUR_NORMS, more=_gemma2, raised=True),
    "gemma3": Architecture(
        "gemma3_text",
        "Gemma3ForCausalLM",
        LAYER | FOUR_NORMS | QK_NORMS,
        more=_gemma3,
        theta=1_000_000.0,
        raised=True,
    ),
    "phi3": Architecture(
        "phi3",
        "Phi3ForCausalLM",
        {name: own for name, own in LAYER.items() if name not in ("attn_q", "attn_k", "attn_v", "ffn_gate")} | JOINED,
        more=_phi3,
    ),
}


def config(known: Architecture, said: Metadata, tensors: Mapping[str, Packed]) -> dict:
    """What config.json says of the model, but for its special tokens and dtype; faults stay with `said`."""
    heads = said.whole("{arch}.attention.head_count")
    hidden = said.whole("{arch}.embedding_length")
    head_dim = said.whole("{arch}.attention.key_length", max(hidden // heads, 1))
    if said.whole("{arch}.attention.value_length", head_dim) != head_dim:
        said.wrong("attention.value_length: values of another width than keys, which none of these models has")
    if said.whole("{arch}.expert_count", 0, least=0):
        said.wrong("expert_count: a mixture of experts, which is not read; take a dense model")
    words = tensors.get("token_embd.weight")
    found = {
        "architectures": [known.class_name],
        "model_type": known.model_type,
        "vocab_size": words.shape[0] if words else 0,
        "hidden_size": hidden,
        "intermediate_size": said.whole("{arch}.feed_forward_length"),
        "num_hidden_layers": said.whole("{arch}.block_count", most=10_000),
        "num_attention_heads": heads,
        "num_key_value_heads": said.whole("{arch}.attention.head_count_kv", heads),
        "head_dim": head_dim,
        "max_position_embeddings": said.whole("{arch}.context_length"),
        "rms_norm_eps": said.number("{arch}.attention.layer_norm_rms_epsilon"),
        "hidden_act": "silu",
        "tie_word_embeddings": "output.weight" not in tensors,
        "use_cache": True,
    }
    if heads % found["num_key_value_heads"]:
        said.wrong(f"attention.head_count_kv: {found['num_key_value_heads']} do not divide {heads} heads")
    rotated = said.whole("{arch}.rope.dimension_count", head_dim)
    if rotated > head_dim or (rotated != head_dim and known.model_type != "phi3"):
        said.wrong(f"rope.dimension_count: {rotated} of {head_dim} features are turned, expected all")
    if head_dim % 2:
        said.wrong(f"attention.key_length: {head_dim}, expected an even number")
    said.require()
    if known.model_type == "llama":
        found["attention_bias"] = "blk.0.attn_q.bias" in tensors
        found["mlp_bias"] = "blk.0.ffn_up.bias" in tensors
    found |= known.more(said, found)
    found |= rope.settings(said, head_dim, tensors.get(rope.FACTORS), known.theta)
    said.require()
    return found


def named(known: Architecture, config: Mapping, tensors: Mapping[str, Packed]) -> dict[str, Packed]:
    """The tensors by the names that transformers and mlx-lm know, each as it was before llama.cpp's converter.

    A name that is not known stays as it is.
    """
    found = {}
    for name, tensor in tensors.items():
        path, _, part = name.rpartition(".")
        block, _, layer_path = path.partition(".")
        number, _, inner = layer_path.partition(".")
        own = TOP.get(path)
        if block == "blk" and number.isdecimal() and inner in known.layer:
            own = f"model.layers.{int(number)}.{known.layer[inner]}"
        if own is None or name == rope.FACTORS:
            if name != rope.FACTORS:
                found[name] = tensor
            continue
        if known.permuted and inner in ("attn_q", "attn_k"):
            heads = config["num_attention_heads" if inner == "attn_q" else "num_key_value_heads"]
            tensor = tensor.changed(_unpermuted(heads))
        elif known.raised and "norm" in path:
            tensor = tensor.changed(lambda values: values - 1)
        found[f"{own}.{part}"] = tensor
    return found


def _unpermuted(heads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Rows of queries or keys with the two halves of each head behind each other again, not in turn."""

    def change(rows: np.ndarray) -> np.ndarray:
        return rows.reshape(heads, -1, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)

    return change


def shapes(known: Architecture, config: Mapping) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor that the model has by its configuration."""
    hidden, wide, width = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * width, config["num_key_value_heads"] * width
    matrices = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.qkv_proj": (queries + 2 * keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (wide, hidden),
        "mlp.up_proj": (wide, hidden),
        "mlp.gate_up_proj": (2 * wide, hidden),
        "mlp.down_proj": (hidden, wide),
        "self_attn.q_norm": (width,),
        "self_attn.k_norm": (width,),
    }
    expected = {"model.embed_tokens.weight": (config["vocab_size"], hidden), "model.norm.weight": (hidden,)}
    if not config["tie_word_embeddings"]:
        expected["lm_head.weight"] = (config["vocab_size"], hidden)
    biased = {known.layer[name] for name in known.biases}
    biased |= {name for name in matrices if config.get("attention_bias") and name.endswith("_proj") and "attn" in name}
    biased |= {name for name in matrices if config.get("mlp_bias") and name.startswith("mlp.")}
    for layer in range(config["num_hidden_layers"]):
        for name in known.layer.values():
            path, shape = f"model.layers.{layer}.{name}", matrices.get(name, (hidden,))
            expected[f"{path}.weight"] = shape
            if name in biased:
                expected[f"{path}.bias"] = shape[:1]
    return expected
