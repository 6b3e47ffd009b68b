"""What passes through a trunk hold, in bytes a token: measured coefficients by form of layer and engine.

Fitted to the peaks of single passes at ten shapes and two depths (docs/log.md), float32, on processors: on MLX's
allocator for every form, within 4 %; on torch's process for BERT's and ModernBERT's, within 20 %, the other forms of
torch being reckoned from MLX's. MLX keeps the weights of attention, torch's kernel does not. On Metal MLX runs the
same graph in training; there and on CUDA the figures are reckoned from these.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ITEM = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True)
class Numbers:
    """Numbers a token: so many times the hidden width, the intermediate width, and heads x length."""

    hidden: float
    wide: float
    scores: float = 0.0

    def __add__(self, other: "Numbers") -> "Numbers":
        return Numbers(self.hidden + other.hidden, self.wide + other.wide, self.scores + other.scores)

    def of(self, shape: "Shape", length: int) -> float:
        return self.hidden * shape.hidden + self.wide * shape.wide + self.scores * shape.heads * length


@dataclass(frozen=True)
class Form:
    """A layer's cost: what it keeps for the backward pass, what the pass works with beside all that is kept, what a
    pass without a gradient holds, and what a layer that is computed again works with (the largest of several).
    """

    kept: Numbers
    work: Numbers
    forward: Numbers
    again: tuple[Numbers, ...]
    again_kept: Numbers = Numbers(1, 0)


BESIDE_FROZEN = {"mlx": (Numbers(-2, 0), Numbers(-12, 0)), "torch": (Numbers(0, 0), Numbers(0, 0))}
"""What a layer keeps and works with less, where its own matrices take no gradient."""


def _torch(kept: Numbers, work: Numbers, forward: Numbers) -> Form:
    return Form(kept, work, forward, (kept + work,))


FORMS = {
    "mlx": {
        "bert": Form(
            Numbers(10.5, 2.6, 1),
            Numbers(28.8, 8, 3.7),
            Numbers(22.9, 6.5, 1.9),
            (Numbers(14.5, 0.3, 3), Numbers(11.9, 13.4, 1)),
        ),
        "gated": Form(
            Numbers(12.2, 5, 1),
            Numbers(31.8, 4, 3),
            Numbers(23.8, 2.5, 1.9),
            (Numbers(27, 7, 2.7),),
        ),
        "modernbert": Form(
            Numbers(12.2, 5, 1.05),
            Numbers(32.8, 8, 3.3),
            Numbers(22.2, 5, 1.05),
            (Numbers(21, 17, 2.3),),
        ),
        "decoder": Form(
            Numbers(14, 5.2, 1.03),
            Numbers(31, 2, 2.9),
            Numbers(23.8, 2, 1.1),
            (Numbers(30.8, 8.4, 1), Numbers(30.8, 0.8, 3.7)),
        ),
        "t5": Form(
            Numbers(12, 2, 1),
            Numbers(30.5, 2.3, 4.1),
            Numbers(27.2, 2.2, 3.3),
            (Numbers(26.3, 1.6, 2),),
            Numbers(1, 0, 1),
        ),
        "t5_gated": Form(
            Numbers(9.9, 7, 1),
            Numbers(31, 3.3, 3.5),
            Numbers(26.2, 4, 3.2),
            (Numbers(27.6, 0, 2.1), Numbers(18.2, 13.1, 1)),
            Numbers(1, 0, 1),
        ),
    },
    "torch": {
        "bert": _torch(Numbers(11.5, 2.2), Numbers(8, 2), Numbers(11, 3)),
        "gated": _torch(Numbers(16, 4.2), Numbers(10, 4), Numbers(15, 5)),
        "modernbert": _torch(Numbers(17.5, 4.2, 0.1), Numbers(8, 5), Numbers(15, 5.5)),
        "decoder": _torch(Numbers(20, 4.5), Numbers(10, 4), Numbers(15, 5)),
        "t5": _torch(Numbers(13, 2.2, 1), Numbers(8, 2, 2), Numbers(11, 3, 2)),
        "t5_gated": _torch(Numbers(13, 7, 1), Numbers(8, 4, 2), Numbers(11, 4, 2)),
    },
}
AGAIN = 1.08
"""Whole runs with checkpointing held so much more than single passes: sums are added while a layer is computed."""
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
        width = architecture.get("head_dim") or architecture.get("d_kv") or hidden // heads
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

    `frozen`: beside an adapter, the layers' own matrices take none.
    """
    form, item = FORMS[engine][shape.form], ITEM[dtype]
    less = BESIDE_FROZEN[engine] if frozen else (Numbers(0, 0), Numbers(0, 0))
    kept, work = ((each + saved).of(shape, length) for each, saved in zip((form.kept, form.work), less, strict=True))
    if checkpointing:
        kept, work = form.again_kept.of(shape, length), AGAIN * max(each.of(shape, length) for each in form.again)
    deep = shape.layers if layers is None else layers
    return Activations(item * deep * kept, item * work, item * form.forward.of(shape, length))
