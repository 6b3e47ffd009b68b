"""What sentence-transformers' modules.json may declare after the trunk: Dense, SpladePooling, ColBERT's projection.

A folder ends in one of three ways: pooled to one vector, one weight a word of the vocabulary (SPLADE), or one vector a
token (ColBERT, as PyLate writes it). Classes and keys are those of sentence-transformers 5.x and PyLate 1.x.
"""

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SPLADE = "splade"
MULTI_VECTOR = "multi_vector"
LEXICAL = "lexical"
"""The names of heads that come from other tools' folders."""

DENSE_TYPE = "pylate.models.Dense.Dense"
TRUNK_TYPE = "sentence_transformers.models.Transformer"
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

    def settings(self) -> dict:
        """The keys of the module's config.json."""
        return {name: getattr(self, name) for name in ("pooling_strategy", "activation_function")}

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
MASK = "MultiVectorMask"
LATE = ("Dense", MASK, "Normalize")
"""Modules that a ColBERT folder has after its trunk."""


def modules(splade: SpladePooling | None, late: LateInteraction | None) -> list[tuple[str, str]]:
    """The path and class of every module of a folder that ends in either."""
    if splade:
        return list(zip(("", splade.path), SPLADE_TYPES, strict=True))
    return [("", TRUNK_TYPE), *((module.path, DENSE_TYPE) for module in late.dense)]


def top(splade: SpladePooling | None, late: LateInteraction | None) -> dict:
    """What such a folder has in config_sentence_transformers.json beside the usual."""
    if splade:
        return {"model_type": "SparseEncoder"}
    return {"model_type": "ColBERT", "similarity_fn_name": "MaxSim", **late.settings()} if late else {}


def dense_module(where: str, settings: Mapping) -> DenseModule | None:
    """A Dense module by its config.json; None where a width is missing."""
    names = [name for name in DenseModule.__dataclass_fields__ if name in settings and name != "path"]
    if not {"in_features", "out_features"} <= set(names):
        return None
    return DenseModule(where, **{"activation_function": TANH} | {name: settings[name] for name in names})


def splade_pooling(where: str, settings: Mapping) -> SpladePooling:
    """A SpladePooling module by its config.json."""
    names = ("pooling_strategy", "activation_function")
    return SpladePooling(where, **{name: settings[name] for name in names if name in settings})


def is_late(types: Iterable[str]) -> bool:
    """Whether a folder's modules, by their classes, give a vector for every token."""
    return any(kind == DENSE_TYPE or kind.endswith(f".{MASK}") for kind in types)


def late_interaction(
    modules: Iterable[tuple[str, str, Mapping]], top: Mapping, trunk: Mapping, max_seq_length: int
) -> tuple[LateInteraction, list[str]]:
    """What a ColBERT folder declares, and what is wrong with it.

    `modules` are those after the trunk: kind, path, config.json. `top` is config_sentence_transformers.json, where
    PyLate keeps its settings; sentence-transformers 6 keeps them with the modules, the trunk's in `trunk`
    (sentence_bert_config.json), and the prefixes among the prompts.
    """
    modules = list(modules)
    dense = [dense_module(where, settings) for kind, where, settings in modules if kind == "Dense"]
    wrong = [] if all(dense) else ["Dense: in_features or out_features is missing"]
    if not dense:
        wrong.append("a vector for every token without a Dense module is not supported")
    mask = next((settings for kind, _, settings in modules if kind == MASK), None)
    if mask is None:
        found = {name: top[name] for name in KEYS if top.get(name) is not None}
    else:
        found, faulty = _native(mask, trunk, max_seq_length)
        wrong += faulty
    kinds = {name: type(getattr(LateInteraction, name)) for name in KEYS} | {"skiplist_words": list}
    wrong += [
        f"{name} = {value!r}; expected a {kinds[name].__name__}"
        for name, value in found.items()
        if type(value) is not kinds[name]
    ]
    wrong += [
        f"{name} = {found[name]}; expected 4 or more"
        for name in ("query_length", "document_length")
        if type(found.get(name, 4)) is int and found.get(name, 4) < 4
    ]
    if not all(isinstance(word, str) for word in found.get("skiplist_words", ()) or ()):
        wrong.append(f"skiplist_words = {found['skiplist_words']!r:.80}; expected words")
    if wrong:
        return LateInteraction(), wrong
    words = tuple(found.get("skiplist_words", LateInteraction.skiplist_words))
    return LateInteraction(**found | {"dense": tuple(dense), "skiplist_words": words}), []


def _native(mask: Mapping, trunk: Mapping, max_seq_length: int) -> tuple[dict, list[str]]:
    """sentence-transformers 6's spelling as PyLate's keys."""
    expansion = trunk.get("query_expansion") or {}
    wrong = [
        f"{name} = {value!r} is not supported; known: {known!r}"
        for name, value, known in (
            ("query_expansion strategy", expansion.get("strategy", "fixed"), "fixed"),
            ("query_expansion token", expansion.get("token"), None),
            ("skiplist_tasks", mask.get("skiplist_tasks") or ["document"], ["document"]),
            ("keep_only_token_ids", mask.get("keep_only_token_ids"), None),
        )
        if value != known
    ]
    return {
        "query_prefix": "",
        "document_prefix": "",
        "query_length": expansion.get("length") or trunk.get("query_length") or max_seq_length,
        "document_length": trunk.get("document_length") or max_seq_length,
        "do_query_expansion": bool(expansion),
        "attend_to_expansion_tokens": bool(expansion.get("attend", False)),
        "skiplist_words": list(mask.get("skiplist_words") or []),
    }, wrong
