"""The engine protocol: what an engine does, and what it is given to do.

An engine holds one model: the trunk's float32 masters, Dense modules and heads, all by name, and a copy of the trunk
in the arithmetic that was asked for. Everything outside `on_mlx` and `on_torch` speaks to it through these verbs.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Protocol

import numpy as np

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.engine.world import ALONE, World
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.heads import Head
from mlx_metaembed.heads.choices import DENSE
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.xp import Array

Outputs = dict[str, Array]
"""What one pass of a chunk gives by head: `dense`, the vectors [b, D], and what heads give that read token states."""
Total = Callable[[Sequence[Outputs], Mapping[str, Array]], tuple[Array, dict[str, Array]]]
"""The outputs of all chunks, and the parameters behind them by full name, to the scalar whose gradient is taken, and
each objective's own loss. Its attribute `reads`, where it has one, is what the names begin with of the heads and
objectives that it takes: others stay as they are, while a gradient of 0 would move them on their moments."""


class Rule(Protocol):
    """An optimizer for one step; `apply` is the same function at every step, so that an engine may compile it."""

    by_rows: bool
    """Whether an engine may hand over some rows of a parameter at a time, since every number is updated by itself."""

    kernel: str
    """The name of a library's own kernel of the same arithmetic, which an engine that has it may call; "" where none is
    known.
    """
    step: int
    """The number of the step, from 1."""

    def initial(self, parameter: Array) -> list[Array]:
        """The state before the first step."""

    def scalars(self, name: str, shape: Sequence[int]) -> Sequence[float]:
        """The step's numbers for a parameter."""

    def apply(self, parameter: Array, gradient: Array, state: Sequence[Array], scalars: Array) -> tuple[Array, list]:
        """The new parameter and state; `scalars` float32 [n]."""


class Engine(Protocol):
    """What an engine does. Outputs are float32; memory is in bytes."""

    name: str
    reason: str
    device: str
    bfloat16: bool
    """Whether the device computes bfloat16 natively."""

    def array(self, values: np.ndarray) -> Array:
        """A NumPy array on the device."""

    def numpy(self, array: Array) -> np.ndarray:
        """The device's array as NumPy, floats as float32."""

    def load(
        self,
        folder: ModelFolder,
        *,
        dtype: str,
        heads: Mapping[str, Head],
        arrays: Mapping[str, np.ndarray],
        adapter: Adapter | None = None,
        trunk: bool = True,
        train: bool = False,
        frozen: Collection[str] = (),
        dropout: float = 0.0,
        checkpointing: bool = False,
        scales: bool = False,
        rounding: Mapping[str, Mapping] = MappingProxyType({}),
    ) -> None:
        """Take a model in; `arrays` are what stands behind the trunk, by full name. CallError lists what does not fit.

        Without `trunk` there are Dense modules and heads alone, for vectors that are pooled already. Parameters whose
        full names are `frozen` take no gradient. With `checkpointing` layers keep their inputs alone. With `scales` the
        linear layers of a quantized trunk are computed from codes, scales and biases, and these are parameters; those
        that have bits and group_size in `rounding`, by their path, from weights rounded so, which train as if they
        were not.
        """

    def embed(self, chunk: Chunk, heads: Collection[str] = (DENSE,), *, seed: int | None = None) -> Outputs:
        """What heads give for a chunk in one pass, without a gradient: `dense`, or heads that read token states.

        With a seed, the dropout that `backward` will draw again.
        """

    def moments(self, chunk: Chunk, modules: Collection[str]) -> dict[str, np.ndarray]:
        """For each of the trunk's linear layers among `modules` the sum of x x^T, float32 [C, C], over the real tokens
        of the chunk, x being the layer's input; without a gradient."""

    def images(self, pixels: np.ndarray) -> Array:
        """Vectors of pixels float32 [B, C, H, W], without a gradient. CallError where the model has no image tower."""

    def head(self, name: str, vectors: Array, *, query: bool = False, coded: bool = False) -> Array:
        """What a head that reads vectors gives for them.

        Of a code head, with `query`, what queries are compared as, and with `coded` what its `digits` reads.
        """

    def grads(
        self, total: Total, outputs: Sequence[Outputs], *, behind: bool = True
    ) -> tuple[float, dict[str, float], list[Outputs]]:
        """The total, each objective's loss, and the gradient at every chunk's outputs; the gradients of what stands
        behind them are added up inside, unless `behind` is False: of several processes one counts them."""

    def backward(self, chunk: Chunk, cotangents: Outputs, *, seed: int) -> None:
        """Run a chunk again and add the gradient that its outputs' gradient gives."""

    def forward_backward(
        self, chunks: Sequence[Chunk], heads: Collection[str], total: Total, *, seeds: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        """The total and each loss through all chunks in one graph, adding all gradients: quicker, and holds every
        activation."""

    def update(self, rule: Rule, *, divide: float, max_norm: float, world: World = ALONE) -> float:
        """Apply the gradients, summed over the world's ranks, over `divide`, scaled down to `max_norm`; their norm. Not
        finite: no change."""

    def save(self) -> tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
        """The float32 masters by full name, and the optimizer's state as `<name>.<number>`, until the next update."""

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Take back the optimizer's state that `save` gave, on either engine."""

    def limited(self, limit: int, *, planned: int) -> AbstractContextManager[None]:
        """A context in which the allocator holds at most `limit` bytes, and its cache a share of what is `planned`.

        At its end the process has its own limits and its random state back.
        """

    def memory(self, *, reset: bool = False) -> int:
        """The peak since the last reset, in bytes."""
