"""Where and with what a run was made, for its result file."""

import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("mlx-metaembed", "mlx", "torch", "transformers", "sentence-transformers", "mlx-embeddings", "numpy")


def about(threads: int | None) -> dict:
    """Date, machine and versions; `threads` None is each library's own choice."""
    return {
        "date": date.today().isoformat(),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "threads": threads or "as the libraries choose",
            # Others' work on the machine when the question was answered.
            "load": round(os.getloadavg()[0], 1),
        },
        "versions": {package: _version(package) for package in PACKAGES},
    }


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        return names[0] if names else platform.processor()
    except OSError:
        return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
