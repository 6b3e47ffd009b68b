"""A model's fingerprint: what an index remembers of the model that gave its vectors.

Weights and settings are told apart, so that a message can say which of them differ. The same weights at another path,
or written again in a wider dtype, have one fingerprint; further training, another prompt, pooling or tokenizer, and a
quantized or narrowed export have others, since their vectors differ.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError
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


def require(
    found: Mapping[str, str], model: str, *, kept: Mapping[str, str], maker: str, what: str, where: Path, advice: str
) -> None:
    """Raise CallError for a model of the fingerprint `found` where `what`, an index or other, was made by `maker`.

    Without a `kept` fingerprint nothing can be told.
    """
    if wrong := [part for part in kept if found.get(part) != kept[part]]:
        raise CallError(
            f"{model} gives other vectors than those in {where}: its {' and '.join(wrong)} differ from those "
            f"of {maker}, which it was built with.\n"
            f"  fingerprint in the {what}: {_words(kept)}\n"
            f"  fingerprint of the model: {_words(found)}\n"
            f"{advice} A quantized export counts as another model."
        )


def _words(marks: Mapping[str, str]) -> str:
    return ", ".join(f"{part} {digits}" for part, digits in marks.items())


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
