"""Plans for the shapes that people ask about, on the chips that they have; from a configuration alone."""

from pathlib import Path

from benchmarks.memory import models
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training.plan import Job, Target, plan, shapes

ADAFACTOR = {"freeze_embeddings": True, "optimizer": "adafactor"}
JOBS = (
    *(("bge-small", {"batch_size": size}, 3, False) for size in (32, 256, 1024)),
    ("bge-base", {"batch_size": 256}, 2, False),
    ("e5-large-v2", {"batch_size": 256}, 2, False),
    ("XLM-R-large", {"batch_size": 256, **ADAFACTOR}, 2, False),
    ("XLM-R-large", {"batch_size": 256, "train": "lora"}, 2, False),
    ("Qwen3-Embedding-0.6B", {"batch_size": 256, "train": "lora"}, 2, False),
    ("Qwen3-Embedding-0.6B", {"batch_size": 256, "train": "lora"}, 2, True),
    ("GTE-Qwen2-7B", {"batch_size": 256, "train": "heads", "dense": 512}, 2, True),
)
"""Model, what differs from the defaults, texts a row, and whether its weights are of 4 bits."""
TARGETS = {"mlx": (Target("mlx", "metal"), "float16"), "torch": (Target("torch", "cuda"), "bfloat16")}
BUDGET, LENGTH = 8 * 10**9, 512


def plans() -> list[dict]:
    """A row a job and engine: the predicted peak and what it takes."""
    rows = []
    for model, changes, columns, quantized in JOBS:
        folder = shapes.of_config(ModelFolder(Path(model), models.config(model), max_seq_length=LENGTH))
        if quantized:
            folder = shapes.quantized(folder)
        for engine, (target, dtype) in TARGETS.items():
            made = plan(Job(Recipe(model=model, **changes), folder, target, dtype, LENGTH, columns), budget=BUDGET)
            words = ", ".join(f"{name} {value}" for name, value in changes.items())
            rows.append(
                {
                    "job": f"{model}, {words}" + (", 4 bits" if quantized else ""),
                    "engine": engine,
                    "planned": made.total,
                    "fits": made.fits,
                    "chunk_tokens": made.chunk_tokens,
                    "grad_cache": made.cached,
                    "checkpointing": made.checkpointing,
                    "parts": made.parts,
                }
            )
    return rows
