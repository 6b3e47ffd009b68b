"""Heads and their files: those of the side folder, and those that other tools' files hold.

`metaembed/heads.json` keeps each head's fields, `metaembed/heads.safetensors` the weights, `<head>.<weight>`.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mlx_metaembed.config import checks
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.files import safetensors as files
from mlx_metaembed.files.disk import read_json, write_json
from mlx_metaembed.folder import SIDE, ModelFolder, dense_files, mlm
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE, SpladePooling
from mlx_metaembed.heads.fsq import Fsq
from mlx_metaembed.heads.lexical import Lexical
from mlx_metaembed.heads.linear import Classification, Regression
from mlx_metaembed.heads.rvq import Rvq
from mlx_metaembed.heads.splade import Splade
from mlx_metaembed.heads.token_vectors import Colbert, MultiVector
from mlx_metaembed.layers.activations import ACTIVATIONS

SparseHead = Splade | Lexical
TokenHead = MultiVector | Colbert
CodeHead = Fsq | Rvq
VectorHead = CodeHead | Regression | Classification
Head = VectorHead | SparseHead | TokenHead
HEADS = {head.kind: head for head in (Fsq, Rvq, Regression, Classification, Lexical, MultiVector)}
"""Those that heads.json may hold."""


def read(folder: ModelFolder) -> tuple[dict[str, Head], dict[str, np.ndarray]]:
    """The folder's heads by name, and their weights as `<head>.<weight>`; none is an empty dict.

    Raises CallError as `listed` does.
    """
    heads = listed(folder)
    return heads, files.read(folder.path / SIDE / "heads.safetensors") if heads else {}


def listed(folder: ModelFolder) -> dict[str, Head]:
    """The folder's heads by name, without their weights; none is an empty dict.

    Raises CallError where fields or weights are wrong, naming every one.
    """
    listing = folder.path / SIDE / "heads.json"
    if not listing.is_file():
        return {}
    heads, wrong = {}, []
    found = read_json(listing)
    if not isinstance(found, dict) or not all(isinstance(fields, dict) for fields in found.values()):
        raise CallError(f"{listing}: expected an object of heads by name, each an object with its type and fields")
    for name, fields in found.items():
        kind = fields.pop("type", "")
        if not isinstance(kind, str) or kind not in HEADS:
            wrong.append(f"{name}: type {kind!r:.80} is not known{nearest(str(kind), HEADS)}")
            continue
        if unfit := checks.type_errors(HEADS[kind], fields):
            wrong += [f"{name}: {line}" for line in unfit]
            continue
        try:
            heads[name] = HEADS[kind](
                **{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
            )
        except TypeError as error:
            wrong.append(f"{name}: {error}")
            continue
        wrong += [f"{name}: {line}" for line in heads[name].faults()]
    for name, head in heads.items():
        what, width = ("token states", folder.hidden_size) if head.on_tokens else ("vectors", folder.dimensions)
        if head.in_features != width:
            wrong.append(f"{name}: in_features = {head.in_features!r}, but the model's {what} have {width} features")
    if wrong:
        raise faults(f"{listing} can't be read:", wrong)
    path = listing.with_name("heads.safetensors")
    if not path.is_file():
        raise CallError(f"{listing} names heads, but {path.name} is missing beside it")
    expected = {f"{name}.{weight}": shape for name, head in heads.items() for weight, shape in head.shapes().items()}
    files.compare(path, expected, {name: tensor.shape for name, tensor in files.header(path).items()})
    return heads


def every(folder: ModelFolder) -> tuple[dict[str, Head], dict[str, np.ndarray]]:
    """The heads of the side folder, and those that the model's other files hold: `splade`, `multi_vector`.

    Any masked-language-model head gives `splade`, with largest values and relu where no module says otherwise, as in
    sentence-transformers. Raises CallError as `read` does, or where a declared head's weights are missing.
    """
    heads, arrays = read(folder)
    tensors = folder.tensors()
    found = mlm.own(folder.config, tensors)
    if folder.splade and not found:
        raise CallError(
            f"{folder.path} declares SpladePooling, but its weights have no masked-language-model head that is known "
            f"for model_type {folder.model_type!r}; known: {', '.join(mlm.LAYOUTS)}"
        )
    settings = mlm.settings(folder.config, found, _words(folder, found)) if found else {}
    if found and settings["hidden_act"] not in ACTIVATIONS:
        if folder.splade:
            raise CallError(
                f"{folder.trunk_path / 'config.json'}: the masked-language-model head has the activation "
                f"{settings['hidden_act']!r:.80}, which is not supported; known: {', '.join(ACTIVATIONS)}"
            )
        # The head of a model that is used for its vectors alone.
        found = {}
    if found:
        pooling = folder.splade or SpladePooling()
        heads[SPLADE] = Splade(
            **settings,
            pooling_strategy=pooling.pooling_strategy,
            activation_function=pooling.activation_function,
        )
        files.compare(folder.path, heads[SPLADE].shapes(), {name: tensor.shape for name, tensor in found.items()})
        arrays = arrays | {f"{SPLADE}.{name}": files.read_tensor(tensor) for name, tensor in found.items()}
    if folder.late_interaction:
        heads[MULTI_VECTOR] = Colbert(folder.hidden_size, folder.late_interaction)
        stored = dense_files.read(folder.path, folder.late_interaction.dense)
        arrays = arrays | {f"{MULTI_VECTOR}.{name}": array for name, array in stored.items()}
    return heads, arrays


def _words(folder: ModelFolder, found: Mapping[str, files.Tensor]) -> int:
    """How many words a masked-language-model head has."""
    own = next((found[name] for name in ("decoder.bias", "decoder.weight") if name in found), None)
    return own.shape[0] if own is not None and own.shape else folder.config["vocab_size"]


def write(heads: Mapping[str, Head], arrays: Mapping[str, np.ndarray], out: Path) -> None:
    """Write heads and their weights (`<head>.<weight>`) into the side folder of the model folder `out`."""
    if heads:
        write_json(
            out / SIDE / "heads.json", {name: {"type": head.kind, **asdict(head)} for name, head in heads.items()}
        )
        files.write(out / SIDE / "heads.safetensors", arrays)
