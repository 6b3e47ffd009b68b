"""The engine on torch: NVIDIA GPUs, any processor. Encoders are transformers' own."""

import functools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import EllipsisType, MappingProxyType

import numpy as np
import torch

from mlx_metaembed.adapters import Adapter
from mlx_metaembed.engine import ALONE, DENSE, Outputs, Rule, Total, World, footprint
from mlx_metaembed.engine.world import summed
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.parameters import TRUNK, dense_weights, under
from mlx_metaembed.heads import Head, passed
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.layers.pooling import finish, vector
from mlx_metaembed.on_torch import encoder, fused_adamw, layer_inputs, lora, rounded, towers, words  # noqa: F401  (words announces torch's namespace)
from mlx_metaembed.on_torch import scales as scale_layers

PIECE = 2**17
"""Numbers of a parameter that are updated at once on a processor: with their temporaries they stay in its cache."""
SPARSE_FROM = 2**20
"""Embeddings of so many numbers give their gradient as the rows that were read, not as a matrix of zeros a chunk."""


def load_engine(reason: str) -> "TorchEngine":
    return TorchEngine(reason)


def has_cuda() -> bool:
    return torch.cuda.is_available()


class TorchEngine:
    """The engine's verbs on torch. Parameters are leaves with a `grad`; float32 masters stand beside halves."""

    name = "torch"

    def __init__(self, reason: str):
        self.reason = reason
        self._device = torch.device("cuda" if has_cuda() else "cpu")
        self.device = torch.cuda.get_device_name() if has_cuda() else "cpu"
        self.bfloat16 = has_cuda() and torch.cuda.get_device_capability() >= (8, 0)

    def array(self, values: np.ndarray) -> torch.Tensor:
        # A copy: masters and moments are changed in place, and must share no memory with an array of the caller's.
        return torch.tensor(values, device=self._device)

    def numpy(self, array: torch.Tensor) -> np.ndarray:
        array = array.detach().cpu()
        return (array.float() if array.is_floating_point() else array).numpy()

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
        self._trunk, self._parameters, self._masters = None, {}, {}
        self._folder, self._heads, self._with_trunk, self._images = folder, dict(heads), trunk, None
        half = train and dtype != "float32"
        stored: dict[str, torch.Tensor] = {}
        if trunk:
            wide = torch.float32 if half else getattr(torch, dtype)
            self._trunk = encoder.load(folder, dtype=wide, dropout=dropout)
            if scales:
                scale_layers.attach(self._trunk, folder)
            rounded.attach(self._trunk, rounding)
            if adapter:
                lora.attach(self._trunk, adapter)
            if checkpointing:
                encoder.checkpoint(self._trunk)
            self._trunk.to(self._device)
            stored = {TRUNK + name: parameter for name, parameter in self._trunk.named_parameters()}
            self._finite = all(map(_is_finite, stored.values()))
        trained = {name for name in stored if train and name not in frozen}
        others = {name: self.array(values).float() for name, values in arrays.items()}
        # Half-precision training keeps float32 masters beside the working copy of what trains.
        self._masters = {name: stored[name].detach().clone() if half else stored[name] for name in trained}
        self._masters |= {name: tensor for name, tensor in others.items() if train and name not in frozen}
        if half:
            # Parameters alone: the frequencies of rotary positions are buffers, and wrong in half precision.
            for parameter in stored.values():
                parameter.data = parameter.data.to(getattr(torch, dtype))
        self._parameters, self._sums = stored | others, {}
        for name, parameter in self._parameters.items():
            parameter.requires_grad_(name in self._masters)
            if name in self._masters:
                # As soon as it is there, so that a pass holds the gradient of one parameter and not of all.
                parameter.register_post_accumulate_grad_hook(functools.partial(_add, self._sums, name))
        if trunk:
            for module in self._trunk.modules():
                if isinstance(module, torch.nn.Embedding) and module.weight.requires_grad:
                    module.sparse = module.weight.numel() >= SPARSE_FROM
        self._state: dict[str, list[torch.Tensor]] = {}

    def embed(self, chunk: Chunk, heads: Collection[str] = (DENSE,), *, seed: int | None = None) -> Outputs:
        self._draw(seed)
        with torch.no_grad():
            return self._outputs(chunk, heads)

    def moments(self, chunk: Chunk, modules: Collection[str]) -> dict[str, np.ndarray]:
        self._draw(None)
        ids, mask = self.array(chunk.ids), self.array(chunk.mask)
        with torch.no_grad(), layer_inputs.recorded(self._trunk, modules, self.array(chunk.real)) as found:
            self._states(chunk, ids, mask)
        return {name: self.numpy(moments) for name, moments in found.items()}

    def images(self, pixels: np.ndarray) -> torch.Tensor:
        dtype = next(self._trunk.parameters()).dtype
        self._images = self._images or towers.image(self._folder, dtype).to(self._device)
        with torch.no_grad():
            found = self._images(pixel_values=self.array(pixels).to(dtype)).image_embeds.float()
            return finish(found, self._folder, dense_weights(self._folder, self._parameters))

    def head(self, name: str, vectors: torch.Tensor, *, query: bool = False, coded: bool = False) -> torch.Tensor:
        made = passed.of_vectors(self._heads[name], query=query, coded=coded)
        with torch.no_grad():
            return made(under(self._parameters, f"heads.{name}."), vectors)

    def grads(
        self, total: Total, outputs: Sequence[Outputs], *, behind: bool = True
    ) -> tuple[float, dict[str, float], list[Outputs]]:
        leaves = [{name: array.detach().requires_grad_() for name, array in each.items()} for each in outputs]
        value, losses = self._descend(total, leaves, behind=behind)
        return value, losses, [{name: array.grad for name, array in each.items()} for each in leaves]

    def backward(self, chunk: Chunk, cotangents: Outputs, *, seed: int) -> None:
        self._draw(seed)
        outputs = self._outputs(chunk, cotangents)
        torch.autograd.backward(list(outputs.values()), [cotangents[name] for name in outputs])

    def forward_backward(
        self, chunks: Sequence[Chunk], heads: Collection[str], total: Total, *, seeds: Sequence[int]
    ) -> tuple[float, dict[str, float]]:
        outputs = []
        for chunk, seed in zip(chunks, seeds, strict=True):
            self._draw(seed)
            outputs.append(self._outputs(chunk, heads))
        return self._descend(total, outputs)

    @torch.no_grad()
    def update(self, rule: Rule, *, divide: float, max_norm: float, world: World = ALONE) -> float:
        sums = summed(world, self, self._sums, self._masters)
        norm = (torch.stack([(g * g).sum() for g in sums.values()]).sum().sqrt() / divide).item()
        if np.isfinite(norm):
            factor = min(1.0, max_norm / (norm + 1e-6)) / divide if max_norm else 1 / divide
            for name in sums.keys() - self._state.keys():
                self._state[name] = rule.initial(self._masters[name])
            if rule.kernel == fused_adamw.KERNEL:
                self._fused(rule, sums, factor)
                sums = {}
            for name, gradient in sums.items():
                scalars = self.array(np.array(rule.scalars(name, gradient.shape), np.float32))
                for rows in self._pieces(gradient) if rule.by_rows else [...]:
                    self._apply(rule, name, rows, gradient[rows] * factor, scalars)
        self._sums.clear()
        return norm

    def save(self) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        state = {f"{name}.{at}": tensor for name, tensors in self._state.items() for at, tensor in enumerate(tensors)}
        return {name: self.numpy(tensor) for name, tensor in self._masters.items()}, {
            name: self.numpy(tensor) for name, tensor in state.items()
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        self._state = {}
        for full in sorted(state):
            name = full.rpartition(".")[0]
            self._state.setdefault(name, []).append(self.array(state[full]))

    @contextmanager
    def limited(self, limit: int, *, planned: int) -> Iterator[None]:
        with torch.random.fork_rng():
            if self._device.type == "cuda":
                total = torch.cuda.get_device_properties(0).total_memory
                torch.cuda.set_per_process_memory_fraction(min(limit / total, 1.0))
            try:
                yield
            finally:
                if self._device.type == "cuda":
                    torch.cuda.set_per_process_memory_fraction(1.0)

    def memory(self, *, reset: bool = False) -> int:
        if self._device.type == "cpu":
            return footprint.peak(reset=reset)
        peak = torch.cuda.max_memory_allocated()
        if reset:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        return peak

    def _pieces(self, tensor: torch.Tensor) -> list[slice | EllipsisType]:
        """Rows that are updated together: all on a GPU, as many as stay in the cache on a processor."""
        if self._device.type != "cpu" or not tensor.dim():
            return [...]
        rows = max(PIECE * len(tensor) // max(tensor.numel(), 1), 1)
        return [slice(first, first + rows) for first in range(0, len(tensor), rows)]

    def _fused(self, rule: Rule, sums: Mapping[str, torch.Tensor], factor: float) -> None:
        """Update every parameter by torch's own kernel; its gradient's sum is used up."""
        for gradient in sums.values():
            gradient.mul_(factor)
        fused_adamw.update(rule, self._masters, sums, self._state)
        for name in sums:
            if self._parameters[name] is not self._masters[name]:
                self._parameters[name].copy_(self._masters[name])

    def _apply(
        self, rule: Rule, name: str, rows: slice | EllipsisType, gradient: torch.Tensor, scalars: torch.Tensor
    ) -> None:
        """Update some rows of one parameter, its state and its working copy."""
        state = self._state[name]
        new, fresh = rule.apply(self._masters[name][rows], gradient, [each[rows] for each in state], scalars)
        self._masters[name][rows].copy_(new)
        if self._parameters[name] is not self._masters[name]:
            self._parameters[name][rows].copy_(new)
        for old, each in zip(state, fresh, strict=True):
            old[rows].copy_(each)

    def _descend(
        self, total: Total, outputs: Sequence[Outputs], *, behind: bool = True
    ) -> tuple[float, dict[str, float]]:
        """The total and each loss, once the total's gradient is added up; without `behind` only that at the outputs."""
        parameters = self._parameters
        if not behind:
            parameters = {name: parameter.detach() for name, parameter in parameters.items()}
        value, losses = total(outputs, parameters)
        value.backward()
        return value.item(), {name: loss.item() for name, loss in losses.items()}

    def _outputs(self, chunk: Chunk, heads: Collection[str]) -> Outputs:
        """What heads give for a chunk, from one pass of the trunk."""
        ids, mask, pooled = (self.array(values) for values in (chunk.ids, chunk.mask, chunk.pooled))
        states = self._states(chunk, ids, mask)
        found = {}
        for name in heads:
            if name == DENSE:
                weights = dense_weights(self._folder, self._parameters)
                found[name] = vector(states, pooled, self._folder, weights, mask)
            else:
                found[name] = passed.given(name, self._heads, self._parameters, states, ids, mask)
        return found

    def _states(self, chunk: Chunk, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        tasks = {} if chunk.tasks is None else {"tasks": self.array(chunk.tasks)}
        states = self._trunk(input_ids=ids, attention_mask=mask.long(), **tasks).last_hidden_state
        # Without padding torch's attention on a processor makes zeros of NaN, and a damaged model would go on unseen.
        return states if self._finite else states * torch.nan

    def _draw(self, seed: int | None) -> None:
        self._trunk.train(seed is not None)
        if seed is not None:
            torch.manual_seed(seed)


def _is_finite(parameter: torch.Tensor) -> bool:
    """Whether all numbers of a parameter are finite, without a copy of it."""
    return not parameter.numel() or bool(torch.isfinite(torch.stack(torch.aminmax(parameter.detach()))).all())


def _add(sums: dict[str, torch.Tensor], name: str, parameter: torch.Tensor) -> None:
    """Add a parameter's gradient to its float32 sum, and let it go."""
    gradient, parameter.grad = parameter.grad.float(), None
    if name in sums:
        sums[name].add_(gradient)
    else:
        sums[name] = gradient.to_dense() if gradient.is_sparse else gradient
