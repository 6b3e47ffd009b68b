"""Masked-language-model heads in checkpoints: the names that each family gives their tensors, and SPLADE's.

Every family has dense, activation, norm, and a decoder that is the word embedding; the file has them beside a trunk
whose names carry the task model's prefix (`bert.`), as transformers' ForMaskedLM classes save and load them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mlx_metaembed.architecture import PREFIXES, unified

Value = TypeVar("Value")


@dataclass(frozen=True)
class Layout:
    """One family: SPLADE's weights by the file's names (the first of each is written), the tied tensor, the rest."""

    names: Mapping[str, tuple[str, ...]]
    tied: str = "embeddings.word_embeddings.weight"
    act_key: str | None = "hidden_act"
    """Where config.json has the activation; None: always gelu."""
    eps_key: str | None = "layer_norm_eps"
    """Where it has the norm's epsilon; None: always 1e-12."""


def _names(dense: str, norm: str, decoder: str, *bias: str) -> dict[str, tuple[str, ...]]:
    return {
        "dense.weight": (f"{dense}.weight",),
        "dense.bias": (f"{dense}.bias",),
        "norm.weight": (f"{norm}.weight",),
        "norm.bias": (f"{norm}.bias",),
        "decoder.weight": (f"{decoder}.weight",),
        "decoder.bias": (*bias, f"{decoder}.bias"),
    }


_ROBERTA = Layout(_names("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"), act_key=None)
LAYOUTS = {
    "bert": Layout(
        _names(
            "cls.predictions.transform.dense",
            "cls.predictions.transform.LayerNorm",
            "cls.predictions.decoder",
            "cls.predictions.bias",
        )
    ),
    "distilbert": Layout(_names("vocab_transform", "vocab_layer_norm", "vocab_projector"), eps_key=None),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    "camembert": _ROBERTA,
    "modernbert": Layout(
        _names("head.dense", "head.norm", "decoder"),
        tied="embeddings.tok_embeddings.weight",
        act_key="classifier_activation",
        eps_key="norm_eps",
    ),
}
"""By model type."""


def own(config: Mapping, tensors: Mapping[str, Value]) -> dict[str, Value]:
    """A file's MLM head by SPLADE's own names (`dense.weight`), empty where it is not there whole.

    A decoder that the configuration ties to the word embedding is left out, whatever the file has.
    """
    layout = LAYOUTS.get(config["model_type"])
    if layout is None:
        return {}
    found = {}
    for name, spelled in layout.names.items():
        if here := next((each for each in spelled if each in tensors), None):
            found[name] = tensors[here]
    if _tied(config):
        found.pop("decoder.weight", None)
    return found if _required(config) <= found.keys() else {}


def kept(config: Mapping, tensors: Mapping[str, Value]) -> dict[str, Value]:
    """The same under the names that transformers writes."""
    layout = LAYOUTS.get(config["model_type"])
    return {layout.names[name][0]: tensor for name, tensor in own(config, tensors).items()}


def known(model_type: str) -> set[str]:
    """Every name that a tensor of the family's MLM head may have in a file."""
    layout = LAYOUTS.get(model_type)
    return {name for spelled in layout.names.values() for name in spelled} if layout else set()


def as_task_model(config: Mapping, tensors: Mapping[str, Value]) -> dict[str, Value]:
    """Tensors as they are written: with an MLM head among them, the trunk's names take the task model's prefix.

    Releases of transformers before 5 read such a head only beside prefixed names.
    """
    head = kept(config, tensors)
    if not head:
        return dict(tensors)
    prefix = PREFIXES.get(config["model_type"], "model") + "."
    return {name if name in head else prefix + name: tensor for name, tensor in tensors.items()}


def settings(config: Mapping, names: Iterable[str], vocabulary: int) -> dict:
    """The fields of the SPLADE head (see heads/splade.py) that a configuration and the names of its tensors give."""
    layout, config, names = LAYOUTS[config["model_type"]], unified(dict(config)), set(names)
    return {
        "in_features": config["hidden_size"],
        "vocabulary": vocabulary,
        "hidden_act": config.get(layout.act_key, "gelu") if layout.act_key else "gelu",
        "layer_norm_eps": config.get(layout.eps_key, 1e-12) if layout.eps_key else 1e-12,
        "biases": tuple(part for part in ("dense", "norm", "decoder") if f"{part}.bias" in names),
        "tied": "" if "decoder.weight" in names else layout.tied,
    }


def _tied(config: Mapping) -> bool:
    return config.get("tie_word_embeddings", True)


def _required(config: Mapping) -> set[str]:
    return {"dense.weight", "norm.weight"} | (set() if _tied(config) else {"decoder.weight"}) | _biases(config)


def _biases(config: Mapping) -> set[str]:
    """ModernBERT alone has a choice, and its own defaults."""
    if config["model_type"] != "modernbert":
        return {"dense.bias", "norm.bias", "decoder.bias"}
    choices = {"dense.bias": ("classifier_bias", False), "norm.bias": ("norm_bias", False)}
    chosen = {name for name, (key, default) in choices.items() if config.get(key, default)}
    return chosen | ({"decoder.bias"} if config.get("decoder_bias", True) else set())
