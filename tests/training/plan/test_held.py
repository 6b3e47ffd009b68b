"""What a run holds beside its plan: what MLX counts, and what torch allocates."""

import json
from pathlib import Path

import numpy as np
import pytest
from three_heads import M3
from tiny import tiny_folder

from benchmarks.memory.counted import counted
from benchmarks.memory.creep import creep
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import Callbacks, train
from mlx_metaembed.training.plan import Target

MIDDLING = {
    "vocab_size": 2000,
    "hidden_size": 128,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "intermediate_size": 512,
    "max_position_embeddings": 64,
}
RECIPES = {
    # Where chunks set the peak, the batch is of a few.
    "gradcache": {"grad_cache": "on", "chunk_tokens": 1024},
    "plain": {"grad_cache": "off", "batch_size": 48},
    "checkpointing": {"grad_cache": "on", "chunk_tokens": 512, "checkpointing": "on"},
    "lora": {"grad_cache": "on", "chunk_tokens": 512, "train": "lora"},
    "three_heads": {"grad_cache": "on", "chunk_tokens": 512, "batch_size": 64} | M3,
    "three_heads_plain": {"grad_cache": "off", "batch_size": 24} | M3,
    "adafactor": {
        "grad_cache": "on",
        "chunk_tokens": 64,
        "optimizer": "adafactor",
        "freeze_embeddings": True,
        "batch_size": 8,
    },
}

LARGER = {"three_heads": {"batch_size": 96}}
"""On torch what heads give is then more of the plan than the tolerance."""


def middling(engine_name: str, where: Path, settings: dict) -> Recipe:
    """Two steps of a BERT of six layers on texts that fill it."""
    path = tiny_folder(where / "middling", config=MIDDLING, max_seq_length=64)
    words = json.loads((path / "tokenizer.json").read_text())["model"]["vocab"]
    random, data = np.random.default_rng(0), where / "long.jsonl"
    texts = [" ".join(random.choice([word for word in words if word.isalpha()], 62)) for _ in range(384)]
    rows = [{"anchor": one, "positive": other} for one, other in zip(texts[::2], texts[1::2], strict=True)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = {"model": str(path), "data": str(data), "out": str(where / "out"), "engine": engine_name}
    return Recipe(**common | {"batch_size": 24, "iters": 2, "optimizer": "adamw"} | settings)


@pytest.mark.parametrize("settings", RECIPES)
def test_a_run_on_mlx_holds_what_was_planned(mlx_engine: str, tmp_path: Path, settings: str):
    result = train(middling(mlx_engine, tmp_path, RECIPES[settings]), callbacks=[Callbacks()])
    assert result.peak_memory_bytes <= result.memory_bytes
    # On an idle machine within 15 %; on a busy one MLX lets go of arrays while it waits for its processor.
    assert 0.75 < result.peak_memory_bytes / result.planned_memory_bytes < 1.15


@pytest.mark.parametrize("settings", RECIPES)
def test_a_run_on_torch_holds_what_was_planned(torch_engine: str, tmp_path: Path, settings: str):
    recipe, results = middling(torch_engine, tmp_path, RECIPES[settings] | LARGER.get(settings, {})), []
    held = counted(torch_engine, lambda: results.append(train(recipe, callbacks=[Callbacks()])))
    # The rest of the process is not counted.
    planned = results[0].planned_memory_bytes - Target.of("torch", results[0].device).process
    assert held == pytest.approx(planned, rel=0.15)


def test_long_runs_do_not_creep(mlx_engine: str):
    found = creep(mlx_engine, 200)
    # The allocator's cache, kept to a share of the budget instead of the plan, grew by 27 MB here.
    assert found["last_tenth"] - found["second_tenth"] < 12e6
