"""The engine on MLX: Apple GPUs through Metal, NVIDIA through CUDA, any processor.

`load_engine` loads a fast BLAS before mlx.core where the machine needs one; nothing else imports mlx first.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType

import numpy as np

from mlx_metaembed.on_mlx import blas

FOUND_BLAS = blas.preload()

import mlx.core as mx  # noqa: E402
from mlx.utils import tree_flatten  # noqa: E402

from mlx_metaembed.adapters import Adapter  # noqa: E402
from mlx_metaembed.engine import ALONE, DENSE, Outputs, Rule, Total, World  # noqa: E402
from mlx_metaembed.engine.world import summed  # noqa: E402
from mlx_metaembed.folder import ModelFolder  # noqa: E402
from mlx_metaembed.folder.parameters import HEADS, OBJECTIVES, TRUNK, dense_weights, under  # noqa: E402
from mlx_metaembed.heads import Head, passed  # noqa: E402
from mlx_metaembed.inputs.chunks import Chunk  # noqa: E402
from mlx_metaembed.layers.pooling import finish  # noqa: E402
from mlx_metaembed.on_mlx import images as image_towers  # noqa: E402
from mlx_metaembed.on_mlx import layer_inputs, limits  # noqa: E402
from mlx_metaembed.on_mlx import trunk as trunks  # noqa: E402
from mlx_metaembed.on_mlx.passes import WHOLE, Passes, compiles  # noqa: E402
from mlx_metaembed.on_mlx.wordtable import WordTable  # noqa: E402


def load_engine(reason: str) -> "MlxEngine":
    return MlxEngine(reason)


def device_name() -> str:
    """The chip in words."""
    if mx.default_device() == mx.Device(mx.cpu):
        return "cpu"
    return str(mx.device_info().get("device_name", "gpu"))


class MlxEngine:
    """The engine's verbs on MLX. Parameters are flat dicts; the trunk module is filled from them for each call."""

    name = "mlx"

    def __init__(self, reason: str):
        self.reason = reason
        self.device = device_name()
        # Apple's GPUs have bfloat16 from the M3 on.
        self.bfloat16 = not self.device.startswith(("cpu", "Apple M1", "Apple M2"))
        self._compile = compiles(self.device)
        self._planned: int | None = None

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
        adapter: Adapter | None = None,
        trunk: bool = True,
        train: bool = False,
        frozen: Collection[str] = (),
        dropout: float = 0.0,
        checkpointing: bool = False,
        scales: bool = False,
        rounding: Mapping[str, Mapping] = MappingProxyType({}),
    ) -> None:
        # What was loaded before goes first.
        self._passes, self._parameters, self._masters = None, {}, {}
        self._folder, self._heads, self._with_trunk, self._checkpointing = folder, dict(heads), trunk, checkpointing
        self._dtype, self._images = getattr(mx, dtype), None
        stored: dict[str, mx.array] = {}
        module, self._words = None, None
        if trunk:
            # On a processor MLX multiplies quantized matrices about a hundred times slower than plain ones.
            module = trunks.load(folder, dropout=dropout, expand=self.device == "cpu" and not scales)
            trunks.prepare(module, adapter, checkpointing=checkpointing, scales=scales, rounding=rounding)
            stored = {TRUNK + name: array for name, array in tree_flatten(module.parameters())}
        others = {name: mx.array(values.astype(np.float32)) for name, values in arrays.items()}
        self._parameters = {name: self._cast(array) for name, array in stored.items()} | others
        # Half-precision training keeps float32 masters beside the working copy.
        self._masters = {
            name: array.astype(mx.float32)
            for name, array in (stored | others).items()
            if train and name not in frozen and mx.issubdtype(array.dtype, mx.floating)
        }
        if trunk and train:
            self._words = WordTable.of(module, self._masters)
        self._sums: dict[str, mx.array] = {}
        self._state: dict[str, list[mx.array]] = {}
        self._rules: dict[Callable, Callable] = {}
        self._passes = Passes(module, folder, self._heads, compiled=self._compile, checkpointing=checkpointing)
        mx.eval(self._parameters, self._masters)

    def embed(self, chunk: Chunk, heads: Collection[str] = (DENSE,), *, seed: int | None = None) -> Outputs:
        outputs = self._passes.forward(tuple(heads), *self._given(chunk, heads), seed=seed)
        mx.eval(outputs)
        return outputs

    def moments(self, chunk: Chunk, modules: Collection[str]) -> dict[str, np.ndarray]:
        given = self._given(chunk)
        self._passes.draw(None)
        # Not compiled: what a layer is given is taken out on the way.
        with layer_inputs.recorded(self._passes.trunk, modules, mx.array(chunk.real)) as found:
            mx.eval(self._passes.outputs((DENSE,), *given))
        return {name: self.numpy(moments) for name, moments in found.items()}

    def images(self, pixels: np.ndarray) -> mx.array:
        self._images = self._images or image_towers.load(self._folder, self._dtype)
        found = self._images(mx.array(pixels).astype(self._dtype)).astype(mx.float32)
        vectors = finish(found, self._folder, dense_weights(self._folder, self._parameters))
        mx.eval(vectors)
        return vectors

    def head(self, name: str, vectors: mx.array, *, query: bool = False, coded: bool = False) -> mx.array:
        made = passed.of_vectors(self._heads[name], query=query, coded=coded)
        return made(under(self._parameters, f"heads.{name}."), vectors)

    def grads(
        self, total: Total, outputs: Sequence[Outputs], *, behind: bool = True
    ) -> tuple[float, dict[str, float], list[Outputs]]:
        # Of heads on tokens only decoders come after the pass.
        trained, frozen = self._after_trunk([name for name in outputs[0] if name.endswith(passed.HIDDEN)], total)

        def loss_of(outputs: list[Outputs], trained: dict) -> tuple[mx.array, dict[str, mx.array]]:
            return total(outputs, trained | frozen)

        given = [dict(each) for each in outputs]
        (value, losses), (at_outputs, at_heads) = mx.value_and_grad(loss_of, argnums=(0, 1))(given, trained)
        if behind:
            self._add(at_heads)
        mx.eval(value, losses, at_outputs)
        return value.item(), {name: loss.item() for name, loss in losses.items()}, at_outputs

    def backward(self, chunk: Chunk, cotangents: Outputs, *, seed: int) -> None:
        self._passes.draw(seed)
        given = self._given(chunk, cotangents)
        gradients = self._passes.gradients(tuple(cotangents), *given, cotangents)
        rows = gradients.pop(self._words.name) if self._words else None
        self._add(gradients)
        if self._words:
            # The embeddings' gradient comes last: it needs every layer's.
            self._words.add(given[2], rows)

    def forward_backward(
        self, chunks: Sequence[Chunk], heads: Collection[str], total: Total, *, seeds: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        given = [self._given(chunk, heads) for chunk in chunks]
        rows = [{self._words.name: each[0].pop(self._words.name)} if self._words else {} for each in given]
        behind, frozen = self._after_trunk(heads, total)

        def loss_of(trained: dict, rows: list[dict], behind: dict) -> tuple[mx.array, dict[str, mx.array]]:
            outputs = []
            for (_, *others), own, seed in zip(given, rows, seeds, strict=True):
                self._passes.draw(seed)
                outputs.append(self._passes.outputs(tuple(heads), trained | own, *others))
            return total(outputs, behind | frozen)

        found = mx.value_and_grad(loss_of, argnums=(0, 1, 2))(given[0][0], rows, behind)
        (value, losses), (at_trunk, at_rows, at_heads) = found
        # A decoder may be a tensor of the trunk's.
        at_trunk |= {name: at_trunk[name] + at if name in at_trunk else at for name, at in at_heads.items()}
        self._add(at_trunk)
        for (_, _, ids, *_), own in zip(given, at_rows, strict=True):
            if self._words:
                self._words.add(ids, own[self._words.name])
        return value.item(), {name: loss.item() for name, loss in losses.items()}

    def update(self, rule: Rule, *, divide: float, max_norm: float, world: World = ALONE) -> float:
        sums, self._sums = self._sums | (self._words.taken() if self._words else {}), {}
        sums = summed(world, self, sums, self._masters)
        self._passes.release()
        norm = (mx.sqrt(sum(mx.sum(g * g) for g in sums.values())) / divide).item()
        if np.isfinite(norm):
            factor = min(1.0, max_norm / (norm + 1e-6)) / divide if max_norm else 1 / divide
            apply = self._compiled_rule(rule)
            for name in list(sums):
                scalars = mx.array([factor, *rule.scalars(name, sums[name].shape)])
                # No name is left on what goes in, so that what comes out takes its place in memory.
                self._masters[name], self._state[name] = apply(
                    self._masters[name],
                    sums.pop(name),
                    self._state.pop(name, None) or rule.initial(self._masters[name]),
                    scalars,
                )
                self._parameters[name] = (
                    self._cast(self._masters[name]) if name.startswith(TRUNK) else self._masters[name]
                )
                mx.eval(self._masters[name], self._parameters[name], self._state[name])
        return norm

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        state = {f"{name}.{at}": array for name, arrays in self._state.items() for at, array in enumerate(arrays)}
        return {name: self.numpy(array) for name, array in self._masters.items()}, {
            name: self.numpy(array) for name, array in state.items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = {}
        for full in sorted(state):
            name = full.rpartition(".")[0]
            self._state.setdefault(name, []).append(mx.array(state[full]))

    @contextmanager
    def limited(self, limit: int, *, planned: int) -> Iterator[None]:
        self._planned = planned
        try:
            with limits.limited(limit, planned):
                yield
        finally:
            self._planned = None

    def memory(self, *, reset: bool = False) -> int:
        return limits.peak(self._planned, reset=reset)

    def _given(self, chunk: Chunk, heads: Collection[str] = (DENSE,)) -> tuple[dict | mx.array, ...]:
        """A chunk's arguments: what trains of the trunk, its modules and the heads of the pass, what is frozen of them,
        ids, mask, pooled, tasks."""
        ids, mask, pooled = mx.array(chunk.ids), mx.array(chunk.mask), mx.array(chunk.pooled)
        within = passed.prefixes(heads)
        used = {
            name: array
            for name, array in self._parameters.items()
            if not name.startswith((HEADS, OBJECTIVES)) or name.startswith(within)
        }
        trained = {name: array for name, array in used.items() if name in self._masters}
        frozen = {name: array for name, array in used.items() if name not in trained}
        if self._words:
            table = trained[self._words.name]
            trained[self._words.name] = self._words.gathered(table, ids)
            if self._words.name in passed.decoders(heads, self._heads):
                frozen[WHOLE + self._words.name] = table
        tasks = [] if chunk.tasks is None else [mx.array(chunk.tasks)]
        return trained, frozen, ids, mask, pooled, *tasks

    def _after_trunk(self, within: Collection[str], total: Total) -> tuple[dict[str, mx.array], dict[str, mx.array]]:
        """What trains and what does not behind the outputs that a total is given: heads that are not `within` the
        pass, decoders that are tensors of the trunk, and without a trunk Dense modules too.
        """
        behind = (HEADS, OBJECTIVES) if self._with_trunk else ""
        inside = passed.prefixes(within)
        found = {
            name: array
            for name, array in self._parameters.items()
            if name.startswith(behind) and not (inside and name.startswith(inside))
        }
        for name in passed.decoders(within, self._heads, after=True):
            plain = trunks.plain(self._parameters, self._folder, name.removeprefix(TRUNK))
            found |= plain or {name: self._parameters[name]}
        reads = getattr(total, "reads", (HEADS, OBJECTIVES))
        trained = {
            name: array
            for name, array in found.items()
            if name in self._masters and (name.startswith(reads) or not name.startswith((HEADS, OBJECTIVES)))
        }
        return trained, {name: array for name, array in found.items() if name not in trained}

    def _compiled_rule(self, rule: Rule) -> Callable:
        """The rule on a gradient still to be scaled by the first of its scalars; compiled once, for all steps."""

        def scaled(parameter: mx.array, gradient: mx.array, state: list, scalars: mx.array) -> tuple[mx.array, list]:
            return rule.apply(parameter, gradient * scalars[0], state, scalars[1:])

        if not self._compile:
            return scaled
        if rule.apply not in self._rules:
            self._rules[rule.apply] = mx.compile(scaled)
        return self._rules[rule.apply]

    def _cast(self, array: mx.array) -> mx.array:
        return array.astype(self._dtype) if mx.issubdtype(array.dtype, mx.floating) else array

    def _add(self, gradients: dict[str, mx.array]) -> None:
        """Sum gradients in float32 and empty the dictionary, the last layer's first: that frees activations soonest."""
        while gradients:
            name, gradient = gradients.popitem()
            gradient = gradient.astype(mx.float32)
            if self._words and name == self._words.name:
                self._words.add_whole(gradient)
                continue
            self._sums[name] = self._sums[name] + gradient if name in self._sums else gradient
            if self._checkpointing:
                mx.eval(self._sums[name])
        mx.eval(self._sums)
