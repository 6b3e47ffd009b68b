"""Whether numbers are finite: those that a model gives, and those of its weights where what it gives is not."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.weight_files import weight_files


def require(found: np.ndarray, folder: ModelFolder, dtype: str) -> np.ndarray:
    """What a model gave, where all of it is finite. Raises JobError that names the weights that are not, else why."""
    if np.isfinite(found).all():
        return found
    heading = f"{folder.path} gives vectors that are not finite (NaN or infinity)."
    wrong = list(not_finite(weight_files(folder)))
    if wrong:
        listed = "\n".join(f"  - {line}" for line in wrong[:20])
        more = f"\n  - and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise JobError(f"{heading} Of its weights are not:\n{listed}{more}\nFetch the model again.")
    if dtype == "float32":
        raise JobError(f"{heading} Its weights are finite but too large for any text; fetch the model again.")
    raise JobError(f"{heading} Its weights are finite: {dtype} is too narrow for what it computes. Take dtype float32.")


def not_finite(paths: Iterable[Path]) -> Iterator[str]:
    """Each tensor of safetensors files with NaN or an infinity among its numbers, one line each."""
    for path in paths:
        for name, tensor in safetensors.header(path).items():
            if tensor.dtype in ("F64", *safetensors.FLOATING.values()):
                array = safetensors.read_tensor(tensor)
                if count := array.size - np.count_nonzero(np.isfinite(array)):
                    yield f"{name}: {count:,} of {array.size:,} numbers are NaN or infinite"
