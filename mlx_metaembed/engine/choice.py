"""Which engine a machine gets, and in which arithmetic; the one place that loads an engine."""

import importlib
import importlib.util
import platform
from collections.abc import Callable

from mlx_metaembed.engine.protocol import Engine
from mlx_metaembed.errors import missing_extra


def installed(name: str) -> bool:
    """Whether an engine's package is there; nothing is imported."""
    return importlib.util.find_spec({"mlx": "mlx", "torch": "torch"}[name]) is not None


def choose(name: str = "auto") -> Engine:
    """The engine asked for, or the best of this machine with its reason. Raises CallError naming a missing extra."""
    if name == "auto":
        name, reason = preferred(
            system=platform.system(),
            machine=platform.machine(),
            torch=installed("torch"),
            cuda=_cuda,
            mlx=installed("mlx"),
        )
    else:
        reason = "asked for"
    if name == "torch" and not installed("torch"):
        raise missing_extra("torch", "torch", "The torch engine")
    if name == "torch" and not importlib.util.find_spec("transformers"):
        raise missing_extra("transformers", "torch", "The torch engine")
    return importlib.import_module(f"mlx_metaembed.on_{name}.engine").load_engine(reason)


def preferred(*, system: str, machine: str, torch: bool, cuda: Callable[[], bool], mlx: bool) -> tuple[str, str]:
    """The engine for a machine and the reason in words; `cuda` is asked only where it matters."""
    if system == "Darwin" and machine == "arm64":
        return "mlx", "auto: Apple silicon"
    if torch and cuda():
        return "torch", "auto: torch sees an NVIDIA GPU"
    if torch:
        return "torch", "auto: no GPU, and torch uses every core where MLX's processor backend uses one"
    if mlx:
        return "mlx", "auto: torch is not installed"
    return "torch", "auto: MLX is not installed"


def automatic_dtype(engine: Engine) -> tuple[str, str]:
    """The arithmetic for an engine's device, and the reason in words."""
    if engine.device == "cpu":
        return "float32", "auto: a processor has no fast half precision"
    if engine.bfloat16:
        return "bfloat16", f"auto: {engine.device} computes bfloat16 natively"
    return "float16", f"auto: {engine.device} emulates bfloat16"


def _cuda() -> bool:
    return importlib.import_module("mlx_metaembed.on_torch.engine").has_cuda()
