"""Nomic's BERT: nomic-embed-text v1, v1.5 and v2-moe. arXiv:2402.01613, arXiv:2502.07972.

BERT's norms after each sublayer; one matrix for queries, keys and values; rotary positions. v1 has gated MLPs and no
biases; v2-moe plain MLPs with biases, and a mixture of experts in every second layer. The configuration comes in the
hub's form (n_embd, rotary_emb_base) or in transformers 5's (hidden_size, rope_parameters), which knows gated MLPs
only; the weights' names are the hub's in both.
"""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx import rope
from mlx_metaembed.on_mlx.activations import ACTIVATIONS
from mlx_metaembed.on_mlx.mixture import Mixture

GATES = {"swiglu": "silu", "geglu": "gelu"}
"""The gate's activation, by the hub's word or transformers'."""
PLAIN = ("gelu", "gelu_new", "gelu_pytorch_tanh")
"""The hub's words for MLPs without a gate."""


@dataclass(frozen=True)
class Config:
    """The keys of config.json that the architecture reads; n_embd and its kin come under BERT's names."""

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    hidden_act: str = "silu"
    activation_function: str | None = None
    qkv_proj_bias: bool = False
    mlp_fc1_bias: bool = False
    mlp_fc2_bias: bool = False
    rotary_emb_base: float | None = None
    rotary_emb_fraction: float = 1.0
    rotary_emb_interleaved: bool = False
    rope_theta: float | None = None
    rope_parameters: dict | None = None
    moe_every_n_layers: int | None = None
    moe_top_k: int | None = None
    num_experts: int | None = None

    def mixed(self, layer: int) -> bool:
        """Whether a layer, counted from 0, has a mixture of experts: the second of every n."""
        return bool(self.moe_every_n_layers) and layer % self.moe_every_n_layers == 1

    @property
    def rotary_dims(self) -> int:
        """Leading features of each head that are turned."""
        return int(self.hidden_size // self.num_attention_heads * self.rotary_emb_fraction)

    @property
    def gate(self) -> str | None:
        """The gate's activation; None for an MLP without one, which transformers' own form has not."""
        plain = self.activation_function is not None and self.hidden_act in PLAIN
        return None if plain else GATES.get(self.hidden_act, self.hidden_act)

    def rope(self) -> dict:
        theta = self.rope_theta or self.rotary_emb_base
        return rope.settings(theta=theta, scaling=None, parameters=self.rope_parameters)

    def faults(self) -> list[str]:
        wrong = rope.faults(self.rope())
        if not (self.rotary_emb_base or self.rope_theta or (self.rope_parameters or {}).get("rope_theta")):
            wrong.append("rotary_emb_base is missing, and so is rope_parameters")
        if self.rotary_dims <= 0 or self.rotary_dims % 2:
            wrong.append(
                f"rotary_emb_fraction = {self.rotary_emb_fraction} turns {self.rotary_dims} features of a head"
            )
        if self.activation_function is not None and self.hidden_act not in (*GATES, *PLAIN):
            wrong.append(f"activation_function = {self.activation_function!r} is not supported")
        if self.moe_every_n_layers and self.gate:
            wrong.append(f"moe_every_n_layers = {self.moe_every_n_layers} is not supported with {self.hidden_act!r}")
        if self.moe_every_n_layers and not 1 <= (self.moe_top_k or 0) <= (self.num_experts or 0):
            wrong.append(f"moe_top_k = {self.moe_top_k} of num_experts = {self.num_experts}; expected 1 to all of them")
        return wrong


SUPPORTED = {
    "hidden_act": ("silu", *sorted({*GATES, *ACTIVATIONS} - {"silu"})),
    "prenorm": (False,),
    "causal": (False,),
    "parallel_block": (False,),
    "use_rms_norm": (False, None),
    "moe_normalize_expert_weights": (False, None),
    "num_shared_experts": (0, None),
    "expert_choice_router": (False, None),
    "rotary_emb_scale_base": (None,),
    "rotary_head_dim": (False, None),
}


class Embeddings(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size)
        if config.type_vocab_size > 0:
            self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)

    def __call__(self, ids: mx.array) -> mx.array:
        x = self.word_embeddings(ids)
        return x + self.token_type_embeddings.weight[0] if "token_type_embeddings" in self else x


class Attention(nn.Module):
    def __init__(self, config: Config, turn: rope.Rope):
        super().__init__()
        self.heads = config.num_attention_heads
        self.turn = turn
        self.Wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=config.qkv_proj_bias)
        self.out_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=config.qkv_proj_bias)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        batch, length, width = x.shape
        q, k, v = self.Wqkv(x).reshape(batch, length, 3, self.heads, -1).transpose(2, 0, 3, 1, 4)
        scale = (width // self.heads) ** -0.5
        x = mx.fast.scaled_dot_product_attention(self.turn(q), self.turn(k), v, scale=scale, mask=mask)
        return self.out_proj(x.swapaxes(1, 2).reshape(batch, length, width))


class GatedMLP(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.activation = config.gate
        self.fc11 = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_fc1_bias)
        self.fc12 = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_fc1_bias)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_fc2_bias)

    def __call__(self, x: mx.array) -> mx.array:
        return self.fc2(self.fc11(x) * ACTIVATIONS[self.activation](self.fc12(x)))


class MLP(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.activation = config.hidden_act
        self.fc1 = nn.Linear(config.hidden_size, config.intermediate_size, bias=config.mlp_fc1_bias)
        self.fc2 = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.mlp_fc2_bias)

    def __call__(self, x: mx.array) -> mx.array:
        return self.fc2(ACTIVATIONS[self.activation](self.fc1(x)))


def mlp(config: Config, layer: int) -> nn.Module:
    """What follows the attention in a layer, counted from 0."""
    if config.mixed(layer):
        sizes = {"experts": config.num_experts, "k": config.moe_top_k, "activation": config.hidden_act}
        return Mixture(config.hidden_size, config.intermediate_size, **sizes)
    return GatedMLP(config) if config.gate else MLP(config)


class Layer(nn.Module):
    def __init__(self, config: Config, turn: rope.Rope, dropout: float, number: int):
        super().__init__()
        self.attn = Attention(config, turn)
        self.mlp = mlp(config, number)
        self.norm1 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.norm2 = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)

    def __call__(self, x: mx.array, mask: mx.array) -> mx.array:
        x = self.norm1(self.dropout(self.attn(x, mask)) + x)
        return self.norm2(self.dropout(self.mlp(x)) + x)


class Layers(nn.Module):
    def __init__(self, config: Config, dropout: float):
        super().__init__()
        turn = rope.Rope(config.rotary_dims, config.rope(), traditional=config.rotary_emb_interleaved)
        self.layers = [Layer(config, turn, dropout, number) for number in range(config.num_hidden_layers)]


class Encoder(nn.Module):
    """Token ids int32 [B, L] and mask bool [B, L] to states [B, L, hidden_size]."""

    def __init__(self, config: Config, dropout: float = 0.0):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.emb_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(dropout)
        self.encoder = Layers(config, dropout)

    def __call__(self, ids: mx.array, mask: mx.array) -> mx.array:
        x = self.dropout(self.emb_ln(self.embeddings(ids)))
        for layer in self.encoder.layers:
            x = layer(x, mask[:, None, None, :])
        return x
