"""A program: makes adapters with mlx-lm's own layers, and what mlx-lm computes with them.

Run by adapters/test_mlx_lm.py in a process of its own, since importing mlx_lm lowers the limit of open files for good.
Its argument is a list as JSON, of each one's base, out, kind, rank, scale, num_layers, bits (0: a plain base) and ids.
"""

import json
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_lm.tuner.utils import linear_to_lora_layers
from mlx_lm.utils import load_model, quantize_model, save_config, save_model

PARTS = ("lora_a", "lora_b", "m")


def make(given: dict) -> None:
    base, out = Path(given["base"]), Path(given["out"])
    model, config = load_model(base)
    if given["bits"]:
        model, config = quantize_model(model, config, 32, given["bits"])
        base = out / "base"
        save_model(base, model)
        save_config(config, base / "config.json")
    parameters = {"rank": given["rank"], "scale": given["scale"], "dropout": 0.1, "keys": None}
    linear_to_lora_layers(model, given["num_layers"], parameters, use_dora=given["kind"] == "dora")
    mx.random.seed(3)
    adapter = {}
    for name, array in tree_flatten(model.parameters()):
        part = name.rpartition(".")[2]
        if part in PARTS:
            adapter[name] = array * mx.random.uniform(0.8, 1.2, array.shape)
            if part == "lora_b":
                adapter[name] = 0.1 * mx.random.normal(array.shape)
    model.load_weights(list(adapter.items()), strict=False)
    model.eval()
    states = [np.array(model.model(mx.array([ids]))[0].astype(mx.float32)) for ids in given["ids"]]
    np.savez(out / "states.npz", *states)
    mx.save_safetensors(str(out / "adapters.safetensors"), adapter)
    said = {"model": str(base), "fine_tune_type": given["kind"], "num_layers": given["num_layers"], "train": True}
    save_config(said | {"lora_parameters": parameters}, out / "adapter_config.json")


for each in json.loads(sys.argv[1]):
    make(each)
