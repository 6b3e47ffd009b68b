"""jina-embeddings-v3: XLM-RoBERTa with rotary positions and an adapter for each task. arXiv:2409.10173.

BERT's norms after each sublayer, one matrix for queries, keys and values. A row's adapter is applied to its
activations, so that rows of several tasks share a batch and no matrix is made anew. B rows, L tokens, T tasks, r rank.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx import rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5
    hidden_act: str = "gelu"
    rotary_emb_base: float = 20_000.0
    rope_theta: float | None = None
    rope_parameters: dict | None = None
    lora_adaptations: tuple[str, ...] | None = None
    lora_rank: int = 4
    lora_alpha: float = 1.0

    @property
    def tasks(self) -> int:
        return len(self.lora_adaptations or ())

    def rope(self) -> dict:
        theta = self.rope_theta or self.rotary_emb_base
        return rope.settings(theta=theta, scaling=None, parameters=self.rope_parameters)

    def faults(self) -> list[str]:
        return rope.faults(self.rope())


SUPPORTED = {
    "hidden_act": ("gelu", "gelu_new", "gelu_pytorch_tanh"),
    "position_embedding_type": ("rotary",),
    "is_decoder": (False,),
    "head_dim": (None,),
    "rotary_emb_dim": (None,),
    "rotary_emb_interleaved": (False,),
    "rotary_emb_scale_base": (None,),
    "truncate_dim": (None,),
}


@dataclass(frozen=True)
class Rows:
    """Each row's adapter: its number int32 [B], and what it is multiplied by [B, 1, 1], 0 for the plain trunk."""

    tasks: mx.array
    scale: mx.array


class Lora(nn.Module):
    """What each task adds to a matrix: A [T, r, in], B [T, out, r]."""

    def __init__(self, config: Config, inputs: int, outputs: int):
        super().__init__()
        self.A = mx.zeros((config.tasks, config.lora_rank, inputs))
        self.B = mx.zeros((config.tasks, outputs, config.lora_rank))

    def __call__(self, x: mx.array, rows: Rows) -> mx.array:
        low = x @ self.A[rows.tasks].swapaxes(1, 2)
        return low @ self.B[rows.tasks].swapaxes(1, 2) * rows.scale.astype(x.dtype)


class TableLora(nn.Module):
    """What each task adds to a table's rows: A [T, table rows, r], B [T, r, D]."""

    def __init__(self, config: Config, entries: int):
        super().__init__()
        self.A = mx.zeros((config.tasks, entries, config.lora_rank))
        self.B = mx.zeros((config.tasks, config.lora_rank, config.hidden_size))

    def __call__(self, ids: mx.array, rows: Rows) -> mx.array:
        return self.A[rows.tasks[:, None], ids] @ self.B[rows.tasks] * rows.scale.astype(self.B.dtype)


class Adapted(nn.Module):
    """A block whose matrices have adapters beside them: `<matrix>_lora`, where the configuration lists tasks."""

    def adapt(self, config: Config, **sizes: tuple[int, int]) -> None:
        for name, size in sizes.items() if config.tasks else ():
            setattr(self, f"{name}_lora", Lora(config, *size))

    def matrix(self, name: str, x: mx.array, rows: Rows | None) -> mx.array:
        y = self[name](x)
        return y if rows is None else y + self[f"{name}_lora"](x, rows)


class Embeddings(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        if config.tasks:
            self.word_embeddings_lora = TableLora(config, config.vocab_size)
            self.token_type_embeddings_lora = TableLora(config, config.type_vocab_size)

    def __call__(self, ids: mx.array, rows: Rows | None) -> mx.array:
        # A single text has type 0 throughout.
        x = self.word_embeddings(ids) + self.token_type_embeddings.weight[0]
        if rows is None:
            return x
        first = mx.zeros((len(ids), 1), ids.dtype)
        return x + self.word_embeddings_lora(ids, rows) + self.token_type_embeddings_lora(first, rows)


class Mixer(Adapted):
    def __init__(self, config: Config, turn: rope.Rope):
        super().__init__()
        width = config.hidden_size
        self.heads, self.turn = config.num_attention_heads, turn
        self.Wqkv = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)
        self.adapt(config, Wqkv=(width, 3 * width), out_proj=(width, width))

    def __call__(self, x: mx.array, mask: mx.array, rows: Rows | None) -> mx.array:
        batch, length, width = x.shape
        qkv = self.matrix("Wqkv", x, rows)
        q, k, v = qkv.reshape(batch, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        scale = (width // self.heads) ** -0.5
        x = mx.fast.scaled_dot_product_attention(self.turn(q), self.turn(k), v, scale=scale, mask=mask)
        return self.matrix("out_proj", x.swapaxes(1, 2).reshape(batch, length, width), rows)


class MLP(Adapted):
    def __init__(self, config: Config):
        super().__init__()
        width, wide = config.hidden_size, config.intermediate_size
        self.activation = config.hidden_act
        self.fc1 = nn.Linear(width, wide)
        self.fc2 = nn.Linear(wide, width)
        self.adapt(config, fc1=(width, wide), fc2=(wide, width))

    def __call__(self, x: mx.array, rows: Rows | None) -> mx.array:
        return self.matrix("fc2", ACTIVATIONS[self.activation](self.matrix("fc1", x, rows)), rows)


class Layer(nn.Module):
    def __init__(self, config: Config, turn: rope.Rope, dropout: float):
        super().__init__()
        self.mixer = Mixer(config, turn)
        self.mlp = MLP(config)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, mask: mx.array, rows: Rows | None) -> mx.array:
        x = self.norm1(self.dropout(self.mixer(x, mask, rows)) + x)
        return self.norm2(self.dropout(self.mlp(x, rows)) + x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        turn = rope.Rope(config.hidden_size // config.num_attention_heads, config.rope())
        self.layers = [Layer(config, turn, dropout) for _ in range(config.num_hidden_layers)]


class Encoder(nn.Module):
    """Token ids int32 [B, L], mask bool [B, L] and adapters int32 [B], -1 for none, to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.emb_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Layers(config, dropout)
        self.lora_scale = config.lora_alpha / config.lora_rank

    def __call__(self, ids: mx.array, mask: mx.array, tasks: mx.array | None = None) -> mx.array:
        rows = None
        if tasks is not None:
            scale = mx.where(tasks >= 0, self.lora_scale, 0.0)
            rows = Rows(mx.maximum(tasks, 0), scale[:, None, None])
        x = self.dropout(self.emb_ln(self.embeddings(ids, rows)))
        for layer in self.encoder.layers:
            x = layer(x, mask[:, None, None, :], rows)
        return x
