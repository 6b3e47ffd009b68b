"""Where config.json contradicts the weights, in the configuration's own words and all at once.

The engines compare tensor by tensor when they load; this names the one number that is wrong, before anything is
written.
"""

import re
from collections.abc import Mapping

import numpy as np

from mlx_metaembed.config import checks, clip
from mlx_metaembed.config.spellings import entry, unified
from mlx_metaembed.convert import names
from mlx_metaembed.errors import faults
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.task_adapters import LORA
from mlx_metaembed.folder.task_adapters import names as names_of_tasks

LAYER = re.compile(r"(?:.*?\.)??(?:layers|layer|block)\.(\d+)\.")
MIDDLE = re.compile(
    r".*(intermediate\.dense|ffn\.lin1|mlp\.gate_proj|mlp\.fc11?|mlp\.up_gate_proj|mlp\.Wi|DenseReluDense\.wi(_0)?)\.weight"
)
"""The first matrix after attention."""
JOINED = ("mlp.up_gate_proj.weight", "mlp.Wi.weight")
"""Those of them that hold the gate as well, half of their rows each."""


def require(folder: ModelFolder, tensors: Mapping[str, Tensor | np.ndarray]) -> None:
    """Raise CallError that lists every number of the configuration that the weights contradict."""
    wrong = found(folder.config, {name: tuple(tensor.shape) for name, tensor in tensors.items()})
    if wrong:
        raise faults(
            f"{folder.path / 'config.json'} contradicts the weights:",
            wrong,
            "Fetch the folder again, or take the config.json that belongs to these weights.",
        )


def found(config: Mapping, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """The contradictions between a configuration and the shapes of a trunk's tensors, one line each."""
    wrong = []
    if config.get("model_type") in clip.TWO:
        # Two towers in one file: the text's part of the configuration, and of the weights.
        own = {name: shape for name, shape in shapes.items() if name.startswith(clip.TRUNK)}
        return [f"text_config: {line}" for line in found(config.get("text_config") or {}, own)]

    def say(name: str, has: int | None, what: str) -> None:
        key, value = entry(config, name)
        if has is not None and isinstance(value, int) and value != has:
            wrong.append(f"{key} = {value}, but the weights have {has} {what}")

    if names.word_embedding(shapes) is None:
        wrong.append("the weights have no word embedding; they belong to something else, or are not whole")
    words = shapes.get(names.word_embedding(shapes) or "", (None, None))
    say("vocab_size", words[0], "words")
    say("hidden_size", words[-1], "features")
    layers = {int(match[1]) for name in shapes if (match := LAYER.match(name))}
    say("num_hidden_layers", max(layers, default=-1) + 1, "layers")
    lacking = sorted(set(range(max(layers, default=0))) - layers)
    if lacking:
        wrong.append(f"the weights have nothing of layer {', '.join(map(str, lacking))}")
    for name, ending, what in (
        ("max_position_embeddings", "position_embeddings.weight", "positions"),
        ("type_vocab_size", "token_type_embeddings.weight", "types of tokens"),
    ):
        say(name, next((shape[0] for own, shape in shapes.items() if own.endswith(ending)), None), what)
    middle = next((name for name in shapes if MIDDLE.fullmatch(name)), None)
    if middle:
        say("intermediate_size", shapes[middle][0] // (2 if middle.endswith(JOINED) else 1), "features between")
    tasks = next((shape[0] for own, shape in shapes.items() if own.endswith(f"{LORA}.A")), None)
    if tasks is not None and tasks != len(names_of_tasks(config)):
        wrong.append(f"lora_adaptations lists {len(names_of_tasks(config))} tasks, but the weights have {tasks}")
    return wrong + _heads(config, shapes)


def _heads(config: Mapping, shapes: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Heads that do not divide what they share, or are not those of the weights."""
    (key, heads), (_, hidden) = entry(config, "num_attention_heads"), entry(config, "hidden_size")
    said, width_key = unified(dict(config)), "d_kv" if config.get("model_type") == "t5" else "head_dim"
    width, shared = said.get(width_key), said.get("num_key_value_heads") or heads
    if not isinstance(heads, int) or not isinstance(hidden, int):
        return []
    wrong = []
    if heads < 1:
        return [f"{key} = {heads}, expected at least one"]
    if undivided := checks.indivisible_heads(config):
        return undivided
    named = f" of {width_key} = {width}" if width else ""
    endings = {(".q_proj.weight", ".SelfAttention.q.weight"): (key, heads), (".k_proj.weight",): ("", shared)}
    for ending, (own, count) in endings.items():
        rows = next((shape[0] for name, shape in shapes.items() if name.endswith(ending)), None)
        features = count * (width or hidden // heads)
        if rows is not None and rows != features:
            own = own or "num_key_value_heads"
            wrong.append(f"{own} = {count}{named} make {features} features, but the weights have {rows}")
    return wrong
