"""What the entries of a configuration must look like, before an engine reads them: counts, ids, numbers, words.

A wrong one would else be a traceback, an endless loop, or rows read from outside a table (MLX checks no index).
"""

import math
import types
import typing
from collections.abc import Mapping

from mlx_metaembed.config import clip
from mlx_metaembed.config.spellings import ALIASES, COUNTED_FROM_PAD, entry, positions, unified

LARGEST = 2**31 - 1
MOST = {"num_hidden_layers": 1_000, "max_position_embeddings": 2**24, "factor": 2**12}
"""More than any model has; a loop over as many ends."""
COUNTS = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "projection_dim"),
    *("max_position_embeddings", "max_trained_positions", "head_dim", "num_key_value_heads", "d_kv", "lora_rank"),
    *(
        "global_attn_every_n_layers",
        "local_attention",
        "num_experts",
        "moe_top_k",
        "num_channels",
        "image_size",
        "patch_size",
        "relative_attention_num_buckets",
    ),
)
"""What is counted, and 1 or more; null stands for no entry."""
FROM_ZERO = ("type_vocab_size", "moe_every_n_layers")
"""What is counted, and may be none."""
NUMBERS = (
    *("layer_norm_eps", "rms_norm_eps", "norm_eps", "lora_alpha", "rotary_scaling_factor"),
    *("rope_theta", "rotary_emb_base", "global_rope_theta", "local_rope_theta", "rope_local_base_freq"),
)
"""What is a number above 0."""


def invalid_entries(config: Mapping) -> list[str]:
    """The entries of config.json that can't be meant, one line each; towers' own parts too."""
    kind = config.get("model_type")
    parts = [
        name for name in ("text_config", "vision_config") if kind in clip.TEXT and isinstance(config.get(name), dict)
    ]
    found = [f"{name}: {line}" for name in parts for line in _entries(config[name])] + _entries(config)
    return found or _together(config)


def _entries(config: Mapping) -> list[str]:
    """Each entry by itself, under BERT's name or the family's own."""
    found = []
    for name in COUNTS:
        most = MOST.get(name, LARGEST)
        for key in (name, *ALIASES.get(name, ())):
            value = config.get(key)
            if value is not None and not (_whole(value) and 1 <= value <= most):
                found.append(f"{key} = {value!r:.80}, expected a whole number from 1 to {most:,}")
    for key in FROM_ZERO:
        value = config.get(key)
        if value is not None and not (_whole(value) and 0 <= value <= LARGEST):
            found.append(f"{key} = {value!r:.80}, expected a whole number from 0 to {LARGEST:,}")
    for key in (*NUMBERS, *ALIASES["layer_norm_eps"]):
        value = config.get(key)
        if value is not None and not (fits(value, float) and value > 0):
            found.append(f"{key} = {value!r:.80}, expected a number above 0")
    value = config.get("lora_adaptations")
    if not fits(value, list[str] | None):
        found.append(f"lora_adaptations = {value!r:.80}, expected a list of tasks")
    for key in ("rope_scaling", "rope_parameters"):
        value = config.get(key) or {}
        if not isinstance(value, dict):
            found.append(f"{key} = {value!r:.80}, expected its settings by name")
        elif endless := [name for name, each in value.items() if isinstance(each, float) and not math.isfinite(each)]:
            found.append(f"{key}: {endless[0]} = {value[endless[0]]!r}, expected a finite number")
        elif fits(factor := value.get("factor"), float) and not 0 < factor <= MOST["factor"]:
            found.append(f"{key}: factor = {factor!r:.80}, expected a number above 0, at most {MOST['factor']:,}")
    if not isinstance(config.get("quantization_config") or {}, dict):
        found.append(f"quantization_config = {config['quantization_config']!r:.80}, expected its settings by name")
    value = config.get("quantization")
    if value is not None and not isinstance(value, dict):
        found.append(f"quantization = {value!r:.80}, expected group_size and bits by name")
    elif value is not None:
        found += [
            f"{where}: {key} = {each.get(key)!r:.80}, expected a whole number from 1 to {LARGEST:,}"
            for where, each in _quantizations(value)
            for key in ("group_size", "bits")
            # What a module's own settings leave out is a default.
            if (where == "quantization" or key in each) and not (_whole(each.get(key)) and 1 <= each[key] <= LARGEST)
        ]
        found += [
            f"{where}: mode = {each['mode']!r:.80}, expected its name"
            for where, each in _quantizations(value)
            if not isinstance(each.get("mode", ""), str)
        ]
    value = config.get("pad_token_id")
    if value is not None and not (_whole(value) and -1 <= value <= LARGEST):
        found.append(f"pad_token_id = {value!r:.80}, expected a token's id")
    return found


def _quantizations(common: Mapping) -> list[tuple[str, Mapping]]:
    """The settings of all quantized matrices, and those of single modules, each with what it is called."""
    own = [(f"quantization of {name}", each) for name, each in common.items() if isinstance(each, Mapping)]
    return [("quantization", common), *own]


def _together(said: Mapping) -> list[str]:
    """Entries that contradict each other."""
    found, config = [], unified(dict(said))
    pad, words = config.get("pad_token_id", 0), config.get("vocab_size")
    if pad is not None and words is not None and pad >= words:
        found.append(f"pad_token_id = {pad}, but vocab_size = {words}: expected an id below it")
    if config["model_type"] in COUNTED_FROM_PAD and (pad is None or pad < 0):
        found.append(f"pad_token_id = {pad}, expected a token's id: positions are counted from it")
    elif (longest := positions(dict(said))) < 1:
        found.append(f"max_position_embeddings = {config['max_position_embeddings']} leaves no position for a token")
    elif longest > MOST["max_position_embeddings"]:
        found.append(f"positions turned for {longest:,} tokens, expected at most {MOST['max_position_embeddings']:,}")
    return found


def indivisible_heads(config: Mapping) -> list[str]:
    """One line where the states' width can't be shared among the heads, one where heads can't share keys."""
    (hidden_key, hidden), (heads_key, heads) = (entry(config, name) for name in ("hidden_size", "num_attention_heads"))
    said = unified(dict(config))
    if not hidden or not heads:
        return []
    wrong, shared = [], said.get("num_key_value_heads") or heads
    if not (said.get("head_dim") or said.get("d_kv")) and hidden % heads:
        wrong.append(f"{hidden_key} = {hidden} is no multiple of {heads_key} = {heads}")
    if heads % shared:
        wrong.append(f"{heads_key} = {heads} is no multiple of num_key_value_heads = {shared}")
    return wrong


def type_errors(kind: type, values: Mapping) -> list[str]:
    """The values that a dataclass's annotations do not allow, one line each."""
    hints = typing.get_type_hints(kind)
    return [
        f"{name} = {value!r:.80}, expected {_words(hints[name])}"
        for name, value in values.items()
        if name in hints and not fits(value, hints[name])
    ]


def fits(value: object, hint: object) -> bool:
    """Whether a value of JSON is what an annotation says: a float may be whole, but no NaN; null is a false bool."""
    if isinstance(hint, types.UnionType):
        return any(fits(value, option) for option in hint.__args__)
    if typing.get_origin(hint) in (list, tuple):
        return isinstance(value, (list, tuple)) and all(fits(each, typing.get_args(hint)[0]) for each in value)
    if hint is float:
        return _whole(value) or (isinstance(value, float) and math.isfinite(value))
    if hint is int:
        return _whole(value)
    return isinstance(value, hint) or (hint is bool and value is None)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _words(hint: object) -> str:
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false", dict: "an object"}
    if isinstance(hint, types.UnionType):
        return " or ".join(_words(option) for option in hint.__args__ if option is not types.NoneType)
    if typing.get_origin(hint) in (list, tuple):
        return f"a list, each {_words(typing.get_args(hint)[0])}"
    return words.get(hint, str(hint))
