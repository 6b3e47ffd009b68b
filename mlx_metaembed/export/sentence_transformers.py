"""A clean sentence-transformers folder, in the layout that releases before and after 5.4 load alike.

What a run leaves (recipe, metrics, state) stays behind; code heads come along in a side folder that others ignore.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import WHAT, usage
from mlx_metaembed.convert import checkpoint, loadable
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import ModelFolder, task_adapters


def export(
    model: ModelFolder,
    out: str | Path,
    *,
    dtype: str | None = None,
    task: str | None = None,
    declared: Mapping[str, object] | None = None,
    name: str | None = None,
    engine: str = "auto",
    note: Note = lambda text: None,
) -> ModelFolder:
    """Write a model as the new folder `out`, with a model card; `dtype` as in `convert`, None keeps the model's own.

    `task` folds that task's adapter into the trunk, and its prompt becomes the default one. `declared` are fields of
    ModelFolder that win over the model's own, `name` is what the card calls it, by default the folder's name, and
    `engine` what loads it before it takes its name. Raises CallError where the model can't be read, has no such task
    or `out` holds something, JobError where it can't be written.
    """
    out = Path(out)
    checkpoint.require_dtype(dtype)
    disk.require_vacant(out)
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
        card.copy_license_and_readme(folder, partial)
        text = card.card(
            folder,
            title=title,
            body=f"A sentence-transformers model: it maps texts to {WHAT[folder.head]}.\n\n{usage(folder, title)}",
            base=card.base_model(model.path, model.path),
        )
        (partial / card.README).write_text(text, encoding="utf-8")
        loadable.require(partial, model.path, done="exported", engine=engine, note=note)
    return folders.read(out)
