"""Quantized weights for MLX: a safetensors folder that mlx-lm's and mlx-embeddings' loaders take as it is.

An export is an end: quantized weights are never trained further. The tensors that are not quantized are float16: on
all-MiniLM-L6-v2 that moves the cosine to the source from 0.999872 to 0.999867 at 8 bits, and bfloat16 to 0.999590.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import WHAT, of_kit
from mlx_metaembed.convert import checkpoint, codes, loadable
from mlx_metaembed.convert.sources import Note, Tensors
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import calibration, matrices, mixing
from mlx_metaembed.export.calibration import Advance, Calibration
from mlx_metaembed.export.matrices import Rounding
from mlx_metaembed.export.rounded import rounded
from mlx_metaembed.files import disk
from mlx_metaembed.files.safetensors import FLOATING, ITEM_BYTES
from mlx_metaembed.folder import ModelFolder, mlm, quantized

TAGS = ("mlx", "sentence-similarity", "feature-extraction")


def export(
    model: ModelFolder,
    out: str | Path,
    *,
    dtype: str | None = None,
    calibrate: Calibration | None = None,
    note: Note = lambda text: None,
    advance: Advance = lambda what, count, of, unit: None,
    heard: Callable[[dict[str, float]], object] = lambda figures: None,
    **how: Any,
) -> ModelFolder:
    """Write a model as the new folder `out`, quantized; `dtype` is what the other tensors have, None means float16.

    `how` are the fields of Rounding: bits, group_size, mode and so on. With `calibrate` the rounding is calibrated on
    its texts. `heard` gets the bits that a weight takes, scales counted, and what of the float model's vectors is kept.
    Raises CallError where MLX has no such rounding, the model is quantized already or can't be read, or `out` holds
    something; JobError where it can't be written.
    """
    out = Path(out)
    dtype = dtype or "float16"
    checkpoint.require_dtype(dtype)
    rounding = Rounding(**how)
    rounding.require()
    if calibrate:
        calibrate.require(model)
    if model.quantization:
        said = quantized.said(model.quantization)
        raise CallError(f"{model.path} is quantized to {said}; export the model it was made from")
    disk.require_vacant(out)
    folder, tensors = checkpoint.read(model.path, note)
    if not folder.splade and (head := tensors.keys() & mlm.known(folder.model_type)):
        note("Left out, the model's output being dense: its masked-language-model head")
        tensors = {name: tensor for name, tensor in tensors.items() if name not in head}
    trunk = {name: tensor for name, tensor in tensors.items() if name not in mlm.known(folder.model_type)}
    settings = matrices.chosen(trunk, rounding, note, folder.path)
    _for_others(folder, tensors, note)
    budget = mixing.budget(tensors, settings, rounding, dtype) if rounding.is_mixed else None
    made = calibration.begin(model, calibrate, settings, advance) if calibrate else None
    moments = made and made.moments

    def told(what: str) -> Callable[[int], object]:
        return lambda count: advance(what, count, len(settings), "matrices")

    if budget:
        weighed = {"dtype": dtype, "moments": moments, "advance": told("weighing")}
        settings = mixing.mixed(tensors, settings, budget, **weighed)
    said = matrices.configuration(settings, matrices.most_common(settings), folder.model_type)
    config = folder.config | {"quantization": said, "quantization_config": said}
    packed = rounded(tensors, settings, dtype=dtype, moments=moments, advance=told("rounding"))
    mean = matrices.bits_per_weight(tensors, settings, 8 * ITEM_BYTES[FLOATING[dtype]])
    figures = {"bits_per_weight": round(mean, 4)}
    with disk.replacing(out) as partial:
        checkpoint.write(replace(folder, config=config), packed, partial, dtype=dtype, note=note)
        card.copy_license_and_readme(folder, partial)
        body = f"{_what(said, mean)} {WHAT[folder.head]}."
        if made:
            figures |= made.finish(folders.read(partial), dtype, advance)
            body += f"\n\n{made.section(figures)}"
        text = card.card(
            folder,
            library="mlx",
            tags=TAGS,
            title=out.name,
            body=f"{body}\n\n## Usage\n\n{of_kit(folder, out.name)}",
            base=card.base_model(model.path, model.path),
        )
        (partial / card.README).write_text(text, encoding="utf-8")
        codes.carry(model, partial, note, changed="quantized weights give other vectors")
        loadable.require(partial, model.path, done="exported", note=note)
    heard(figures)
    return folders.read(out)


def _what(said: Mapping, mean: float) -> str:
    """The first words of the card: what the folder holds, by its configuration and the bits that a weight takes."""
    words = f"{quantized.said(said)} in groups of {said['group_size']}"
    words += "" if said["mode"] == quantized.AFFINE else f" ({said['mode']})"
    return (
        f"A text embedder for MLX, its weights quantized to {words}, {mean:.3g} a weight with scales: it maps texts to"
    )


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
