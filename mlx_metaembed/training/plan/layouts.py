"""Names and shapes of a trunk's tensors by family, as config.json implies them."""

from collections.abc import Mapping

from mlx_metaembed.config import clip
from mlx_metaembed.training.plan.activations import Shape

Tensors = dict[str, tuple[int, ...]]


def tensors(config: Mapping, shape: Shape) -> Tensors:
    """The tensors of a configuration under BERT's names (see architecture.unified), of FAMILIES or LIKE_BERT."""
    return FAMILIES.get(config["model_type"], _bert)(config, shape)


def _linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Tensors:
    return {f"{name}.weight": (rows, columns)} | ({f"{name}.bias": (rows,)} if bias else {})


def _norms(width: int, *names: str, bias: bool = True) -> Tensors:
    parts = ("weight", "bias") if bias else ("weight",)
    return {f"{name}.{part}": (width,) for name in names for part in parts}


def _layers(before: str, count: int, layer: Tensors) -> Tensors:
    return {f"{before}.{at}.{name}": shape for at in range(count) for name, shape in layer.items()}


def _words(config: Mapping, shape: Shape, types: int) -> Tensors:
    found = {"embeddings.word_embeddings.weight": (config["vocab_size"], shape.hidden)}
    return found | ({"embeddings.token_type_embeddings.weight": (types, shape.hidden)} if types else {})


def _bert(config: Mapping, shape: Shape) -> Tensors:
    hidden, wide = shape.hidden, int(shape.wide)
    layer = _norms(hidden, "attention.output.LayerNorm", "output.LayerNorm")
    for name in ("self.query", "self.key", "self.value", "output.dense"):
        layer |= _linear(f"attention.{name}", hidden, hidden)
    layer |= _linear("intermediate.dense", wide, hidden) | _linear("output.dense", hidden, wide)
    return {
        **_words(config, shape, config.get("type_vocab_size", 2)),
        "embeddings.position_embeddings.weight": (config.get("max_position_embeddings") or 512, hidden),
        **_norms(hidden, "embeddings.LayerNorm"),
        **_layers("encoder.layer", shape.layers, layer),
    }


def _nomic(config: Mapping, shape: Shape) -> Tensors:
    hidden, wide = shape.hidden, int(shape.wide)
    qkv, up, down = (config.get(f"{name}_bias", False) for name in ("qkv_proj", "mlp_fc1", "mlp_fc2"))
    layer = _norms(hidden, "norm1", "norm2")
    layer |= _linear("attn.Wqkv", 3 * hidden, hidden, bias=qkv) | _linear("attn.out_proj", hidden, hidden, bias=qkv)
    layer |= _linear("mlp.fc11", wide, hidden, bias=up) | _linear("mlp.fc12", wide, hidden, bias=up)
    layer |= _linear("mlp.fc2", hidden, wide, bias=down)
    words = _words(config, shape, config.get("type_vocab_size", 2))
    return words | _norms(hidden, "emb_ln") | _layers("encoder.layers", shape.layers, layer)


def _new(config: Mapping, shape: Shape) -> Tensors:
    hidden, wide = shape.hidden, int(shape.wide)
    layer = _norms(hidden, "attn_ln", "mlp_ln")
    layer |= _linear("attention.qkv_proj", 3 * hidden, hidden) | _linear("attention.o_proj", hidden, hidden)
    layer |= _linear("mlp.up_gate_proj", 2 * wide, hidden, bias=False) | _linear("mlp.down_proj", hidden, wide)
    words = _words(config, shape, config.get("type_vocab_size", 0))
    return words | _norms(hidden, "embeddings.LayerNorm") | _layers("encoder.layer", shape.layers, layer)


def _modernbert(config: Mapping, shape: Shape) -> Tensors:
    hidden, wide = shape.hidden, int(shape.wide)
    norm, attention, mlp = (config.get(f"{name}_bias", False) for name in ("norm", "attention", "mlp"))
    layer = _norms(hidden, "attn_norm", "mlp_norm", bias=norm)
    layer |= _linear("attn.Wqkv", 3 * hidden, hidden, bias=attention)
    layer |= _linear("attn.Wo", hidden, hidden, bias=attention)
    layer |= _linear("mlp.Wi", 2 * wide, hidden, bias=mlp) | _linear("mlp.Wo", hidden, wide, bias=mlp)
    found = {
        "embeddings.tok_embeddings.weight": (config["vocab_size"], hidden),
        **_norms(hidden, "embeddings.norm", "final_norm", bias=norm),
        **_layers("layers", shape.layers, layer),
    }
    # The embeddings' norm is the first layer's.
    return {name: each for name, each in found.items() if not name.startswith("layers.0.attn_norm.")}


def _t5(config: Mapping, shape: Shape) -> Tensors:
    hidden, wide = shape.hidden, int(shape.wide)
    layer = _norms(hidden, "layer.0.layer_norm", "layer.1.layer_norm", bias=False)
    for name in "qkv":
        layer |= _linear(f"layer.0.SelfAttention.{name}", shape.query, hidden, bias=False)
    layer |= _linear("layer.0.SelfAttention.o", hidden, shape.query, bias=False)
    for name in ("wi_0", "wi_1") if shape.form == "t5_gated" else ("wi",):
        layer |= _linear(f"layer.1.DenseReluDense.{name}", wide, hidden, bias=False)
    layer |= _linear("layer.1.DenseReluDense.wo", hidden, wide, bias=False)
    buckets = (config.get("relative_attention_num_buckets") or 32, shape.heads)
    return {
        "shared.weight": (config["vocab_size"], hidden),
        **_layers("encoder.block", shape.layers, layer),
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": buckets,
        **_norms(hidden, "encoder.final_layer_norm", bias=False),
    }


def _decoder(config: Mapping, shape: Shape) -> Tensors:
    kind, hidden, wide = config["model_type"], shape.hidden, int(shape.wide)
    said = kind in ("llama", "qwen3", "gemma3_text") and bool(config.get("attention_bias"))
    layer = _linear("self_attn.q_proj", shape.query, hidden, bias=said or kind == "qwen2")
    for name in ("k_proj", "v_proj"):
        layer |= _linear(f"self_attn.{name}", shape.shared, hidden, bias=said or kind == "qwen2")
    layer |= _linear("self_attn.o_proj", hidden, shape.query, bias=said)
    mlp = kind == "llama" and bool(config.get("mlp_bias"))
    layer |= _linear("mlp.gate_proj", wide, hidden, bias=mlp) | _linear("mlp.up_proj", wide, hidden, bias=mlp)
    layer |= _linear("mlp.down_proj", hidden, wide, bias=mlp)
    layer |= _norms(hidden, "input_layernorm", "post_attention_layernorm", bias=False)
    if kind in ("qwen3", "gemma3_text"):
        layer |= _norms(shape.query // shape.heads, "self_attn.q_norm", "self_attn.k_norm", bias=False)
    if kind == "gemma3_text":
        layer |= _norms(hidden, "pre_feedforward_layernorm", "post_feedforward_layernorm", bias=False)
    words = {"embed_tokens.weight": (config["vocab_size"], hidden)}
    return words | _norms(hidden, "norm", bias=False) | _layers("layers", shape.layers, layer)


FAMILIES = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "longformer"), _bert),
    **dict.fromkeys(("qwen2", "qwen3", "llama", "mistral", "gemma3_text"), _decoder),
    "nomic_bert": _nomic,
    "new": _new,
    "gte": _new,
    "modernbert": _modernbert,
    "t5": _t5,
}
"""Model types of which every tensor is told."""
LIKE_BERT = ("mpnet", "distilbert", *clip.TEXT)
"""Model types with tensors of BERT's sizes, but for a small one."""
