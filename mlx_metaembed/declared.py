"""What sentence-transformers' modules.json may declare after the trunk: Dense, SpladePooling, ColBERT's projection.

A folder ends in one of three ways: pooled to one vector, one weight a word of the vocabulary (SPLADE), or one vector a
token (ColBERT, as PyLate writes it). Classes and keys are those of sentence-transformers 5.x and PyLate 1.x.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass

SPLADE = "splade"
MULTI_VECTOR = "multi_vector"
LEXICAL = "lexical"
"""The names of heads that come from other tools' folders."""

DENSE_TYPE = "pylate.models.Dense.Dense"
SPLADE_TYPES = (
    "sentence_transformers.sparse_encoder.models.MLMTransformer",
    "sentence_transformers.sparse_encoder.models.SpladePooling",
)
TANH = "torch.nn.modules.activation.Tanh"
"""What sentence-transformers takes where a Dense module's file names no activation."""


@dataclass(frozen=True)
class DenseModule:
    """A `2_Dense` module: its folder's name and its configuration."""

    path: str
    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.modules.linear.Identity"
    use_residual: bool = False
    """Adds the input, through a matrix of its own where the widths differ; on token vectors only."""

    def settings(self) -> dict:
        """The module's config.json for every release: a key that older ones do not know only where it counts."""
        found = {name: getattr(self, name) for name in ("in_features", "out_features", "bias", "activation_function")}
        return found | ({"use_residual": True} if self.use_residual else {})


@dataclass(frozen=True)
class SpladePooling:
    """A `1_SpladePooling` module: how the logits of a text's tokens become its weights."""

    path: str = "1_SpladePooling"
    pooling_strategy: str = "max"
    activation_function: str = "relu"

    def faults(self) -> list[str]:
        """What the head can't compute."""
        reach = {"pooling_strategy": ("max", "sum"), "activation_function": ("relu", "log1p_relu")}
        return [
            f"{self.path}/config.json: {name} = {getattr(self, name)!r}; expected {' or '.join(known)}"
            for name, known in reach.items()
            if getattr(self, name) not in known
        ]


@dataclass(frozen=True)
class LateInteraction:
    """A ColBERT folder: Dense modules on every token, and how queries and documents are told apart and cut."""

    dense: tuple[DenseModule, ...] = ()
    query_prefix: str = "[Q] "
    document_prefix: str = "[D] "
    query_length: int = 32
    document_length: int = 180
    do_query_expansion: bool = True
    attend_to_expansion_tokens: bool = False
    skiplist_words: tuple[str, ...] = tuple(string.punctuation)

    def settings(self) -> dict:
        """The keys of config_sentence_transformers.json."""
        return {name: getattr(self, name) for name in KEYS} | {"skiplist_words": list(self.skiplist_words)}


KEYS = tuple(name for name in LateInteraction.__dataclass_fields__ if name != "dense")


def late_interaction(top: Mapping) -> tuple[LateInteraction, list[str]]:
    """PyLate's settings as config_sentence_transformers.json has them, its defaults where they are missing; faults."""
    found = {name: top[name] for name in KEYS if top.get(name) is not None}
    kinds = {name: type(getattr(LateInteraction, name)) for name in KEYS} | {"skiplist_words": list}
    wrong = [
        f"config_sentence_transformers.json: {name} = {value!r}; expected a {kinds[name].__name__}"
        for name, value in found.items()
        if type(value) is not kinds[name]
    ]
    if "skiplist_words" in found and not wrong:
        found["skiplist_words"] = tuple(found["skiplist_words"])
    least = {"query_length": 4, "document_length": 4}
    wrong += [
        f"config_sentence_transformers.json: {name} = {found[name]}; expected {number} or more"
        for name, number in least.items()
        if not wrong and found.get(name, number) < number
    ]
    return (LateInteraction() if wrong else LateInteraction(**found)), wrong
