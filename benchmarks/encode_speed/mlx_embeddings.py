"""Encoding tokens a second, mlx-embeddings as its README has it, 32 texts a batch in the order given.

The same BLAS as this kit's: whoever imports mlx first decides which one a process has. `batch_encode_plus` of the
README is gone from transformers 5; calling the tokenizer does the same.
"""

from pathlib import Path

from mlx_metaembed.on_mlx import blas

FOUND_BLAS = blas.preload()

import mlx.core as mx  # noqa: E402
import numpy as np  # noqa: E402
from mlx_embeddings.utils import load  # noqa: E402

from benchmarks import program, rows  # noqa: E402
from benchmarks.encode_speed import BATCH, LENGTH  # noqa: E402
from benchmarks.encode_speed.texts import measure  # noqa: E402

given = program.settings(rows=str, vectors=str, texts=256)
model, tokenizer = load(str(rows.model()))


def encode(texts: list[str]) -> np.ndarray:
    """Vectors float32 [texts, D], each batch padded to its longest text."""
    parts = []
    for first in range(0, len(texts), BATCH):
        batch = texts[first : first + BATCH]
        inputs = tokenizer(batch, return_tensors="mlx", padding=True, truncation=True, max_length=LENGTH)
        parts.append(np.array(model(inputs["input_ids"], attention_mask=inputs["attention_mask"]).text_embeds))
    return np.concatenate(parts)


measure(
    encode,
    path=given.rows,
    count=given.texts,
    vectors=given.vectors,
    device=str(mx.default_device()),
    blas=Path(FOUND_BLAS).name if FOUND_BLAS else None,
)
