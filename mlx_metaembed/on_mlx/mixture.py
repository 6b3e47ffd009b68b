"""A mixture of experts in the place of an MLP, as nomic-embed-text-v2-moe has it. arXiv:2502.07972, section 3.

Each token goes through the k experts that the router gives the most weight; the weights are shares of all the experts
and are not brought to a sum of 1. Names and layouts are megablocks'. N tokens, E experts, D features, F inside.
"""

import mlx.core as mx
import mlx.nn as nn

from mlx_metaembed.on_mlx.activations import ACTIVATIONS


def product(x: mx.array, matrices: mx.array, chosen: mx.array) -> mx.array:
    """Row i of [n, 1, a] times matrix `chosen[i]` of [E, a, b], the numbers ascending: [n, 1, b]."""
    # The processor has this product in float32 alone.
    dtype = mx.float32 if mx.default_device() == mx.Device(mx.cpu) else x.dtype
    y = mx.gather_mm(x.astype(dtype), matrices.astype(dtype), rhs_indices=chosen, sorted_indices=True)
    return y.astype(x.dtype)


class Router(nn.Module):
    def __init__(self, width: int, experts: int):
        super().__init__()
        self.layer = nn.Linear(width, experts, bias=False)

    def __call__(self, x: mx.array, k: int) -> tuple[mx.array, mx.array]:
        """Weights and numbers of each token's experts, [N, k] each, for states [N, D]."""
        shares = mx.softmax(self.layer(x).astype(mx.float32), axis=-1)
        best = mx.stop_gradient(mx.argpartition(-shares, k - 1, axis=-1)[:, :k])
        return mx.take_along_axis(shares, best, axis=-1).astype(x.dtype), best


class Matrices(nn.Module):
    """Every expert's two matrices, [E * F, D] each: the first is applied transposed, the second as it is."""

    def __init__(self, width: int, inside: int, experts: int):
        super().__init__()
        self.w1 = mx.zeros((experts * inside, width))
        self.w2 = mx.zeros((experts * inside, width))


class Experts(nn.Module):
    def __init__(self, width: int, inside: int, experts: int, activation: str):
        super().__init__()
        self.mlp = Matrices(width, inside, experts)
        self.bias = mx.zeros((width,))
        self.experts, self.activation = experts, activation

    def __call__(self, x: mx.array, weights: mx.array, best: mx.array) -> mx.array:
        """The weighted sum over the experts `best` [N, k] of states [N, D], and one bias."""
        k = best.shape[1]
        first = self.mlp.w1.reshape(self.experts, -1, x.shape[1]).swapaxes(1, 2)
        second = self.mlp.w2.reshape(self.experts, -1, x.shape[1])
        # In the order of the experts, so that each one's matrices are read once.
        order = mx.argsort(best.flatten())
        chosen = best.flatten()[order]
        y = ACTIVATIONS[self.activation](product(x[order // k][:, None], first, chosen))
        y = product(y, second, chosen)
        y = y[:, 0][mx.argsort(order)].reshape(*best.shape, -1)
        return (y * weights[:, :, None]).sum(axis=1) + self.bias


class Mixture(nn.Module):
    """States [B, L, D] to states [B, L, D]."""

    def __init__(self, width: int, inside: int, *, experts: int, k: int, activation: str):
        super().__init__()
        self.k = k
        self.router = Router(width, experts)
        self.experts = Experts(width, inside, experts, activation)

    def __call__(self, x: mx.array) -> mx.array:
        flat = x.reshape(-1, x.shape[-1])
        return self.experts(flat, *self.router(flat, self.k)).reshape(x.shape)
