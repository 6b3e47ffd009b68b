"""The towers of CLIP and SigLIP as torch modules: transformers' own, under the checkpoint's names, loaded strictly.

A text tower here gives every token's projected state, of which the folder's pooling takes one: transformers' own pools
before it projects, which is the same vector.
"""

import functools
from collections.abc import Callable

import torch

from mlx_metaembed.config import clip
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.foreign_names import require_fit
from mlx_metaembed.folder.quantized import expand
from mlx_metaembed.on_torch import files


class TextTower(torch.nn.Module):
    """Called as a trunk of transformers is, with input_ids and attention_mask."""

    def __init__(self, text_model: torch.nn.Module, text_projection: torch.nn.Module | None):
        super().__init__()
        self.text_model = text_model
        if text_projection is not None:
            self.text_projection = text_projection

    def forward(self, **inputs: torch.Tensor) -> object:
        found = self.text_model(**inputs)
        project = self.text_projection if hasattr(self, "text_projection") else self.text_model.head
        found.last_hidden_state = project(found.last_hidden_state)
        return found


def text(folder: ModelFolder, dtype: torch.dtype) -> torch.nn.Module:
    """The folder's tower for texts. Raises CallError that lists every tensor that does not fit."""
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection, SiglipTextConfig, SiglipTextModel

    settings = _settings(folder.architecture)
    if folder.model_type.startswith("clip"):
        whole = functools.partial(_made, folder, CLIPTextModelWithProjection, CLIPTextConfig, settings)
        return _filled(folder, lambda: _clip(whole()), folder.trunk(), dtype)
    settings["projection_size"] = settings["projection_dim"]
    whole = functools.partial(_made, folder, SiglipTextModel, SiglipTextConfig, settings)
    return _filled(folder, lambda: TextTower(whole(), None), folder.trunk(), dtype)


def _clip(whole: torch.nn.Module) -> TextTower:
    return TextTower(whole.text_model, whole.text_projection)


def image(folder: ModelFolder, dtype: torch.dtype) -> torch.nn.Module:
    """The folder's tower for images: pixel_values [B, C, H, W] to image_embeds [B, projection_dim]."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    found = folder.image_tower()
    settings = _settings(clip.image(folder.config))
    made = functools.partial(_made, folder, CLIPVisionModelWithProjection, CLIPVisionConfig, settings)
    return _filled(folder, made, found, dtype).requires_grad_(False)


def _settings(config: dict) -> dict:
    left = ("model_type", "dtype", "torch_dtype", "quantization", "quantization_config", "attention_dropout")
    return {name: value for name, value in config.items() if name not in left}


def _made(folder: ModelFolder, family: type, config: type, settings: dict) -> torch.nn.Module:
    """A module of transformers with weights of chance."""
    try:
        return family._from_config(config(**settings), dtype=torch.float32)
    # Its checks of a configuration have errors of their own, and so has whatever computes with it.
    except Exception as error:
        raise CallError(f"{folder.trunk_path / 'config.json'}: transformers refuses it: {error}") from None


def _filled(
    folder: ModelFolder, made: Callable[[], torch.nn.Module], stored: dict[str, Tensor], dtype: torch.dtype
) -> torch.nn.Module:
    """The tower that `made` makes with the folder's weights, which must be all of its own."""
    found = expand(stored, folder.quantization) if folder.quantization else stored
    # Before memory is taken for a configuration of any size.
    with torch.device("meta"):
        expected = {name: tuple(tensor.shape) for name, tensor in made().named_parameters()}
    require_fit(folder, expected, {name: tensor.shape for name, tensor in found.items()})
    tower = made()
    tower.load_state_dict(files.read(folder, found))
    return tower.to(dtype).eval()
