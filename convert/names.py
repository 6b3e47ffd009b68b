"""The names of a foreign checkpoint's tensors, as the trunk's own: prefixes off, task heads and buffers out.

What is left out is given back by name, so that nothing is dropped silently. The pooler stays, for other tools.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from mlx_metaembed.architecture import is_word_table, prefixes
from mlx_metaembed.errors import faults

Value = TypeVar("Value")

WRAPPERS = ("module", "0.auto_model", "auto_model", "model")
"""Prefixes that programs put around a trunk of any family."""
HEADS = re.compile(
    r"(cls|head|decoder|lm_head|classifier|classification_head|qa_outputs|score|pre_classifier"
    r"|discriminator_predictions|generator_predictions|generator_lm_head|vocab_transform|vocab_layer_norm|vocab_projector)\."
)
BUFFERS = re.compile(r"(.*\.)?(position_ids|token_type_ids|rotary_emb\.inv_freq)")
PARAMETRIZED = (
    (re.compile(r"\.parametrizations\.weight\.original$"), ".weight"),
    (re.compile(r"\.parametrizations\.weight\.0\.lora_([AB])$"), r"_lora.\1"),
)
"""torch's names for a weight with an adapter beside it (jina-embeddings-v3), and the kit's."""
COPIES = {"encoder.embed_tokens.weight": "shared.weight"}
"""Second names of a tensor (T5's word embedding) and the trunk's own."""
TEXT_TOWER = re.compile(r"(embeddings|encoder|final_layer_norm|head)\.")
"""What the text tower's tensors begin with where transformers 5 saved SigLIP's alone; before, with text_model."""


def trunk(
    where: Path, model_type: str, tensors: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, str], list[str]]:
    """The trunk's tensors under its own names; the names of task heads' tensors, each with the one without prefixes;
    the names of buffers.

    Raises CallError where two tensors get one name.
    """
    before = tuple(f"{prefix}." for prefix in (*WRAPPERS, *prefixes(model_type)))
    kept: dict[str, Value] = {}
    heads: dict[str, str] = {}
    buffers, twice = [], []
    for name, tensor in tensors.items():
        own = name
        while found := next((prefix for prefix in before if own.startswith(prefix)), None):
            own = own[len(found) :]
        # Checkpoints that came from TensorFlow name a norm's weight and bias so.
        own = own.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        for pattern, plain in PARAMETRIZED:
            own = pattern.sub(plain, own)
        if model_type == "siglip_text_model" and TEXT_TOWER.match(own):
            own = f"text_model.{own}"
        if HEADS.match(own):
            heads[name] = own
        elif BUFFERS.fullmatch(own):
            buffers.append(name)
        elif own in kept:
            twice.append(f"{name}: {own} is there already")
        else:
            kept[own] = tensor
    for copy, own in COPIES.items():
        if own in kept and copy in kept:
            buffers.append(copy)
            del kept[copy]
        elif copy in kept:
            kept[own] = kept.pop(copy)
    if twice:
        raise faults(f"The weights in {where} hold tensors twice:", twice)
    return kept, heads, buffers


def word_embedding(names: Iterable[str]) -> str | None:
    """The name of the word embedding among a trunk's tensors."""
    return next(filter(is_word_table, names), None)


def summary(names: Iterable[str], shown: int = 4) -> str:
    """A few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
