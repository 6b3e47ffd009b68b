"""What passes through a trunk hold, in bytes a token: the coefficients of its form of layer times its widths."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlx_metaembed.training.plan.coefficients import FORMS, Numbers

ITEM = {"float32": 4, "float16": 2, "bfloat16": 2}
FORM_OF = {
    "nomic_bert": "gated",
    "new": "gated",
    "gte": "gated",
    "modernbert": "modernbert",
    "qwen2": "decoder",
    "qwen3": "decoder",
    "llama": "decoder",
    "mistral": "decoder",
    "gemma3_text": "decoder",
}
"""The rest has BERT's form, but T5."""


@dataclass(frozen=True)
class Shape:
    """A trunk's form of layer and its sizes; `wide` is what each token passes, of all experts that it is given."""

    form: str
    layers: int
    hidden: int
    wide: float
    heads: int
    query: int
    """Features of all heads together."""
    shared: int
    """Features of all heads' keys, which queries may share."""

    @classmethod
    def of(cls, architecture: Mapping) -> "Shape":
        """From a configuration under BERT's names (see architecture.unified)."""
        kind, hidden, heads = (
            architecture["model_type"],
            architecture["hidden_size"],
            architecture["num_attention_heads"],
        )
        wide = architecture.get("intermediate_size") or 4 * hidden
        if every := architecture.get("moe_every_n_layers"):
            wide *= 1 + ((architecture.get("moe_top_k") or 1) - 1) / every
        width = architecture.get("d_kv" if kind == "t5" else "head_dim") or hidden // heads
        form = FORM_OF.get(kind, "bert")
        if kind == "t5":
            form = "t5_gated" if str(architecture.get("feed_forward_proj")).startswith("gated") else "t5"
        return cls(
            form=form,
            layers=architecture["num_hidden_layers"],
            hidden=hidden,
            wide=wide,
            heads=heads,
            query=heads * width,
            shared=(architecture.get("num_key_value_heads") or heads) * width,
        )


@dataclass(frozen=True)
class Activations:
    """Bytes a token: kept of every text that is held, worked with for the chunk in hand, and without a gradient."""

    kept: float
    work: float
    forward: float

    def held(self, tokens: int, chunk: int) -> int:
        """Bytes of a backward pass through `tokens` in chunks of at most `chunk`."""
        return round(tokens * self.kept + min(tokens, chunk) * self.work)


def activations(
    shape: Shape,
    *,
    length: int,
    dtype: str,
    engine: str,
    layers: int | None = None,
    checkpointing: bool = False,
    frozen: bool = False,
) -> Activations:
    """The bytes a token of texts of `length` tokens; `layers` from the last that a gradient reaches, None for all.

    `frozen`: beside an adapter, the layers' own matrices take none; with checkpointing that is not told apart.
    """
    form, item = FORMS[engine][shape.form], ITEM[dtype]

    def numbers(found: Numbers) -> float:
        widths = {"hidden": shape.hidden, "wide": shape.wide, "heads": shape.heads, "query": shape.query}
        return found.of(**widths, length=length)

    kept, work = form.kept, form.work
    if checkpointing:
        kept, work = form.again_kept, form.again_work
    elif frozen:
        kept, work = form.adapter_kept, form.adapter_work
    deep = shape.layers if layers is None else layers
    return Activations(item * deep * numbers(kept), item * numbers(work), item * numbers(form.forward))
