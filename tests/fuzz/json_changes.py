"""Changes to JSON: another value, type, key, depth or spelling somewhere in it. Each gives text, or None."""

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 7, 0.5, -0.0, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 10**30, 1e308, 1e-308, 1e30),
    *("", "x", "../x", "/etc/passwd", "\0", "\ud800", "‮text", "é" * 300, "a" * 5000, "null", "1", "nan", "mean"),
    *([], [1], [None], [[]], ["a"], {}, {"a": 1}, {"": {}}, [0] * 3000, ["[CLS]"] * 40),
)
RAW = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "9" * 5000,
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 2000 + "1" + "}" * 2000,
)
KEYS = (
    *("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim"),
    *("intermediate_size", "hidden_act", "max_position_embeddings", "vocab_size", "type_vocab_size", "pad_token_id"),
    *(
        "layer_norm_eps",
        "rms_norm_eps",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "sliding_window",
        "is_decoder",
    ),
    *("position_embedding_type", "tie_word_embeddings", "quantization", "quantization_config", "dtype", "torch_dtype"),
    *("attention_window", "layer_types", "lora_adaptations", "task_instructions", "text_config", "vision_config"),
    *("max_seq_length", "do_lower_case", "word_embedding_dimension", "pooling_mode", "include_prompt", "prompts"),
    *("default_prompt_name", "similarity_fn_name", "in_features", "out_features", "bias", "activation_function"),
    *("module_input_name", "use_residual", "query_length", "document_length", "query_prefix", "skiplist_words"),
    *("model_max_length", "tokenizer_class", "truncation_side", "added_tokens_decoder", "additional_special_tokens"),
    *("add_prefix_space", "cls_token", "sep_token", "pad_token", "unk_token", "mask_token", "strip_accents"),
    *("peft_type", "r", "lora_alpha", "target_modules", "use_dora", "base_model_name_or_path", "modules_to_save"),
    *("rank_pattern", "alpha_pattern", "fan_in_fan_out", "weight_map", "metadata", "type", "levels", "ignored", "idx"),
)
Place = tuple
Random = np.random.Generator


def changed(text: str, random: Random) -> tuple[str, str] | None:
    """JSON text with one to three changes, and what was changed; None where it is no JSON to begin with."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    said = []
    for _ in range(int(random.choice([1, 1, 1, 2, 3]))):
        change = CHANGES[random.integers(len(CHANGES))]
        content, what = change(copy.deepcopy(content), random)
        said.append(what)
    if random.random() < 0.1:
        made, what = _spelled(content, random)
        return made, ", ".join([*said, what])
    return json.dumps(content), ", ".join(said)


def respelled(text: str, random: Random) -> str | None:
    """The same JSON in other words: spaces, order of keys, escapes."""
    try:
        content = json.loads(text)
    except ValueError:
        return None
    indent = int(random.integers(0, 5)) or None
    return json.dumps(content, indent=indent, ensure_ascii=bool(random.integers(2))) + "\n" * int(random.integers(3))


def places(content: Any, most: int = 4000) -> list[Place]:
    """The paths to the values, breadth first."""
    found: list[Place] = [()]
    for path in found:
        inside = at(content, path)
        if len(found) > most:
            break
        if isinstance(inside, dict | list):
            found += [(*path, key) for key in (inside if isinstance(inside, dict) else range(len(inside)))]
    return found


def at(content: Any, path: Place) -> Any:
    for key in path:
        content = content[key]
    return content


def put(content: Any, path: Place, value: Any) -> Any:
    """The content with a value at a path."""
    if not path:
        return value
    at(content, path[:-1])[path[-1]] = value
    return content


def _chosen(content: Any, random: Random) -> Place:
    """A place; the few that lie near the top are as likely as the many below."""
    found = places(content)
    depth = random.choice(sorted({len(path) for path in found}))
    same = [path for path in found if len(path) == depth]
    return same[random.integers(len(same))]


def _replaced(content: Any, random: Random) -> tuple[Any, str]:
    path, value = _chosen(content, random), VALUES[random.integers(len(VALUES))]
    return put(content, path, value), f"{path} = {value!r:.40}"


def _nudged(content: Any, random: Random) -> tuple[Any, str]:
    """A number a little beside, doubled, negative or huge; a word longer, shorter or turned."""
    path = _chosen(content, random)
    value = at(content, path)
    if isinstance(value, bool):
        made: Any = not value
    elif isinstance(value, int | float):
        made = [value + 1, value - 1, value * 2, -value, value / 2, value * 1000, 0, str(value), [value]][
            random.integers(9)
        ]
    elif isinstance(value, str):
        made = [value[:-1], value + "x", value.upper(), value[::-1], [value], {value: value}, value * 50][
            random.integers(7)
        ]
    elif isinstance(value, list):
        made = [value[::-1], value * 2, value[:-1], value[1:], [value], dict(enumerate(map(str, value)))][
            random.integers(6)
        ]
    else:
        made = [value]
    return put(content, path, made), f"{path} nudged to {made!r:.40}"


def _deleted(content: Any, random: Random) -> tuple[Any, str]:
    path = _chosen(content, random)
    if not path:
        return {}, "emptied"
    del at(content, path[:-1])[path[-1]]
    return content, f"{path} deleted"


def _renamed(content: Any, random: Random) -> tuple[Any, str]:
    path = _chosen(content, random)
    inside = at(content, path[:-1]) if path else None
    if not isinstance(inside, dict):
        return _replaced(content, random)
    new = ["", "x", path[-1] + "_", path[-1].upper(), "\ud800", "model_type", "type", "__metadata__"][
        random.integers(8)
    ]
    inside[new] = inside.pop(path[-1])
    return content, f"{path} renamed to {new!r}"


def _known_key(content: Any, random: Random) -> tuple[Any, str]:
    """A key that some reader knows, with any value, where it need not stand."""
    path = _chosen(content, random)
    while path and not isinstance(at(content, path), dict):
        path = path[:-1]
    if not isinstance(at(content, path), dict):
        return _replaced(content, random)
    key, value = KEYS[random.integers(len(KEYS))], VALUES[random.integers(len(VALUES))]
    at(content, path)[key] = value
    return content, f"{(*path, key)} = {value!r:.40}"


def _exchanged(content: Any, random: Random) -> tuple[Any, str]:
    first, second = _chosen(content, random), _chosen(content, random)
    if first[: len(second)] == second or second[: len(first)] == first:
        return _replaced(content, random)
    left, right = at(content, first), at(content, second)
    return put(put(content, first, right), second, left), f"{first} and {second} exchanged"


def _spelled(content: Any, random: Random) -> tuple[str, str]:
    """Text that json.dumps does not write: a raw value, a key twice, a byte order mark."""
    path = _chosen(content, random)
    raw = RAW[random.integers(len(RAW))]
    text = json.dumps(put(content, path, "@@")).replace('"@@"', raw)
    if random.random() < 0.3 and text.startswith("{") and len(text) > 2:
        return text[:-1] + "," + text[1:], f"{path} raw {raw:.10}, every key twice"
    return text, f"{path} = raw {raw:.10}"


CHANGES: tuple[Callable[[Any, Random], tuple[Any, str]], ...] = (
    *(_replaced, _replaced, _nudged, _nudged, _known_key, _known_key, _deleted, _renamed, _exchanged),
)
