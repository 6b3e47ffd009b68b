"""transformers' causal language models, frozen, with changes at the outputs of their modules."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch.func import functional_call

from mlx_metaembed.engine.causal_model import Change, Weights
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.on_torch import words  # noqa: F401  (announces torch's namespace)


def load(path: Path, config: dict, *, dtype: str) -> "TorchCausalModel":
    """The model of a folder. Raises CallError where transformers has none of its type, or the weights do not fit."""
    from transformers import AutoModelForCausalLM
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if config.get("quantization"):
        raise CallError(f"{path} is quantized for MLX; take --engine mlx, or a base that is not quantized")
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise CallError(f"transformers knows no model type {kind!r} ({path / 'config.json'}); try --engine mlx")
    settings = {key: value for key, value in config.items() if key not in ("model_type", "auto_map")}
    try:
        read = CONFIG_MAPPING[kind](**settings)
        module, found = AutoModelForCausalLM.from_pretrained(
            path,
            config=read,
            dtype=getattr(torch, dtype),
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (ValueError, KeyError, TypeError, RuntimeError, OSError, AttributeError, ImportError) as error:
        said = " ".join(str(error).split())
        raise CallError(f"transformers can't load {path} as a language model: {said:.400}") from None
    wrong = [f"{name} is missing" for name in sorted(found["missing_keys"])]
    wrong += [f"{name} does not fit" for name, *_ in sorted(found["mismatched_keys"])]
    wrong += [f"{name} is not known" for name in sorted(found["unexpected_keys"])]
    if wrong:
        raise faults(f"{path}: its weights are not those of a {kind} language model:", wrong)
    return TorchCausalModel(path, module)


class TorchCausalModel:
    """The verbs of engine.causal_model on torch."""

    def __init__(self, path: Path, module: torch.nn.Module):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._module = module.to(self._device).eval().requires_grad_(False)
        # The word of transformers before 5.24 and after it.
        known = inspect.signature(module.forward).parameters
        self._cache = "cache" if "cache" in known else "past_key_values"
        embedding = module.get_input_embeddings()
        names = {each: name for name, each in module.named_modules()}
        self.embedding, self._words = names[embedding], embedding
        self.tokens, self.width = embedding.weight.shape
        count = getattr(module.config, "num_hidden_layers", 0)
        lists = [each for each in module.modules() if isinstance(each, torch.nn.ModuleList) and len(each) == count]
        if not lists:
            raise CallError(f"{path}: this model has no layers that can be found; expected one like llama or qwen")
        norms, linears = [], {}
        for layer in lists[0]:
            children = sorted((names[child], child) for child in layer.children() if _is_norm(child))
            norms += [name for name, child in children if tuple(child.weight.shape) == (self.width,)]
            inside = sorted((names[each], each) for each in layer.modules() if isinstance(each, torch.nn.Linear))
            linears |= {name: tuple(each.weight.shape) for name, each in inside}
        self.norms, self.linears = tuple(norms), linears

    def array(self, values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, device=self._device)

    def numpy(self, array: torch.Tensor) -> np.ndarray:
        array = array.detach().cpu()
        return (array.float() if array.is_floating_point() else array).numpy()

    def own(self) -> dict[str, np.ndarray]:
        return {name: self.numpy(tensor) for name, tensor in self._module.named_parameters()}

    def words(self, ids: np.ndarray) -> np.ndarray:
        return self.numpy(self._words(self.array(ids)))

    def hook(self, changes: Mapping[str, Change]) -> None:
        for path, change in changes.items():
            self._module.get_submodule(path).register_forward_hook(_hook(change))

    def cache(self) -> object:
        from transformers import DynamicCache

        return DynamicCache(config=self._module.config)

    def logits(self, ids: np.ndarray, cache: object = None, own: Weights | None = None) -> torch.Tensor:
        given = {"use_cache": False} if cache is None else {self._cache: cache, "use_cache": True}
        given |= {"input_ids": self.array(ids)}
        return (functional_call(self._module, own, (), given) if own else self._module(**given)).logits

    def gradients(self, loss: Callable[[Weights], torch.Tensor], weights: Weights) -> tuple[float, Weights]:
        leaves = {name: tensor.detach().requires_grad_() for name, tensor in weights.items()}
        value = loss(leaves)
        # A pass may not go by all that learns: experts, for one.
        found = torch.autograd.grad(value, list(leaves.values()), allow_unused=True, materialize_grads=True)
        return value.item(), dict(zip(leaves, found, strict=True))

    def settled(self, *arrays: Weights) -> None:
        pass


def _is_norm(module: torch.nn.Module) -> bool:
    return "norm" in type(module).__name__.lower() and getattr(module, "weight", None) is not None


def _hook(change: Change) -> Callable:
    return lambda _module, given, output: change(given[0], output)
