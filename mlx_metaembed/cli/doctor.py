"""`metaembed doctor`: what this machine has, and what would make it faster."""

import importlib.metadata
import os
import platform

import click

from mlx_metaembed.cards.products import product
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer

PACKAGES = (
    *("mlx", "mlx-lm", "numpy", "tokenizers", "huggingface-hub", "usearch", "torch", "transformers"),
    *("sentence-transformers", "peft", "pyarrow", "onnx", "pillow"),
)


@click.command("doctor")
@json_option
def command(as_json: bool) -> None:
    """What this machine has: engines, devices, BLAS, memory, extras.

    \b
    Example:
      metaembed doctor --json
    """
    from mlx_metaembed.engine import automatic_dtype, choose, footprint, installed
    from mlx_metaembed.files import installation

    chosen = choose("auto")
    memory = footprint.machine()
    result = {
        "version": importlib.metadata.version("mlx-metaembed"),
        "python": platform.python_version(),
        "system": product(f"{platform.system()} {platform.machine()}"),
        "cores": os.cpu_count(),
        "memory_bytes": memory,
        "engine": chosen.name,
        "reason": chosen.reason,
        "device": chosen.device,
        "dtype": automatic_dtype(chosen)[0],
        "mlx": _mlx() if installed("mlx") else None,
        "torch": _torch() if installed("torch") else None,
        "packages": {name: _version(name) for name in PACKAGES},
    }
    lines = [
        f"mlx-metaembed {result['version']}, Python {result['python']}, {result['system']}, {result['cores']} cores, "
        + (f"{memory / 2**30:.1f} GiB" if memory else "memory unknown"),
        f"engine: {chosen.name} on {chosen.device} ({chosen.reason}); arithmetic: {result['dtype']}",
        *_mlx_lines(result["mlx"]),
        f"torch: {result['torch']['device']}"
        if result["torch"]
        else f"torch: not installed ({installation.command('torch')})",
        *(f"{name}: {version or 'not installed'}" for name, version in result["packages"].items()),
    ]
    answer(result, as_json, lines)


def _mlx() -> dict:
    from mlx_metaembed.config import families
    from mlx_metaembed.on_mlx.engine import FOUND_BLAS, device_name

    return {
        "device": device_name(),
        "blas": FOUND_BLAS,
        "needs_blas": platform.system() == "Linux" and device_name() == "cpu",
        "encoders": families.supported(),
    }


def _mlx_lines(found: dict | None) -> list[str]:
    from mlx_metaembed.on_mlx.blas import advice

    if found is None:
        return ["mlx: not installed"]
    lines = [f"mlx: {found['device']}; encoders: {', '.join(found['encoders'])}"]
    if found["needs_blas"]:
        missing = f"the wheel's reference BLAS, about 30 times slower than a fast one; {advice()}"
        lines.append(f"mlx BLAS: {found['blas'] or missing}")
    return lines


def _torch() -> dict:
    from mlx_metaembed.on_torch.engine import TorchEngine

    return {"device": TorchEngine("doctor").device}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
