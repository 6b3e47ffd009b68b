"""mlx-lm's causal language models, frozen, with changes at the outputs of their modules."""

from collections.abc import Callable, Mapping
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import numpy as np
from mlx.utils import tree_flatten

from mlx_metaembed.engine.causal_model import Change, Weights
from mlx_metaembed.errors import CallError

LINEAR = (nn.Linear, nn.QuantizedLinear)
EMBEDDING = (nn.Embedding, nn.QuantizedEmbedding)


def load(path: Path, config: dict, *, dtype: str) -> "MlxCausalModel":
    """The model of a folder. Raises CallError where mlx-lm has none of its type, or the weights do not fit."""
    # Here and not above: it lowers the process's limit of open files, and takes a second.
    from mlx_lm.utils import load_model

    try:
        module, _ = load_model(path, lazy=True, strict=True, model_config=config)
    except (ValueError, KeyError, TypeError, RuntimeError) as error:
        said = " ".join(str(error).split())
        raise CallError(f"mlx-lm can't load {path} as a language model: {said:.400}") from None
    return MlxCausalModel(path, module, getattr(mx, dtype))


class MlxCausalModel:
    """The verbs of engine.causal_model on MLX."""

    def __init__(self, path: Path, module: nn.Module, dtype: mx.Dtype):
        self._module = module
        module.freeze()
        module.eval()
        module.set_dtype(dtype)
        mx.eval(module.parameters())
        paths = {id(each): name for name, each in module.named_modules()}
        self.embedding, self._words = next((n, m) for n, m in module.named_modules()[::-1] if isinstance(m, EMBEDDING))
        self.width, self.tokens = self._words(mx.array([0])).shape[-1], self._words.weight.shape[0]
        layers = getattr(module, "layers", None)
        if not layers:
            raise CallError(f"{path}: this model has no layers that can be found; expected one like llama or qwen")
        norms, linears = [], {}
        for layer in layers:
            children = sorted((paths[id(child)], child) for child in layer.children().values() if _is_norm(child))
            norms += [name for name, child in children if child.weight.shape == (self.width,)]
            inside = sorted((paths[id(each)], each) for _, each in layer.named_modules() if isinstance(each, LINEAR))
            linears |= {name: _shape(each) for name, each in inside}
        self.norms, self.linears = tuple(norms), linears

    def array(self, values: np.ndarray) -> mx.array:
        return mx.array(values)

    def numpy(self, array: mx.array) -> np.ndarray:
        return np.array(array.astype(mx.float32) if mx.issubdtype(array.dtype, mx.floating) else array)

    def own(self) -> dict[str, np.ndarray]:
        found = tree_flatten(self._module.parameters())
        return {name: self.numpy(array) for name, array in found if mx.issubdtype(array.dtype, mx.floating)}

    def words(self, ids: np.ndarray) -> np.ndarray:
        return self.numpy(self._words(mx.array(ids)))

    def hook(self, changes: Mapping[str, Change]) -> None:
        modules = dict(self._module.named_modules())
        for path, change in changes.items():
            modules[path].__class__ = _changed(type(modules[path]), change)

    def cache(self) -> list:
        from mlx_lm.models.cache import make_prompt_cache

        return make_prompt_cache(self._module)

    def logits(self, ids: np.ndarray, cache: list | None = None, own: Weights | None = None) -> mx.array:
        if own:
            self._module.load_weights(list(own.items()), strict=False)
        return self._module(mx.array(ids), cache=cache)

    def gradients(self, loss: Callable[[Weights], mx.array], weights: Weights) -> tuple[float, Weights]:
        value, found = mx.value_and_grad(loss)(weights)
        mx.eval(value, found)
        return value.item(), found

    def settled(self, *arrays: Weights) -> None:
        mx.eval(*arrays)


def _is_norm(module: object) -> bool:
    return isinstance(module, nn.Module) and "norm" in type(module).__name__.lower() and "weight" in module


def _shape(module: nn.Module) -> tuple[int, int]:
    rows, columns = module.weight.shape
    return rows, columns * 32 // module.bits if isinstance(module, nn.QuantizedLinear) else columns


def _changed(kind: type, change: Change) -> type:
    return type(kind.__name__, (kind,), {"__call__": lambda self, x: change(x, kind.__call__(self, x))})
