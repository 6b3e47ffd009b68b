"""Products' names as their owners write them."""

import re

NAMES = {
    "mlx": "MLX",
    "torch": "PyTorch",
    "pytorch": "PyTorch",
    "cpu": "CPU",
    "gpu": "GPU",
    "cuda": "CUDA",
    "nvidia": "NVIDIA",
    "numpy": "NumPy",
    "macos": "macOS",
    "darwin": "macOS",
    "peft": "PEFT",
    "lora": "LoRA",
    "dora": "DoRA",
    "qlora": "QLoRA",
    "onnx": "ONNX",
    "hugging face": "Hugging Face",
    "huggingface": "Hugging Face",
    "usearch": "USearch",
    "fsq": "FSQ",
    "rvq": "RVQ",
    "infonce": "InfoNCE",
    "info_nce": "InfoNCE",
    "adamw": "AdamW",
    "adamw_8bit": "8-bit AdamW",
    "pylate": "PyLate",
}
"""sentence-transformers, transformers, mlx-lm, mlx-embeddings and tokenizers are written small by their owners."""

_WORDS = re.compile(
    r"(?<![\w./-])(" + "|".join(sorted(map(re.escape, NAMES), key=len, reverse=True)) + r")(?![\w/-])", re.I
)


def product(text: str) -> str:
    """A text with the names in it as their owners write them; parts of longer names, like mlx-lm, stay."""
    return _WORDS.sub(lambda found: NAMES[found[0].lower()], text)
