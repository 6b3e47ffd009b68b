"""A clean sentence-transformers folder, in the layout that releases before and after 5.4 load alike.

What a run leaves (recipe, metrics, state) stays behind; heads and codes come along in a side folder that others ignore.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed import recipe as recipes
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import WHAT, usage
from mlx_metaembed.convert import averages, checkpoint, codes, loadable
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import SIDE, ModelFolder, task_adapters


def export(
    model: ModelFolder,
    out: str | Path,
    *,
    dtype: str | None = None,
    task: str | None = None,
    average_with_base: float | None = None,
    base: str | Path | None = None,
    declared: Mapping[str, object] | None = None,
    name: str | None = None,
    engine: str = "auto",
    note: Note = lambda text: None,
) -> ModelFolder:
    """Write a model as the new folder `out`, with a model card; `dtype` as in `convert`, None keeps the model's own.

    `task` folds that task's adapter into the trunk, and its prompt becomes the default one. `average_with_base` is the
    share of the model `base`, by default the one that a run began from, in weights that are averaged. `declared` are
    fields of ModelFolder that win over the model's own, `name` is what the card calls it, by default the folder's name,
    and `engine` what loads it before it takes its name. Raises CallError where the model can't be read, has no such
    task, can't be averaged or `out` holds something, JobError where it can't be written.
    """
    out = Path(out)
    checkpoint.require_dtype(dtype)
    disk.require_vacant(out)
    base = _base(model, average_with_base, base)
    if model.is_tower and model.model_type.endswith("_text_model"):
        raise CallError(
            f"{model.path} is a text tower alone (model_type {model.model_type!r}), for which sentence-transformers "
            "has no module; it loads in this kit, and metaembed convert writes it for transformers"
        )
    folder, tensors = checkpoint.read(model.path, note)
    folder = replace(folder, **declared or {})
    if task is not None:
        dtype = dtype or checkpoint.stored_dtype(tensors)
        tensors, folder = task_adapters.folded(folder.config, tensors, task), task_adapters.single(folder, task)
    elif task_adapters.names(folder.config):
        note("Other tools compute the trunk without its task adapters; --task NAME folds one into the weights")
    if folder.config.get("moe_every_n_layers"):
        note("transformers' own nomic_bert has no experts: other tools need the hub's code (trust_remote_code=True)")
    title = name or out.name
    with disk.replacing(out) as partial:
        checkpoint.write(folder, tensors, partial, dtype=dtype, note=note)
        if average_with_base:
            _average(partial, base, average_with_base, dtype or checkpoint.stored_dtype(tensors))
            note(f"Averaged: {1 - average_with_base:g} of {model.path} and {average_with_base:g} of {base}")
        card.copy_license_and_readme(folder, partial)
        text = card.card(
            folder,
            title=title,
            body=f"A sentence-transformers model: it maps texts to {WHAT[folder.head]}.\n\n{usage(folder, title)}",
            base=card.base_model(model.path, model.path),
        )
        (partial / card.README).write_text(text, encoding="utf-8")
        changed = "the weights were averaged" if average_with_base else ""
        codes.carry(model, partial, note, changed=changed)
        loadable.require(partial, model.path, done="exported", engine=engine, note=note)
    return folders.read(out)


def _base(model: ModelFolder, share: float | None, base: str | Path | None) -> str | Path | None:
    """The model to average with: the one that is named, or that a run's recipe names. Raises CallError where neither
    is there, or the share leaves nothing of one."""
    if share is None:
        if base is not None:
            raise CallError("--base belongs to --average-with-base")
        return None
    if not 0 < share < 1:
        raise CallError(f"average_with_base = {share:g}: expected more than 0 and less than 1, the share of the base")
    settings = model.path / SIDE / "recipe.toml"
    named = base or (recipes.read(settings).get("model") if settings.is_file() else None)
    if not named:
        raise CallError(f"{model.path} is no run, so that nothing says what it was trained from; name it with --base")
    return named


def _average(partial: Path, base: str | Path, share: float, dtype: str | None) -> None:
    """Average every weights file of a folder that is being written with the base's."""
    for path, arrays in averages.of_files(partial, base, share).items():
        with disk.replacing_file(partial / path) as averaged:
            safetensors.write(averaged, arrays, dtype=dtype)
