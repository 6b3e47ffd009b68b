"""Recipes' tables as text for the tests of what is wrong with them, and how a run refuses them."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import recipe as recipes
from mlx_metaembed.data import vector_key
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

ROWS = {
    "pairs.jsonl": lambda row: {"anchor": f"open {row}", "positive": f"{row} read"},
    "texts.jsonl": lambda row: {"text": f"open {row}"},
    "alike.jsonl": lambda row: {"sentence1": f"open {row}", "sentence2": f"{row} read", "score": 1},
    "far.jsonl": lambda row: {"sentence1": f"open {row}", "sentence2": f"{row} read", "score": row},
    "labelled.jsonl": lambda row: {"text": f"open {row}", "label": "ab"[row % 2]},
}
PAIRS = '[[data]]\nname = "pairs"\npath = "pairs.jsonl"\n'
TAUGHT = '[[data]]\nname = "texts"\npath = "texts.jsonl"\n[[objective]]\ndata = "texts"\nloss = "distillation"\n'
CLASSES = (
    '[[data]]\nname = "rows"\npath = "labelled.jsonl"\n'
    '[[objective]]\ndata = "rows"\nhead = "kinds"\nloss = "cross_entropy"\n'
)


def on(loss: str = "info_nce", more: str = "") -> str:
    return f'[[objective]]\ndata = "pairs"\nloss = "{loss}"\n{more}'


BOTH = on("distillation", 'texts = "anchor"\n') + on("distillation", 'name = "b"\ntexts = "positive"\n') + PAIRS


def head(kind: str, more: str = "", name: str = "other") -> str:
    return f'[[head]]\nname = "{name}"\ntype = "{kind}"\n{more}'


def teacher(path: str, more: str = "") -> str:
    return f'[[teacher]]\nname = "large"\npath = "{path}"\n{more}'


def written(folder: Path) -> Path:
    """The folder with a model, rows of each kind and teachers' arrays, right ones and wrong ones."""
    tiny_folder(folder / "model")
    for name, make in ROWS.items():
        (folder / name).write_text("".join(json.dumps(make(row)) + "\n" for row in range(8)))
    whole = np.ones((8, 32), np.float32)
    np.save(folder / "whole.npy", whole)
    np.save(folder / "short.npy", whole[1:])
    texts = [f"open {row}" for row in range(8)]
    (folder / "short.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[1:]))
    for name, own in {"turned": texts[::-1], "other": [*texts[:7], "another"]}.items():
        np.save(folder / f"{name}.npy", whole)
        vector_key.write(folder / f"{name}.npy.json", folder / f"{name}.npy", own, {})
    np.save(folder / "narrow.npy", whole[:, 1:])
    np.save(folder / "flat.npy", whole[0])
    np.save(folder / "numbers.npy", whole.astype(np.int64))
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(folder / "nan.npy", np.where(np.arange(8)[:, None] == 3, np.nan, whole))
    (folder / "text.npy").write_text("no array")
    return folder


def refused(work: Path, monkeypatch: pytest.MonkeyPatch, tables: str) -> str:
    """What a run of these tables is refused with, before anything is written."""
    monkeypatch.chdir(work)
    (work / "recipe.toml").write_text(tables)
    before = sorted(work.iterdir())
    with pytest.raises(CallError) as error:
        settings = {"model": "model", "out": "out", "engine": "mlx", "iters": 1, "batch_size": 4}
        train(Recipe(**settings | recipes.read("recipe.toml")), callbacks=[])
    assert sorted(work.iterdir()) == before
    return str(error.value)
