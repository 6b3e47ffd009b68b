"""Masked-language-model heads in checkpoints: the names that each family gives their tensors, and SPLADE's.

Every family has dense, activation, norm, and a decoder that is mostly the word embedding; the file has them beside a
trunk whose names carry the task model's prefix (`bert.`), as transformers' ForMaskedLM classes save and load them.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from mlx_metaembed.config.spellings import prefixes, unified
from mlx_metaembed.files.safetensors import Tensor, read_bytes, read_tensor

Value = TypeVar("Value", bound=Tensor | np.ndarray)


@dataclass(frozen=True)
class Layout:
    """One family: SPLADE's weights by the file's names, of which the first counts; the tied tensor; the rest."""

    names: Mapping[str, tuple[str, ...]]
    second_bias: str = ""
    """The second name of the decoder's bias: transformers ties them, as it ties the words."""
    tied: str = "embeddings.word_embeddings.weight"
    act: tuple[str, str] = ("hidden_act", "gelu")
    """The activation: where config.json has it, in BERT's names ("": nowhere), and what it is without."""
    eps: tuple[str, float] = ("layer_norm_eps", 1e-12)
    """The norm's epsilon, in the same way."""


def _layout(dense: str, norms: tuple[str, ...], decoder: str, second_bias: str = "", **others: object) -> Layout:
    biases = (f"{decoder}.bias", second_bias) if second_bias else (f"{decoder}.bias",)
    names = {
        "dense.weight": (f"{dense}.weight",),
        "dense.bias": (f"{dense}.bias",),
        "norm.weight": tuple(f"{norm}.weight" for norm in norms),
        "norm.bias": tuple(f"{norm}.bias" for norm in norms),
        "decoder.weight": (f"{decoder}.weight",),
        "decoder.bias": biases,
    }
    return Layout(names, second_bias, **others)


def _bert(norm: str) -> Layout:
    where = "cls.predictions"
    return _layout(
        f"{where}.transform.dense", (f"{where}.transform.{norm}",), f"{where}.decoder", second_bias=f"{where}.bias"
    )


def _roberta(eps: float = 1e-12) -> Layout:
    settings = {"act": ("", "gelu"), "eps": ("layer_norm_eps", eps)}
    return _layout("lm_head.dense", ("lm_head.layer_norm",), "lm_head.decoder", "lm_head.bias", **settings)


LAYOUTS = {
    "bert": _bert("LayerNorm"),
    "nomic_bert": _bert("layer_norm"),
    "distilbert": _layout("vocab_transform", ("vocab_layer_norm",), "vocab_projector", eps=("", 1e-12)),
    "roberta": _roberta(),
    "xlm-roberta": _roberta(),
    "camembert": _roberta(),
    "mpnet": _roberta(),
    "longformer": _roberta(),
    "jina_embeddings_v3": _roberta(1e-5),
    # The hub's code has the activation of the configuration, transformers' own class always GELU.
    "new": _layout("lm_head.dense", ("lm_head.norm",), "lm_head.decoder"),
    "gte": _layout("lm_head.dense", ("lm_head.norm", "lm_head.layer_norm"), "lm_head.decoder", act=("", "gelu")),
    "modernbert": _layout(
        "head.dense",
        ("head.norm",),
        "decoder",
        tied="embeddings.tok_embeddings.weight",
        act=("classifier_activation", "gelu"),
        eps=("norm_eps", 1e-5),
    ),
}
"""By model type."""
PIECE = 1 << 24
"""Bytes of two tensors that are compared at once."""
NOMIC = {"swiglu": "silu", "geglu": "gelu"}
"""What the hub's nomic_bert computes in its head where its MLPs have a gate."""


def own(config: Mapping, tensors: Mapping[str, Value]) -> dict[str, Value]:
    """A file's MLM head by SPLADE's own names (`dense.weight`), empty where it is not there whole.

    `tensors` go by the names without a task model's prefix. A decoder that is the word embedding is left out: where
    the configuration ties the two and the file has no other numbers for it.
    """
    layout = LAYOUTS.get(config["model_type"])
    if layout is None:
        return {}
    found = {}
    for name, spelled in layout.names.items():
        if here := next((each for each in spelled if each in tensors), None):
            found[name] = tensors[here]
    decoder = found.get("decoder.weight")
    if decoder is None:
        return found if _tied(config) and _required(config) <= found.keys() else {}
    if _tied(config) and layout.tied in tensors and _same(decoder, tensors[layout.tied]):
        del found["decoder.weight"]
    return found if _required(config) <= found.keys() else {}


def kept(config: Mapping, tensors: Mapping[str, Value]) -> dict[str, Value]:
    """The same under the names that transformers reads."""
    return spelled(config, own(config, tensors))


def spelled(config: Mapping, head: Mapping[str, Value]) -> dict[str, Value]:
    """An MLM head's tensors by SPLADE's names under those that transformers reads."""
    layout = LAYOUTS.get(config["model_type"])
    spelled = {layout.names[name][0]: tensor for name, tensor in head.items()}
    if "decoder.bias" in head and layout.second_bias:
        # Where the words are untied transformers 5 reads the decoder's own bias, the releases before it this one.
        spelled[layout.second_bias] = head["decoder.bias"]
        if "decoder.weight" not in head:
            del spelled[layout.names["decoder.bias"][0]]
    return spelled


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
    prefix = prefixes(config["model_type"])[0] + "."
    return {name if name in head else prefix + name: tensor for name, tensor in tensors.items()}


def settings(config: Mapping, names: Iterable[str], vocabulary: int) -> dict:
    """The fields of the SPLADE head (see heads/splade.py) that a configuration and the names of its tensors give."""
    layout, config, names = LAYOUTS[config["model_type"]], unified(dict(config)), set(names)
    (act, usual), (eps, least) = layout.act, layout.eps
    act = config.get(act, usual)
    return {
        "in_features": config["hidden_size"],
        "vocabulary": vocabulary,
        "hidden_act": NOMIC.get(act, act) if config["model_type"] == "nomic_bert" else act,
        "layer_norm_eps": config.get(eps, least),
        "biases": tuple(part for part in ("dense", "norm", "decoder") if f"{part}.bias" in names),
        "tied": "" if "decoder.weight" in names else layout.tied,
    }


def _tied(config: Mapping) -> bool:
    return config.get("tie_word_embeddings", True)


def _required(config: Mapping) -> set[str]:
    return {"dense.weight", "norm.weight"} | _biases(config)


def _biases(config: Mapping) -> set[str]:
    """ModernBERT and the hub's nomic_bert have a choice, and their own defaults."""
    choices = dict.fromkeys(("dense.bias", "norm.bias", "decoder.bias"), ("", True))
    if config["model_type"] == "modernbert":
        choices = {
            "dense.bias": ("classifier_bias", False),
            "norm.bias": ("norm_bias", False),
            "decoder.bias": ("decoder_bias", True),
        }
    elif config["model_type"] == "nomic_bert" and "activation_function" in config:
        choices |= dict.fromkeys(("dense.bias", "decoder.bias"), ("mlp_fc1_bias", False))
    return {name for name, (key, default) in choices.items() if config.get(key, default)}


def _same(one: Tensor | np.ndarray, other: Tensor | np.ndarray) -> bool:
    """Whether two tensors have the same numbers."""
    if tuple(one.shape) != tuple(other.shape):
        return False
    if isinstance(one, Tensor) and isinstance(other, Tensor) and one.dtype == other.dtype:
        return all(a == b for a, b in zip(_pieces(one), _pieces(other), strict=True))
    first, second = (read_tensor(each) if isinstance(each, Tensor) else each for each in (one, other))
    return np.array_equal(first, second)


def _pieces(tensor: Tensor) -> Iterator[bytes]:
    """A tensor's bytes, a piece at a time: word tables have a gigabyte."""
    for start in range(tensor.start, tensor.stop, PIECE):
        yield read_bytes(replace(tensor, start=start, stop=min(start + PIECE, tensor.stop)))
