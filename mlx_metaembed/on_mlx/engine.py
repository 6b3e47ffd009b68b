"""The engine on MLX: Apple GPUs through Metal, NVIDIA through CUDA, any processor.

`load_engine` loads a fast BLAS before mlx.core where the machine needs one; nothing else imports mlx first.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from mlx_metaembed.on_mlx import blas

FOUND_BLAS = blas.preload()

import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten, tree_unflatten  # noqa: E402

from mlx_metaembed.batches import Chunk  # noqa: E402
from mlx_metaembed.engine import Objective, Rule  # noqa: E402
from mlx_metaembed.folder import ModelFolder  # noqa: E402
from mlx_metaembed.heads import Head  # noqa: E402
from mlx_metaembed.on_mlx import images as image_towers  # noqa: E402
from mlx_metaembed.on_mlx import trunk as trunks  # noqa: E402
from mlx_metaembed.parameters import TRUNK, dense_arrays, dense_weights, head_weights, under  # noqa: E402
from mlx_metaembed.pooling import declared, vector  # noqa: E402

CACHE_SHARE = 4
"""The allocator may keep this fraction (1 / CACHE_SHARE) of the budget in its cache."""


def load_engine(reason: str) -> "MlxEngine":
    return MlxEngine(reason)


def device_name() -> str:
    """The chip in words."""
    if mx.default_device() == mx.Device(mx.cpu):
        return "cpu"
    return str(mx.device_info().get("device_name", "gpu"))


def compiles(device: str) -> bool:
    """Whether whole passes are compiled: on a GPU always, on a processor where MLX finds the C++ compiler it calls.

    There it halves the time: elementwise work is fused and vectorised.
    """
    return device != "cpu" or shutil.which("g++") is not None


class MlxEngine:
    """The verbs of engine.py on MLX. Parameters are flat dicts; the trunk module is filled from them for each call."""

    name = "mlx"

    def __init__(self, reason: str):
        self.reason = reason
        self.device = device_name()
        # Apple's GPUs have bfloat16 from the M3 on.
        self.bfloat16 = not self.device.startswith(("cpu", "Apple M1", "Apple M2"))
        self._compile = compiles(self.device)

    def array(self, values: np.ndarray) -> mx.array:
        return mx.array(values)

    def numpy(self, array: mx.array) -> np.ndarray:
        return np.array(array.astype(mx.float32) if mx.issubdtype(array.dtype, mx.floating) else array)

    def load(
        self,
        folder: ModelFolder,
        *,
        dtype: str,
        heads: Mapping[str, Head],
        arrays: Mapping[str, np.ndarray],
        dropout: float = 0.0,
        train: bool = False,
    ) -> None:
        self._folder, self._heads, self._trains = folder, dict(heads), train
        self._dtype, self._images = getattr(mx, dtype), None
        # On a processor MLX multiplies quantized matrices about a hundred times slower than plain ones.
        self._trunk = trunks.load(folder, dropout=dropout, expand=self.device == "cpu")
        stored = {TRUNK + name: array for name, array in tree_flatten(self._trunk.parameters())}
        others = dense_arrays(folder) | {f"heads.{name}": values for name, values in arrays.items()}
        others = {name: mx.array(values.astype(np.float32)) for name, values in others.items()}
        self._parameters = {name: self._cast(array) for name, array in stored.items()} | others
        # Half-precision training keeps float32 masters beside the working copy.
        self._masters = {name: array.astype(mx.float32) for name, array in (stored | others).items()} if train else {}
        self._sums: dict[str, mx.array] = {}
        self._state: dict[str, list[mx.array]] = {}
        self._forward, self._drawing = self._vectors, self._drawn
        self._gradients = mx.grad(self._weighted)
        if self._compile:
            state = [mx.random.state]
            # Compiled once a mode: a trace keeps whether dropout was on.
            self._forward = mx.compile(self._vectors, inputs=state, outputs=state)
            self._drawing = mx.compile(self._drawn, inputs=state, outputs=state)
            self._gradients = mx.compile(self._gradients, inputs=state, outputs=state)
        mx.eval(self._parameters, self._masters)

    def embed(self, chunk: Chunk, *, seed: int | None = None) -> mx.array:
        self._draw(seed)
        forward = self._forward if seed is None else self._drawing
        vectors = forward(self._trunk_parameters(), *self._inputs(chunk))
        mx.eval(vectors)
        return vectors

    def images(self, pixels: np.ndarray) -> mx.array:
        self._images = self._images or image_towers.load(self._folder, self._dtype)
        found = self._images(mx.array(pixels).astype(self._dtype)).astype(mx.float32)
        vectors = declared(found, self._folder, dense_weights(self._folder, self._parameters))
        mx.eval(vectors)
        return vectors

    def head(self, name: str, vectors: mx.array) -> mx.array:
        return self._heads[name](under(self._parameters, f"heads.{name}."), vectors)

    def grads(self, objective: Objective, vectors: mx.array) -> tuple[float, mx.array]:
        heads = self._head_parameters()
        loss, (at_vectors, at_heads) = mx.value_and_grad(self._scored(objective), argnums=(0, 1))(vectors, heads)
        self._add(at_heads)
        mx.eval(loss, at_vectors)
        return loss.item(), at_vectors

    def backward(self, chunk: Chunk, cotangent: mx.array, *, seed: int) -> None:
        self._draw(seed)
        self._add(self._gradients(self._trunk_parameters(), *self._inputs(chunk), cotangent))

    def through(self, chunks: Sequence[Chunk], objective: Objective, *, seeds: Sequence[int]) -> float:
        inputs = [self._inputs(chunk) for chunk in chunks]

        def loss(trunk: dict, heads: dict) -> mx.array:
            vectors = []
            for chunk, seed in zip(inputs, seeds, strict=True):
                self._draw(seed)
                vectors.append(self._vectors(trunk, *chunk))
            return self._scored(objective)(mx.concatenate(vectors), heads)

        value, (at_trunk, at_heads) = mx.value_and_grad(loss, argnums=(0, 1))(
            self._trunk_parameters(), self._head_parameters()
        )
        self._add(at_trunk | at_heads)
        return value.item()

    def update(self, rule: Rule, *, divide: float, max_norm: float) -> float:
        norm = (mx.sqrt(sum(mx.sum(g * g) for g in self._sums.values())) / divide).item()
        if np.isfinite(norm):
            factor = min(1.0, max_norm / (norm + 1e-6)) / divide if max_norm else 1 / divide
            for name, gradient in self._sums.items():
                state = self._state.get(name, [])
                self._masters[name], self._state[name] = rule(name, self._masters[name], gradient * factor, state)
                self._parameters[name] = (
                    self._cast(self._masters[name]) if name.startswith(TRUNK) else self._masters[name]
                )
                mx.eval(self._masters[name], self._parameters[name], self._state[name])
        self._sums = {}
        return norm

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        masters = self._masters or self._parameters
        state = {f"{name}.{at}": array for name, arrays in self._state.items() for at, array in enumerate(arrays)}
        return {name: self.numpy(array) for name, array in masters.items()}, {
            name: self.numpy(array) for name, array in state.items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = {}
        for full in sorted(state):
            name = full.rpartition(".")[0]
            self._state.setdefault(name, []).append(mx.array(state[full]))

    def memory(self, *, limit: int | None = None, reset: bool = False) -> int:
        peak = mx.get_peak_memory()
        if limit is not None:
            mx.set_memory_limit(limit)
            mx.set_cache_limit(limit // CACHE_SHARE)
        if reset:
            mx.clear_cache()
            mx.reset_peak_memory()
        return peak

    def _vectors(self, parameters: dict, ids: mx.array, mask: mx.array, pooled: mx.array) -> mx.array:
        self._fill(parameters)
        return vector(self._trunk(ids, mask), pooled, self._folder, dense_weights(self._folder, parameters))

    def _drawn(self, parameters: dict, ids: mx.array, mask: mx.array, pooled: mx.array) -> mx.array:
        """`_vectors` as a function of its own, for compiling with dropout on."""
        return self._vectors(parameters, ids, mask, pooled)

    def _weighted(
        self, parameters: dict, ids: mx.array, mask: mx.array, pooled: mx.array, cotangent: mx.array
    ) -> mx.array:
        return mx.sum(self._vectors(parameters, ids, mask, pooled) * cotangent)

    def _scored(self, objective: Objective) -> Callable:
        return lambda vectors, heads: objective(vectors, head_weights(self._heads, heads))

    def _inputs(self, chunk: Chunk) -> tuple[mx.array, mx.array, mx.array]:
        return mx.array(chunk.ids), mx.array(chunk.mask), mx.array(chunk.pooled)

    def _fill(self, parameters: dict) -> None:
        self._trunk.update(tree_unflatten([(name, array) for name, array in under(parameters, TRUNK).items()]))

    def _draw(self, seed: int | None) -> None:
        self._trunk.train(seed is not None)
        if seed is not None:
            mx.random.seed(seed)

    def _cast(self, array: mx.array) -> mx.array:
        return array.astype(self._dtype) if mx.issubdtype(array.dtype, mx.floating) else array

    def _trunk_parameters(self) -> dict[str, mx.array]:
        return {name: array for name, array in self._parameters.items() if not name.startswith("heads.")}

    def _head_parameters(self) -> dict[str, mx.array]:
        return {name: array for name, array in self._parameters.items() if name.startswith("heads.")}

    def _add(self, gradients: Mapping[str, mx.array]) -> None:
        """Sum gradients in float32, evaluating the last layer's first: that frees activations soonest."""
        for name in reversed(list(gradients)):
            gradient = gradients[name].astype(mx.float32)
            self._sums[name] = self._sums[name] + gradient if name in self._sums else gradient
        mx.eval(self._sums)
