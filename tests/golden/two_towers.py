"""What make.py needs for CLIP and SigLIP: configurations of both towers, the reference, features of both."""

from pathlib import Path

import numpy as np
import torch

PICTURES = {"wide.png": (21, 9, "RGB"), "high.png": (5, 30, "RGBA"), "grey.png": (16, 16, "L")}
"""Columns, rows and mode of the golden images: wider, higher and square, none of the tower's own size."""
TEXT_TOWER = {
    "vocab_size": 120,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "max_position_embeddings": 32,
    # Not 2, which would mean the largest id of a text.
    "eos_token_id": 3,
    "bos_token_id": 2,
    "pad_token_id": 0,
}
IMAGE_TOWER = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "image_size": 12,
    "patch_size": 4,
}
CLIP = {"model_type": "clip", "projection_dim": 16, "text_config": TEXT_TOWER, "vision_config": IMAGE_TOWER}
SIGLIP = {
    "model_type": "siglip",
    "text_config": TEXT_TOWER | {"pad_token_id": 1, "eos_token_id": 1, "projection_size": 32},
    "vision_config": IMAGE_TOWER,
}


def text_tower(config: dict) -> torch.nn.Module:
    """A model with a tower for texts, called as a trunk is: it gives every token's state as it would project it."""
    import transformers
    from transformers.modeling_outputs import BaseModelOutput

    families = {
        "clip": "CLIPModel",
        "clip_text_model": "CLIPTextModelWithProjection",
        "siglip": "SiglipModel",
        "siglip_text_model": "SiglipTextModel",
    }
    settings = {name: value for name, value in config.items() if name != "model_type"}
    made = transformers.AutoConfig.for_model(config["model_type"], **settings)
    model = getattr(transformers, families[config["model_type"]])._from_config(made)
    tower = getattr(model, "text_model", model)
    project = getattr(model, "text_projection", None) or tower.head
    # SigLIP's tower alone is the model itself.
    encode = tower.forward

    def states(**inputs: torch.Tensor) -> BaseModelOutput:
        return BaseModelOutput(last_hidden_state=project(encode(**inputs).last_hidden_state))

    model.forward = states
    return model


def clip_features(
    model: torch.nn.Module, _weights: dict, out: Path, ids: torch.Tensor, mask: torch.Tensor
) -> dict[str, np.ndarray]:
    """The texts' vectors [B, D]; golden images, their pixels as transformers makes them on Pillow, their vectors."""
    from PIL import Image
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    random = np.random.default_rng(1)
    processor = CLIPImageProcessorPil(size={"shortest_edge": 12}, crop_size={"height": 12, "width": 12})
    processor.save_pretrained(out)
    pictures = []
    for name, (columns, rows, mode) in PICTURES.items():
        noise = random.integers(0, 256, (rows, columns, len(mode))).astype(np.uint8)
        Image.fromarray(noise.squeeze()).save(out / name)
        pictures.append(Image.open(out / name))
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    return {
        "pooled": model.get_text_features(input_ids=ids, attention_mask=mask).pooler_output.numpy(),
        "pixels": pixels.numpy(),
        "images": model.get_image_features(pixel_values=pixels).pooler_output.numpy(),
    }


def siglip_features(
    model: torch.nn.Module, _weights: dict, out: Path, ids: torch.Tensor, mask: torch.Tensor
) -> dict[str, np.ndarray]:
    """The texts' vectors [B, D] as SigLIP was trained: padded to the last position, without a mask."""
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    SiglipImageProcessorPil(size={"height": 12, "width": 12}).save_pretrained(out)
    positions, pad = model.config.text_config.max_position_embeddings, model.config.text_config.pad_token_id
    ids = torch.nn.functional.pad(ids, (0, positions - ids.shape[1]), value=pad)
    return {"pooled": model.get_text_features(input_ids=ids).pooler_output.numpy()}
