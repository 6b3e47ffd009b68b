"""The golden CLIP, what is stored with it, and copies that transformers reads."""

import shutil
from pathlib import Path

import numpy as np
from states import GOLDEN

from mlx_metaembed.config import clip
from mlx_metaembed.files import disk, safetensors

CLIP = GOLDEN / "clip"
PICTURES = [CLIP / name for name in ("wide.png", "high.png", "grey.png")]
STORED = np.load(CLIP / "expected.npz")
IMAGE_TENSORS = {name for name in safetensors.header(CLIP / "model.safetensors") if name.startswith(clip.IMAGE)}


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def for_transformers(source: Path, out: Path) -> Path:
    """A copy with a tokenizer_config.json, by which transformers takes tokenizer.json as it is."""
    shutil.copytree(source, out)
    words = {"pad_token": "<pad>", "unk_token": "<unk>", "bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>"}
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 24}
    disk.write_json(out / "tokenizer_config.json", words | said)
    return out
