"""torch.nn's own activations on NumPy's numbers, as the reference of a check."""

import numpy as np
import torch


def activated(name: str, x: np.ndarray) -> np.ndarray:
    """What torch's class, by its dotted name, makes of an array of any shape, in float64."""
    module = getattr(torch.nn, name.rsplit(".", 1)[-1])().eval()
    with torch.no_grad():
        return module(torch.from_numpy(np.asarray(x, np.float64))).numpy()
