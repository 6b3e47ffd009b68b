"""A model's fingerprint: what an index remembers of the model that gave its vectors.

Weights and settings are told apart, so that a message can say which of them differ. The same weights at another path,
or written again in a wider dtype, have one fingerprint; further training, another prompt, pooling or tokenizer, and a
quantized or narrowed export have others, since their vectors differ.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields

import numpy as np

from mlx_metaembed.files.disk import read_json
from mlx_metaembed.files.safetensors import Tensor, header, read_tensor
from mlx_metaembed.folder import ModelFolder, dense_files

PLACES = ("path", "base", "adapter", "trunk_folder")
"""Fields that say where files lie."""
MARKS = ("_name_or_path", "name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype", "use_cache")
"""Keys of a configuration that change no vector."""


def of(folder: ModelFolder) -> dict[str, str]:
    """`{"weights", "settings"}`, 16 hexadecimal digits each. Reads every weight once."""
    return {"weights": _weights(folder), "settings": _settings(folder)}


def _weights(folder: ModelFolder) -> str:
    """Of the trunk, of Dense modules and of an adapter: names, shapes and values, floats as float32."""
    found = hashlib.blake2b(digest_size=8)
    parts: dict[str, Tensor | np.ndarray] = dict(folder.trunk())
    if folder.dense:
        arrays = dense_files.read(folder.path, folder.dense)
        parts |= {f"dense {at}": arrays[name] for at, name in enumerate(sorted(arrays))}
    if folder.adapter:
        for path in sorted(folder.adapter.glob("adapter*.safetensors")):
            parts |= {f"adapter {name}": tensor for name, tensor in header(path).items()}
    for name in sorted(parts):
        array = read_tensor(parts[name]) if isinstance(parts[name], Tensor) else parts[name]
        if array.dtype.kind == "f":
            array = array.astype(np.float32, copy=False)
        found.update(f"{name} {list(array.shape)}\n".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _settings(folder: ModelFolder) -> str:
    """Of all that the folder declares, but where it lies and the length at which texts are cut, which an index has."""
    told = {each.name for each in fields(folder)} - {*PLACES, "max_seq_length", "config", "dense"}
    settings = {name: getattr(folder, name) for name in told}
    settings["config"] = {key: value for key, value in folder.config.items() if key not in MARKS}
    settings["dense"] = [{**asdict(module), "path": None} for module in folder.dense]
    tokenizer = read_json(folder.tokenizer())
    if isinstance(tokenizer, Mapping):
        settings["tokenizer"] = {key: value for key, value in tokenizer.items() if key not in ("truncation", "padding")}
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
