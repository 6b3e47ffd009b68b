"""mlx-lm's adapters against mlx-lm itself: made by its own layers, fused here and read beside the base.

mlx_lm is imported by a child process alone: it lowers the limit of open files for good.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from test_encoders import GOLDEN, encoder, expected

from mlx_metaembed import adapters, disk, embedder, weights
from mlx_metaembed import folder as folders
from mlx_metaembed.adapters import Adapter
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError

RANK, SCALE = 3, 5.0
MAKE = """
import json, sys
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model, save_config

base, out, kind, group_size = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
model, config = load_model(base)
if group_size:
    from mlx_lm.utils import quantize_model, save_model

    model, config = quantize_model(model, config, group_size, 8)
    base = out / "quantized"
    save_model(base, model)
    save_config(config, base / "config.json")
parameters = {"rank": %d, "scale": %f, "dropout": 0.1, "keys": None}
linear_to_lora_layers(model, 2, parameters, use_dora=kind == "dora")
mx.random.seed(3)
leaves = [(name, array) for name, array in tree_flatten(model.parameters()) if name.rsplit(".", 1)[-1] in KEYS]
new = [
    (name, array * mx.random.uniform(0.8, 1.2, array.shape) if name.endswith(".m") else
     mx.random.normal(array.shape) * 0.05)
    for name, array in leaves
]
model.load_weights(new, strict=False)
model.eval()
given = np.load(sys.argv[5])
states = [model.model(mx.array(ids[mask][None])) for ids, mask in zip(given["ids"], given["mask"])]
np.savez(out / "states.npz", *[np.array(each[0].astype(mx.float32)) for each in states])
mx.save_safetensors(str(out / "adapters.safetensors"), dict(new))
save_config(
    {"model": str(base), "fine_tune_type": kind, "num_layers": 2, "lora_parameters": parameters, "train": True},
    out / "adapter_config.json",
)
""".replace("KEYS", '("lora_a", "lora_b", "m")') % (RANK, SCALE)


def made(base: Path, out: Path, kind: str, *, group_size: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """An adapter that mlx-lm made of a golden folder as `out`: the texts' ids [L], and mlx-lm's states [L, D]."""
    out.mkdir()
    given = GOLDEN / base.name / "expected.npz"
    command = [sys.executable, "-W", "ignore", "-c", MAKE, str(base), str(out), kind, str(group_size), str(given)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ids, mask, _ = expected(base.name)
    states = np.load(out / "states.npz")
    return [row[real] for row, real in zip(ids, mask, strict=True)], [states[name] for name in states.files]


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_a_fused_adapter_has_mlx_lms_states(two_engines: tuple[str, str], tmp_path: Path, family: str, kind: str):
    texts, states = made(GOLDEN / family, tmp_path / "a", kind)
    fused = convert(tmp_path / "a", tmp_path / "fused")
    assert not (tmp_path / "fused" / "adapter_config.json").exists()
    before = weights.read(GOLDEN / family / "model.safetensors")
    moved = {name for name, array in weights.read(fused.path / "model.safetensors").items() if (array != before[name]).any()}
    # The last two of three layers, all seven matrices.
    assert len(moved) == 14 and not any(".0." in name for name in moved)
    for engine_name in two_engines:
        encode = encoder(engine_name, fused.path)
        for ids, wanted in zip(texts, states, strict=True):
            found = encode(ids[None], np.ones_like(ids, dtype=bool)[None])[0]
            np.testing.assert_allclose(found, wanted, atol=2e-5)
