"""Golden folders, the states stored with them, and those that an engine computes."""

from pathlib import Path

import numpy as np

from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders

GOLDEN = Path(__file__).with_name("golden")
FAMILIES = sorted(path.parent.name for path in GOLDEN.glob("*/expected.npz"))


def expected(family: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The stored ids int32 [B, L], mask bool [B, L] and states float32 [B, L, D]."""
    arrays = np.load(GOLDEN / family / "expected.npz")
    return arrays["ids"], arrays["mask"], arrays["states"]


def encoder(engine_name: str, path: Path, dtype: str = "float32"):
    """A function of ids [B, L] and mask [B, L] that gives the trunk's states float32 [B, L, D]."""
    engine = engines.choose(engine_name)
    folder = folders.read(path)
    if engine_name == "mlx":
        import mlx.core as mx

        from mlx_metaembed.on_mlx import trunk

        encode = trunk.load(folder)
        encode.set_dtype(getattr(mx, dtype))
        return lambda ids, mask: engine.numpy(encode(mx.array(ids), mx.array(mask)))
    import torch

    from mlx_metaembed.on_torch import encoder

    encode = encoder.load(folder, dtype=getattr(torch, dtype), dropout=0.0).requires_grad_(False)
    return lambda ids, mask: (
        encode(input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask)).last_hidden_state.float().numpy()
    )


def lowest_cosine(found: np.ndarray, wanted: np.ndarray) -> float:
    """Of any two rows [n, D]; NaN where anything is."""
    lengths = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return float(((found * wanted).sum(axis=1) / lengths).min())
