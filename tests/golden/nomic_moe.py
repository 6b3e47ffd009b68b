"""nomic-embed-text-v2-moe in plain torch, token by token, from nomic's modeling_hf_nomic_bert.py; no transformers.

It stands for the reference, which transformers does not have: slow, and without anything that the kit's encoders use.
"""

from types import SimpleNamespace

import torch
from torch import nn

NOMIC_MOE = {
    "model_type": "nomic_bert",
    "activation_function": "gelu",
    "causal": False,
    "expert_choice_router": False,
    "layer_norm_epsilon": 1e-05,
    "mlp_fc1_bias": True,
    "mlp_fc2_bias": True,
    "moe_every_n_layers": 2,
    "moe_impl": "megablocks",
    "moe_normalize_expert_weights": False,
    "moe_top_k": 2,
    "n_embd": 32,
    "n_head": 4,
    "n_inner": 48,
    "n_layer": 4,
    "n_positions": 64,
    "num_experts": 5,
    "num_shared_experts": 0,
    "pad_token_id": 1,
    "parallel_block": False,
    "prenorm": False,
    "qkv_proj_bias": True,
    "rotary_emb_base": 500,
    "rotary_emb_fraction": 1.0,
    "rotary_emb_interleaved": False,
    "rotary_emb_scale_base": None,
    "rotary_scaling_factor": None,
    "type_vocab_size": 1,
    "use_rms_norm": None,
    "vocab_size": 120,
}


class Node(nn.Module):
    """Children by name."""

    def __init__(self, **children: nn.Module):
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class ExpertMatrices(nn.Module):
    def __init__(self, rows: int, width: int):
        super().__init__()
        self.w1, self.w2 = nn.Parameter(torch.empty(rows, width)), nn.Parameter(torch.empty(rows, width))


class Experts(nn.Module):
    def __init__(self, count: int, inside: int, width: int):
        super().__init__()
        self.mlp, self.bias = ExpertMatrices(count * inside, width), nn.Parameter(torch.empty(width))


class NomicMoe(nn.Module):
    """Called with input_ids and attention_mask [B, L], it gives last_hidden_state [B, L, D]."""

    def __init__(self, config: dict):
        super().__init__()
        self.config = config
        width, inside, eps = config["n_embd"], config["n_inner"], config["layer_norm_epsilon"]
        layers = []
        for number in range(config["n_layer"]):
            if number % config["moe_every_n_layers"] == 1:
                router = Node(layer=nn.Linear(width, config["num_experts"], bias=False))
                mlp = Node(router=router, experts=Experts(config["num_experts"], inside, width))
            else:
                mlp = Node(fc1=nn.Linear(width, inside), fc2=nn.Linear(inside, width))
            attn = Node(Wqkv=nn.Linear(width, 3 * width), out_proj=nn.Linear(width, width))
            norms = {name: nn.LayerNorm(width, eps=eps) for name in ("norm1", "norm2")}
            layers.append(Node(attn=attn, mlp=mlp, **norms))
        words, types = nn.Embedding(config["vocab_size"], width), nn.Embedding(config["type_vocab_size"], width)
        self.embeddings = Node(word_embeddings=words, token_type_embeddings=types)
        self.emb_ln = nn.LayerNorm(width, eps=eps)
        self.encoder = Node(layers=nn.ModuleList(layers))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        rows = []
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            x = self.emb_ln(
                self.embeddings.word_embeddings(ids) + self.embeddings.token_type_embeddings(torch.zeros_like(ids))
            )
            for layer in self.encoder.layers:
                x = layer.norm1(self.attention(layer.attn, x, mask.bool()) + x)
                x = layer.norm2(torch.stack([self.mlp(layer.mlp, token) for token in x]) + x)
            rows.append(x)
        return SimpleNamespace(last_hidden_state=torch.stack(rows))

    def attention(self, attn: nn.Module, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One text's states [L, D]; queries, keys and values are thirds of the fused matrix's output."""
        heads, contexts = self.config["n_head"], []
        q, k, v = (part.chunk(heads, dim=-1) for part in attn.Wqkv(x).chunk(3, dim=-1))
        for query, key, value in zip(q, k, v, strict=True):
            scores = self.turned(query) @ self.turned(key).T / query.shape[-1] ** 0.5
            contexts.append(scores.masked_fill(~mask, -torch.inf).softmax(dim=-1) @ value)
        return attn.out_proj(torch.cat(contexts, dim=-1))

    def turned(self, x: torch.Tensor) -> torch.Tensor:
        """One head's features [L, d], each i turned with i + d / 2 as a complex number."""
        half = x.shape[-1] // 2
        speeds = self.config["rotary_emb_base"] ** -(torch.arange(half) / half)
        angles = torch.arange(len(x))[:, None] * speeds
        turned = torch.complex(x[:, :half], x[:, half:]) * torch.polar(torch.ones_like(angles), angles)
        return torch.cat([turned.real, turned.imag], dim=-1)

    def mlp(self, mlp: nn.Module, token: torch.Tensor) -> torch.Tensor:
        """One token's state [D]: fc2 of fc1, or the sum of its best experts by their share of all."""
        if not hasattr(mlp, "router"):
            return mlp.fc2(nn.functional.gelu(mlp.fc1(token)))
        shares = mlp.router.layer(token).softmax(dim=-1)
        inside, total = self.config["n_inner"], mlp.experts.bias
        for expert in shares.argsort(descending=True)[: self.config["moe_top_k"]].tolist():
            own = slice(expert * inside, (expert + 1) * inside)
            hidden = nn.functional.gelu(mlp.experts.mlp.w1[own] @ token)
            total = total + shares[expert] * (hidden @ mlp.experts.mlp.w2[own])
        return total
