"""nomic-embed-text-v2-moe as a torch module: jina-embeddings-v3's layers, every second MLP a mixture of experts.

transformers has neither the mixture nor the biases of v2 in its nomic_bert; the rest of v2 is its jina_embeddings_v3.
Names and layouts of the experts are megablocks', as in on_mlx/mixture.py. arXiv:2502.07972, section 3.
"""

import torch
from transformers.activations import ACT2FN
from transformers.models.jina_embeddings_v3.modeling_jina_embeddings_v3 import JinaEmbeddingsV3Model


class Router(torch.nn.Module):
    def __init__(self, width: int, experts: int):
        super().__init__()
        self.layer = torch.nn.Linear(width, experts, bias=False)

    def forward(self, x: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Weights and numbers of each token's experts, [N, k] each, for states [N, D]."""
        weights, best = self.layer(x).softmax(dim=-1, dtype=torch.float32).topk(k, dim=-1)
        return weights.to(x.dtype), best


class Matrices(torch.nn.Module):
    """Every expert's two matrices, [E * F, D] each: the first is applied transposed, the second as it is."""

    def __init__(self, width: int, inside: int, experts: int):
        super().__init__()
        self.w1 = torch.nn.Parameter(torch.empty(experts * inside, width))
        self.w2 = torch.nn.Parameter(torch.empty(experts * inside, width))


class Experts(torch.nn.Module):
    def __init__(self, width: int, inside: int, experts: int, activation: str):
        super().__init__()
        self.mlp = Matrices(width, inside, experts)
        self.bias = torch.nn.Parameter(torch.empty(width))
        self._count, self._activation = experts, ACT2FN[activation]

    def forward(self, x: torch.Tensor, weights: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
        """The weighted sum over the experts `best` [N, k] of states [N, D], and one bias."""
        total = torch.zeros_like(x)
        pairs = zip(self.mlp.w1.chunk(self._count), self.mlp.w2.chunk(self._count), strict=True)
        for number, (first, second) in enumerate(pairs):
            token, place = torch.where(best == number)
            y = self._activation(x[token] @ first.T) @ second
            total = total.index_add(0, token, y * weights[token, place, None])
        return total + self.bias


class Mixture(torch.nn.Module):
    """States [B, L, D] to states [B, L, D]."""

    def __init__(self, config):
        super().__init__()
        self._k = config.moe_top_k
        self.router = Router(config.hidden_size, config.num_experts)
        self.experts = Experts(config.hidden_size, config.intermediate_size, config.num_experts, config.hidden_act)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        return self.experts(flat, *self.router(flat, self._k)).reshape(x.shape)


class MixtureModel(JinaEmbeddingsV3Model):
    """transformers' trunk with a mixture in the second of every `moe_every_n_layers` layers."""

    def __init__(self, config, add_pooling_layer: bool = False):
        super().__init__(config, add_pooling_layer=add_pooling_layer)
        for number, layer in enumerate(self.layers):
            if number % config.moe_every_n_layers == 1:
                layer.mlp = Mixture(config)
