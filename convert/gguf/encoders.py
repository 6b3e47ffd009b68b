"""The architectures of encoders: BERT's, XLM-R's, and nomic's with rotary positions."""

from collections.abc import Callable, Mapping

import numpy as np

from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.convert.gguf.packed import Packed

TOP = {
    "token_embd": "embeddings.word_embeddings",
    "position_embd": "embeddings.position_embeddings",
    "token_types": "embeddings.token_type_embeddings",
    "token_embd_norm": "embeddings.LayerNorm",
}
BERT = {
    "attn_q": "attention.self.query",
    "attn_k": "attention.self.key",
    "attn_v": "attention.self.value",
    "attn_output": "attention.output.dense",
    "attn_output_norm": "attention.output.LayerNorm",
    "ffn_up": "intermediate.dense",
    "ffn_down": "output.dense",
    "layer_output_norm": "output.LayerNorm",
}
NOMIC_TOP = {"token_embd": TOP["token_embd"], "token_types": TOP["token_types"], "token_embd_norm": "emb_ln"}
NOMIC = {
    "attn_qkv": "attn.Wqkv",
    "attn_output": "attn.out_proj",
    "attn_output_norm": "norm1",
    "ffn_up": "mlp.fc11",
    "ffn_gate": "mlp.fc12",
    "ffn_down": "mlp.fc2",
    "layer_output_norm": "norm2",
}
ENCODERS = {"bert": (TOP, BERT, "encoder.layer"), "nomic-bert": (NOMIC_TOP, NOMIC, "encoder.layers")}
"""By architecture: the names of tensors outside the layers, those of a layer, and where layers are."""
PAD_OF_ROBERTA = 1
Made = tuple[dict, dict[str, Packed], dict[str, tuple[int, ...]]]


def model(name: str, said: Metadata, tensors: Mapping[str, Packed]) -> Made:
    """The configuration of an encoder, its tensors by their own names, and the shapes that they must have.

    Raises CallError that lists what is wrong with the metadata.
    """
    hidden, heads = said.whole("{arch}.embedding_length"), said.whole("{arch}.attention.head_count")
    wide, layers = said.whole("{arch}.feed_forward_length"), said.whole("{arch}.block_count", most=10_000)
    positions, eps = said.whole("{arch}.context_length"), said.number("{arch}.attention.layer_norm_epsilon")
    theta = said.number("{arch}.rope.freq_base", 10_000.0)
    if said.flag("{arch}.attention.causal", False):
        said.wrong("attention.causal: true, which no encoder is")
    said.require()
    words, types = tensors.get("token_embd.weight"), tensors.get("token_types.weight")
    vocabulary = words.shape[0] if words else 0
    rows = types.shape[0] if types and len(types.shape) == 2 else 1
    top, layer, where = ENCODERS[name]
    # SentencePiece's words are XLM-R's, whose positions begin behind the padding's; llama.cpp drops those rows.
    roberta = name == "bert" and said.text("tokenizer.ggml.model", "bert") != "bert"
    before = PAD_OF_ROBERTA + 1 if roberta else 0
    found = {"architectures": ["XLMRobertaModel" if roberta else "BertModel"], "vocab_size": vocabulary}
    found["pad_token_id"] = PAD_OF_ROBERTA if roberta else 0
    if name == "nomic-bert":
        found = _nomic(vocabulary, hidden, heads, layers, wide, positions, eps, rows, theta)
    else:
        found |= {
            "model_type": "xlm-roberta" if roberta else "bert",
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "intermediate_size": wide,
            "max_position_embeddings": positions + before,
            "type_vocab_size": rows,
            "layer_norm_eps": eps,
            "hidden_act": "gelu",
        }
    shapes = {
        "embeddings.word_embeddings": (vocabulary, hidden),
        "embeddings.position_embeddings": (positions + before, hidden),
        "embeddings.token_type_embeddings": (rows, hidden),
        "attn.Wqkv": (3 * hidden, hidden),
        "attn.out_proj": (hidden, hidden),
        **dict.fromkeys(("intermediate.dense", "mlp.fc11", "mlp.fc12"), (wide, hidden)),
        **dict.fromkeys(("output.dense", "mlp.fc2"), (hidden, wide)),
    }
    expected: dict[str, tuple[int, ...]] = {}
    for path in [*top.values(), *(f"{where}.{at}.{own}" for at in range(layers) for own in layer.values())]:
        own = path if path in shapes else path.removeprefix(f"{where}.").partition(".")[2]
        norm = own.endswith(("LayerNorm", "emb_ln", "norm1", "norm2"))
        shape = shapes.get(own) or ((hidden,) if norm or path == "emb_ln" else (hidden, hidden))
        expected[f"{path}.weight"] = shape
        if norm or path == "emb_ln" or (own in BERT.values()):
            expected[f"{path}.bias"] = shape[:1]
    named = {}
    for key, tensor in tensors.items():
        path, _, part = key.rpartition(".")
        block, _, rest = path.partition(".")
        number, _, inner = rest.partition(".")
        own = top.get(path, path)
        if block == "blk" and number.isdecimal() and inner in layer:
            own = f"{where}.{int(number)}.{layer[inner]}"
        if path == "position_embd" and before:
            tensor = tensor.changed(_after(before), (tensor.shape[0] + before, *tensor.shape[1:]))
        elif path == "token_types" and len(tensor.shape) == 1:
            tensor = tensor.changed(lambda values: values[None], (1, *tensor.shape))
        named[f"{own}.{part}"] = tensor
    return found, named, expected


def _after(rows: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda table: np.concatenate([np.zeros((rows, table.shape[1]), table.dtype), table])


def _nomic(
    vocabulary: int,
    hidden: int,
    heads: int,
    layers: int,
    wide: int,
    positions: int,
    eps: float,
    types: int,
    theta: float,
) -> dict:
    """nomic's config.json, in the words of its own code."""
    return {
        "architectures": ["NomicBertModel"],
        "model_type": "nomic_bert",
        "activation_function": "swiglu",
        "causal": False,
        "vocab_size": vocabulary,
        "n_embd": hidden,
        "n_head": heads,
        "n_layer": layers,
        "n_inner": wide,
        "n_positions": positions,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_epsilon": eps,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "qkv_proj_bias": False,
        "parallel_block": False,
        "prenorm": False,
        "use_rms_norm": False,
        "rotary_emb_base": theta,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None,
    }
