"""config.json's many spellings of one architecture: widths, depths, positions, and tensors that no trunk has."""

from collections.abc import Iterable, Mapping
from typing import Any

from mlx_metaembed.config import clip


def kept(name: str, model_type: str) -> bool:
    """Whether a tensor is no part of the trunk but stays in its file as it is.

    A pooler; Longformer's projections for global attention; all of a model of texts and images but its text tower.
    """
    if model_type in clip.TEXT:
        return not name.startswith(clip.TRUNK) and not buffer(name)
    return name.startswith("pooler.") or (model_type == "longformer" and "_global." in name)


def unused(name: str, model_type: str) -> bool:
    """Whether a tensor of the file is no part of a trunk: what is kept, a decoder, a second name of one, a buffer."""
    second = ("decoder.", "lm_head.", "encoder.embed_tokens.")
    return kept(name, model_type) or name.startswith(second) or buffer(name)


def buffer(name: str) -> bool:
    """Whether a tensor is no weight: it follows from the configuration."""
    return name.endswith(("position_ids", "token_type_ids", "rotary_emb.inv_freq"))


WORD_TABLES = tuple(
    f"{name}.weight" for name in ("word_embeddings", "tok_embeddings", "embed_tokens", "shared", "token_embedding")
)
"""What families call the table that token ids are looked up in; positions and token types are small."""


def is_word_table(name: str) -> bool:
    """Whether a tensor of a trunk is its word table."""
    return name.endswith(WORD_TABLES)


PREFIXES = {
    "bert": ("bert",),
    "roberta": ("roberta",),
    "xlm-roberta": ("roberta",),
    "camembert": ("roberta",),
    "mpnet": ("mpnet",),
    "distilbert": ("distilbert",),
    "electra": ("electra",),
    "jina_embeddings_v3": ("roberta",),
    "nomic_bert": ("nomic_bert", "bert"),
    "new": ("new",),
    "gte": ("gte", "new"),
    "longformer": ("longformer",),
    "clip": ("clip",),
    "siglip": ("siglip",),
    "t5": ("transformer",),
}
"""What a family's task models put before their trunk's names: transformers' first, then that of the hub's code."""


def prefixes(model_type: str) -> tuple[str, ...]:
    """What a family's task models may put before their trunk's names; the first is written.

    Decoders have `model`, but for question answering `transformer`.
    """
    return PREFIXES.get(model_type, ("model", "transformer"))


def prefix(model_type: str, names: Iterable[str]) -> str:
    """What stands before the trunk's names in a task model's file (ForMaskedLM), with its dot; mostly nothing."""
    names = tuple(names)
    known = (f"{found}." for found in prefixes(model_type))
    return next((found for found in known if any(name.startswith(found) for name in names)), "")


ALIASES = {
    "hidden_size": ("dim", "n_embd", "d_model"),
    "num_hidden_layers": ("n_layers", "n_layer", "num_layers"),
    "num_attention_heads": ("n_heads", "n_head", "num_heads"),
    "intermediate_size": ("hidden_dim", "n_inner", "d_ff"),
    "max_position_embeddings": ("n_positions",),
    "layer_norm_eps": ("layer_norm_epsilon",),
    "hidden_act": ("activation", "hidden_activation", "activation_function"),
}
"""What BERT's configuration calls a thing, and what other families do."""


FAMILY_DEFAULTS = {
    "qwen3": {"head_dim": 128},
    "gemma3_text": {"head_dim": 256, "num_key_value_heads": 4},
    "mistral": {"num_key_value_heads": 8},
    "t5": {"d_kv": 64},
}
"""What families have where their configuration lacks an entry, as transformers reads them; null is an entry."""


def unified(config: dict) -> dict:
    """A configuration with BERT's names beside the family's own, and what it leaves unsaid; of a text tower, the
    tower's.
    """
    kind = str(config.get("model_type"))
    if kind in clip.TEXT:
        return clip.text(config)
    found = {name: next((config[key] for key in keys if key in config), None) for name, keys in ALIASES.items()}
    return FAMILY_DEFAULTS.get(kind, {}) | {name: value for name, value in found.items() if value is not None} | config


def entry(config: Mapping, name: str) -> tuple[str, Any]:
    """The name under which a configuration has what BERT's calls `name`, and what it says there, or None."""
    key = next((key for key in (name, *ALIASES.get(name, ())) if key in config), name)
    return key, config.get(key)


def states_width(config: dict) -> int:
    """Features of the states that the trunk gives: a text tower projects them."""
    found = unified(config)
    return found["projection_dim"] if config["model_type"] in clip.TEXT else found["hidden_size"]


def window_faults(config: dict) -> list[str]:
    """What is wrong with Longformer's `attention_window`, one number or one a layer; one line each."""
    given, count = config.get("attention_window", 512), config["num_hidden_layers"]
    windows = given if isinstance(given, list) else [given]
    wrong = []
    if isinstance(given, list) and len(given) != count:
        wrong.append(f"attention_window lists {len(given)} layers, num_hidden_layers = {count}")
    if odd := [each for each in windows if not isinstance(each, int) or not 2 <= each <= ENDLESS or each % 2]:
        return [*wrong, f"attention_window = {odd[0]!r}: expected even numbers from 2 to {ENDLESS:,}"]
    if any(max(windows) % each for each in windows):
        # transformers pads to the widest, and computes in blocks of each.
        wrong.append(f"attention_window = {given}: the widest must be a multiple of the others")
    return wrong


COUNTED_FROM_PAD = ("roberta", "xlm-roberta", "camembert", "longformer")
"""Model types whose positions start after the padding index."""
DECODERS = ("gemma3_text", "llama", "mistral", "qwen2", "qwen3")
"""Model types whose tokens see only what stands before them, where `is_causal` does not say otherwise."""
ENDLESS = 1 << 20
"""Tokens, where positions are relative and nothing ends them."""


def renamed(config: dict) -> dict:
    """A configuration under the model_type that says what it is: jina-embeddings-v3 calls itself xlm-roberta.

    Its code on the hub (jinaai/xlm-roberta-flash-implementation) turns the positions; transformers has it by its name.
    """
    if config.get("model_type") != "xlm-roberta" or config.get("position_embedding_type") != "rotary":
        return config
    # What names the hub's code, or says in its words what rope_parameters says.
    gone = ("architectures", "auto_map", "position_embedding_type", "rotary_emb_base", "use_flash_attn")
    rope = {"rope_type": "default", "rope_theta": config.get("rotary_emb_base", 10_000.0)}
    kept = {name: value for name, value in config.items() if name not in gone}
    return kept | {"model_type": "jina_embeddings_v3", "rope_parameters": rope}


def positions(config: dict) -> int:
    """Tokens that the trunk has positions for."""
    if config["model_type"] == "t5":
        return ENDLESS
    found = int(unified(config).get("max_position_embeddings") or 512)
    if config.get("rotary_scaling_factor"):
        # nomic_bert changes its angles past the trained length, by the longest text of a batch: not done here.
        found = min(found, config.get("max_trained_positions", found))
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    scaling = scaling["full_attention"] if isinstance(scaling.get("full_attention"), dict) else scaling
    factor, trained = scaling.get("factor"), scaling.get("original_max_position_embeddings") or found
    numbers = isinstance(factor, int | float) and isinstance(trained, int)
    if numbers and scaling.get("rope_type", scaling.get("type")) in ("yarn", "dynamic"):
        # Their configurations may still say the length that was trained.
        found = max(found, int(factor * trained))
    if config["model_type"] in COUNTED_FROM_PAD:
        return found - 1 - config.get("pad_token_id", 1)
    # MPNet's positions start where RoBERTa's do, whatever the padding index is.
    return found - 2 if config["model_type"] == "mpnet" else found
