"""Quantized weights for MLX: a safetensors folder that mlx-lm's and mlx-embeddings' loaders take as it is.

Linear layers and the word embedding are quantized; positions, token types, norms and the pooler are not. An export is
an end: quantized weights are never trained further. The other tensors are float16: on all-MiniLM-L6-v2 that moves the
cosine to the source from 0.999872 to 0.999867 at 8 bits, and bfloat16 to 0.999590.
"""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import WHAT, of_kit
from mlx_metaembed.convert import checkpoint, codes, loadable, names
from mlx_metaembed.convert.sources import Note, Tensors
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.files.safetensors import Tensor, read_tensor
from mlx_metaembed.folder import ModelFolder, mlm
from mlx_metaembed.folder.quantized import BITS

GROUP_SIZES = (32, 64, 128)
WHOLE = (
    *("position_embedding", "token_type_embeddings", "relative_attention_bias"),
    *("LayerNorm", "norm", "pooler", "router"),
)
"""Parts of a name whose matrices stay as they are."""
TAGS = ("mlx", "sentence-similarity", "feature-extraction")


def export(
    model: ModelFolder,
    out: str | Path,
    *,
    bits: int,
    group_size: int = 64,
    dtype: str | None = None,
    note: Note = lambda text: None,
) -> ModelFolder:
    """Write a model as the new folder `out`, quantized; `dtype` is what the other tensors have, None means float16.

    Raises CallError where bits or group size are not MLX's, the model is quantized already or can't be read, or
    `out` holds something; JobError where it can't be written.
    """
    out = Path(out)
    dtype = dtype or "float16"
    checkpoint.require_dtype(dtype)
    if bits not in BITS or group_size not in GROUP_SIZES:
        raise CallError(
            f"{bits} bits in groups of {group_size}: MLX has {', '.join(map(str, BITS))} bits, "
            f"groups of {', '.join(map(str, GROUP_SIZES))}"
        )
    if model.quantization:
        raise CallError(
            f"{model.path} is quantized to {model.quantization['bits']} bits; export the model it was made from"
        )
    disk.require_vacant(out)
    folder, tensors = checkpoint.read(model.path, note)
    if not folder.splade and (head := tensors.keys() & mlm.known(folder.model_type)):
        note("Left out, the model's output being dense: its masked-language-model head")
        tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
    trunk = {name: tensor for name, tensor in tensors.items() if name not in mlm.known(folder.model_type)}
    chosen, left = matrices(trunk, group_size)
    if left:
        note(f"Not quantized, their rows being no multiple of {group_size}: {names.summary(left)}; {_smaller(trunk)}")
    if not chosen:
        raise CallError(f"Nothing in {folder.path} can be quantized in groups of {group_size}; {_smaller(trunk)}")
    _for_others(folder, tensors, note)
    settings = {"group_size": group_size, "bits": bits, "mode": "affine"}
    config = folder.config | {"quantization": settings, "quantization_config": settings}
    packed = _packed(tensors, chosen, bits, group_size)
    with disk.replacing(out) as partial:
        checkpoint.write(replace(folder, config=config), packed, partial, dtype=dtype, note=note)
        card.copy_license_and_readme(folder, partial)
        said = (
            f"A text embedder for MLX, its weights quantized to {bits} bits in groups of {group_size}: it maps texts to"
        )
        text = card.card(
            folder,
            library="mlx",
            tags=TAGS,
            title=out.name,
            body=f"{said} {WHAT[folder.head]}.\n\n## Usage\n\n{of_kit(folder, out.name)}",
            base=card.base_model(model.path, model.path),
        )
        (partial / card.README).write_text(text, encoding="utf-8")
        codes.carry(model, partial, note, changed="quantized weights give other vectors")
        loadable.require(partial, model.path, done="exported", note=note)
    return folders.read(out)


def matrices(tensors: Tensors, group_size: int) -> tuple[list[str], list[str]]:
    """The names of the matrices to quantize, and of those that could be but for their shape."""
    wanted = [
        name
        for name, tensor in tensors.items()
        if name.endswith(".weight") and len(tensor.shape) == 2 and not any(part in name for part in WHOLE)
    ]
    # Peers' loaders skip a matrix whose size is no multiple of 64, whatever the group.
    fit = [
        name for name in wanted if tensors[name].shape[1] % group_size == 0 and np.prod(tensors[name].shape) % 64 == 0
    ]
    return fit, [name for name in wanted if name not in fit]


def _smaller(tensors: Tensors) -> str:
    """Which group sizes take every matrix."""
    fit = [str(size) for size in GROUP_SIZES if not matrices(tensors, size)[1]]
    return f"all are with --group-size {' or '.join(fit)}" if fit else "no group size takes all of them"


def _for_others(folder: ModelFolder, tensors: Tensors, note: Note) -> None:
    """Say what mlx-embeddings would not load or not do."""
    if folder.model_type == "bert" and "pooler.dense.weight" not in tensors:
        note("The model has no pooler; mlx-embeddings wants one for BERT and will not load it (this kit does)")
    if folder.head:
        note(f"mlx-embeddings does not know the head {folder.head} (this kit does)")
    if folder.dense:
        note("mlx-embeddings knows no Dense modules and will not load it (this kit does)")
    if folder.model_type == "bert" and folder.pooling != "mean":
        note(f"mlx-embeddings means over every BERT, this model wants {folder.pooling}: read its last_hidden_state")


def _packed(tensors: Tensors, chosen: list[str], bits: int, group_size: int) -> Tensors:
    """All tensors with the chosen ones packed, one at a time; the others stay in their files."""
    quantize = importlib.import_module("mlx_metaembed.on_mlx.quantize").quantize
    packed: Tensors = {}
    for name, tensor in tensors.items():
        if name not in chosen:
            packed[name] = tensor
            continue
        array = read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
        packed |= quantize({name: array.astype(np.float32)}, [name], bits=bits, group_size=group_size)
    return packed
