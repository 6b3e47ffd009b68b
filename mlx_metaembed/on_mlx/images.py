"""CLIP's tower for images as an MLX module: patches as tokens behind a class token. arXiv:2103.00020.

A checkpoint has the patches' convolution as torch stores it, [out, channels, height, width]; MLX multiplies the patches
by it as a matrix. The tower is read, not trained.
"""

from dataclasses import dataclass, fields

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten

from mlx_metaembed.config import checks, clip
from mlx_metaembed.errors import faults
from mlx_metaembed.files.safetensors import compare
from mlx_metaembed.folder import ModelFolder, quantized
from mlx_metaembed.on_mlx import files, tower


@dataclass(frozen=True, kw_only=True)
class Config(tower.Config):
    """The keys of an image tower's configuration."""

    num_channels: int
    image_size: int
    patch_size: int


class PatchEmbedding(nn.Module):
    """A convolution whose stride is its width, without bias."""

    def __init__(self, config: Config):
        super().__init__()
        self.size = config.patch_size
        self.weight = mx.zeros((config.hidden_size, config.num_channels, self.size, self.size))

    def __call__(self, pixels: mx.array) -> mx.array:
        """Pixels [B, C, H, W] to patches [B, N, hidden_size], row by row; what fills no patch is left out."""
        batch, channels, height, width = pixels.shape
        rows, columns = height // self.size, width // self.size
        x = (
            pixels[:, :, : rows * self.size, : columns * self.size]
            .reshape(batch, channels, rows, self.size, columns, self.size)
            .transpose(0, 2, 4, 1, 3, 5)
        )
        return x.reshape(batch, rows * columns, -1) @ self.weight.reshape(len(self.weight), -1).T


class Embeddings(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.class_embedding = mx.zeros(config.hidden_size)
        self.patch_embedding = PatchEmbedding(config)
        self.position_embedding = nn.Embedding((config.image_size // config.patch_size) ** 2 + 1, config.hidden_size)

    def __call__(self, pixels: mx.array) -> mx.array:
        x = self.patch_embedding(pixels)
        first = mx.broadcast_to(self.class_embedding, (len(x), 1, x.shape[-1]))
        return mx.concatenate([first, x], axis=1) + self.position_embedding.weight


class VisionModel(nn.Module):
    """Pixels [B, C, H, W] to the class token's state [B, hidden_size] after the last norm."""

    def __init__(self, config: Config):
        super().__init__()
        self.embeddings = Embeddings(config)
        # Spelled so in every checkpoint.
        self.pre_layrnorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.encoder = tower.Layers(config)
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def __call__(self, pixels: mx.array) -> mx.array:
        return self.post_layernorm(self.encoder(self.pre_layrnorm(self.embeddings(pixels)), None)[:, 0])


class Encoder(nn.Module):
    """Pixels [B, C, H, W] to vectors [B, projection_dim] in the space of the texts' vectors."""

    def __init__(self, config: Config):
        super().__init__()
        self.vision_model = VisionModel(config)
        self.visual_projection = nn.Linear(config.hidden_size, config.projection_dim, bias=False)

    def __call__(self, pixels: mx.array) -> mx.array:
        return self.visual_projection(self.vision_model(pixels))


def load(folder: ModelFolder, dtype: mx.Dtype) -> Encoder:
    """The folder's tower for images, quantized matrices as plain ones, in `dtype`.

    Raises CallError where it has none, or lists every tensor that does not fit.
    """
    found = folder.image_tower()
    if folder.quantization:
        found = quantized.expand(found, folder.quantization)
    settings = clip.image(folder.config)
    config = Config(**{field.name: settings[field.name] for field in fields(Config)})
    wrong = checks.indivisible_heads(settings)
    if config.hidden_act not in tower.SUPPORTED["hidden_act"]:
        wrong.append(f"hidden_act = {config.hidden_act!r} is not supported")
    if wrong:
        raise faults(f"The vision_config of {folder.trunk_path / 'config.json'}:", wrong)
    encoder = Encoder(config)
    expected = {name: tuple(array.shape) for name, array in tree_flatten(encoder.parameters())}
    compare(folder.path, expected, {name: tensor.shape for name, tensor in found.items()})
    encoder.load_weights([(name, array.astype(dtype)) for name, array in files.read(folder, found).items()])
    return encoder
