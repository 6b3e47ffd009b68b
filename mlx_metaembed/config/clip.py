"""The configurations of models that hold a tower for texts and one for images: CLIP and SigLIP.

Their files name only what differs from transformers' defaults, so the defaults stand here. arXiv:2103.00020 (CLIP),
arXiv:2303.15343 (SigLIP); the defaults are those of transformers' configuration_clip.py and configuration_siglip.py.
"""

from mlx_metaembed.errors import CallError

CLIP_TEXT = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "pad_token_id": 1,
    "eos_token_id": 49407,
    "projection_dim": 512,
}
CLIP_IMAGE = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
SIGLIP_TEXT = {
    "vocab_size": 32000,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "max_position_embeddings": 64,
    "hidden_act": "gelu_pytorch_tanh",
    "layer_norm_eps": 1e-6,
    "pad_token_id": 1,
}
TEXT = {
    "clip": CLIP_TEXT,
    "clip_text_model": CLIP_TEXT,
    "siglip": SIGLIP_TEXT,
    "siglip_text_model": SIGLIP_TEXT,
}
"""The defaults of a text tower by the file's model type."""
TWO = ("clip", "siglip")
"""Model types whose configuration nests the two towers'."""
TRUNK = ("text_model.", "text_projection.")
"""What the text tower's tensors begin with."""
IMAGE = ("vision_model.", "visual_projection.")
"""What the image tower's tensors begin with."""
LEGACY_END = 2
"""CLIP's eos_token_id in older configurations. It is no id: the largest id of a text ends it there."""


def text(config: dict) -> dict:
    """The text tower's configuration, whole; `projection_dim` is the width of its vectors."""
    kind = config["model_type"]
    own = _nested(config, "text_config", TEXT[kind]) if kind in TWO else TEXT[kind] | config
    if kind.startswith("siglip"):
        own["projection_dim"] = own.get("projection_size") or own["hidden_size"]
    elif kind == "clip":
        own["projection_dim"] = config.get("projection_dim") or CLIP_TEXT["projection_dim"]
    return own | {"model_type": kind}


def image(config: dict) -> dict | None:
    """The image tower's configuration, whole; None where the kit computes none for this model type."""
    if config["model_type"] != "clip":
        return None
    found = _nested(config, "vision_config", CLIP_IMAGE)
    return found | {"projection_dim": config.get("projection_dim") or CLIP_TEXT["projection_dim"]}


def ends(config: dict) -> int | None:
    """The id whose first place in a text is pooled (see LEGACY_END); None where it is the last token's."""
    return text(config)["eos_token_id"] if config["model_type"].startswith("clip") else None


def pooled(config: dict) -> str:
    """Whose state is a text's vector, in words."""
    return "last position" if always_padded(config) else "end-of-text token"


def always_padded(config: dict) -> bool:
    """Whether every text is padded to the same length and padding is attended to, as SigLIP was trained."""
    return config["model_type"].startswith("siglip")


def module(config: dict) -> dict:
    """What sentence-transformers must be told of a SigLIP besides its length, from 5.4 on; it loads in no older one."""
    if config["model_type"] != "siglip":
        return {}
    features = {
        name: {"method": f"get_{name}_features", "method_output_name": "pooler_output"} for name in ("text", "image")
    }
    padding = {"padding": "max_length", "max_length": text(config)["max_position_embeddings"]}
    return {
        "modality_config": features,
        "module_output_name": "sentence_embedding",
        "processing_kwargs": {"text": padding},
    }


def _nested(config: dict, key: str, defaults: dict) -> dict:
    """One tower's part of a configuration. An older file has it twice, and the second one counts, defaults and all."""
    parts = [config.get(key) or {}, config.get(f"{key}_dict") or {}]
    if wrong := next((part for part in parts if not isinstance(part, dict)), None):
        raise CallError(f"config.json has {wrong!r:.80} as its {key}; expected an object")
    return defaults | parts[0] | (defaults | parts[1] if parts[1] else {})
