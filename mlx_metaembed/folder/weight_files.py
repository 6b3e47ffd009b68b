"""Where a model's weights lie, and the bytes of what is loaded of a folder."""

from pathlib import Path

from mlx_metaembed.folder.model_folder import SIDE, ModelFolder


def weight_files(folder: ModelFolder) -> list[Path]:
    """The safetensors files of the trunk, an adapter, the Dense modules and the heads."""
    others = [folder.path / module.path / "model.safetensors" for module in folder.dense_modules]
    others.append(folder.path / SIDE / "heads.safetensors")
    others += [*folder.adapter.glob("adapter*.safetensors")] if folder.adapter else []
    return [*folder.weights(), *(path for path in others if path.is_file())]


def bytes_on_disk(folder: ModelFolder) -> int:
    """The bytes of the weights and the tokenizer; checkpoints and other tools' files in a folder do not count."""
    return sum(path.stat().st_size for path in {*weight_files(folder), folder.tokenizer()})
