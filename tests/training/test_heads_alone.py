"""Every head trained alone: it is loaded, exported and chosen alone; a masked-language-model head keeps its names."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from runs import weights_of
from states import GOLDEN
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.files import safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import train

ROWS: dict[str, Callable[[int], dict]] = {
    "pairs": lambda row: {"anchor": f"open a socket {row}", "positive": f"walk {row} folders"},
    "rated": lambda row: {"text": f"open {row} paths", "score": row / 16},
    "labelled": lambda row: {"text": f"sort {row} lines", "label": ("red", "green")[row % 2]},
}
ALONE = {
    "dense": ({"features": 16}, "pairs", "info_nce"),
    "fsq": ({"levels": "4x8"}, "pairs", "info_nce"),
    "rvq": ({"levels": "8x4"}, "pairs", "info_nce"),
    "lexical": ({}, "pairs", "info_nce"),
    "multi_vector": ({"features": 16}, "pairs", "info_nce"),
    "splade": ({}, "pairs", "info_nce"),
    "regression": ({}, "rated", "mse"),
    "classification": ({}, "labelled", "cross_entropy"),
}
"""A type's keys, what it trains on, and by which loss."""
SHAPES = {"dense": (6, 16), "fsq": (6, 8), "rvq": (6, 32), "regression": (6, 1), "classification": (6, 2)}


def run(kind: str, model: Path, work: Path, out: str, **settings: object) -> Path:
    """The folder of two steps in which a head of a type trains alone."""
    own, data, loss = ALONE[kind]
    path = work / f"{data}.jsonl"
    path.write_text("".join(json.dumps(ROWS[data](row)) + "\n" for row in range(16)))
    name = kind if kind in ("dense", "splade") else "own"
    common = {
        "sources": (DataTable("rows", str(path)),),
        "heads": (HeadTable(name, kind, own),),
        "objectives": (ObjectiveTable("", "rows", name, loss),),
        "batch_size": 8,
        "iters": 2,
        "learning_rate": 1e-3,
        "dtype": "float32",
    }
    train(Recipe(model=str(model), out=str(work / out), **common | settings), callbacks=[])
    return work / out


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT with its masked-language-model head, whose decoder is the word embedding, used for vectors."""
    return with_mlm(tmp_path_factory.mktemp("models") / "masked")


def with_mlm(path: Path) -> Path:
    shutil.copytree(GOLDEN / "splade_bert", path)
    (path / "modules.json").unlink()
    return path


@pytest.mark.parametrize("trains", ["full", "heads"])
@pytest.mark.parametrize("kind", ALONE)
def test_a_head_alone(engine_name: str, tiny: Path, masked: Path, tmp_path: Path, kind: str, trains: str):
    model = masked if kind == "splade" else tiny
    out = run(kind, model, tmp_path, "out", engine=engine_name, train=trains)
    exported = export(folders.read(out), tmp_path / "exported").path
    before, after = weights_of(model), weights_of(out)
    trunk = [name for name in before if name.startswith("model.safetensors:") and "cls." not in name]
    assert trunk
    still = all(np.array_equal(after[name], before[name]) for name in trunk)
    assert still == (trains == "heads")
    given = []
    for path in (out, exported):
        loaded = load(path, engine=engine_name, dtype="float32")
        name = {"dense": "dense", "splade": "splade"}.get(kind, "own")
        assert list(loaded.heads) == ([] if kind == "dense" else [name])
        found = loaded.encode(TEXTS, heads=[name])
        assert list(found) == [name]
        if kind in SHAPES:
            assert found[name].shape == SHAPES[kind]
        given.append(found[name])
    flat = {"splade": lambda each: each.weights, "lexical": lambda each: each.weights, "multi_vector": np.concatenate}
    values = [flat.get(kind, np.asarray)(each) for each in given]
    np.testing.assert_allclose(*values, atol=1e-6)
    # The others are as they were: no head but this one is in the folder.
    stored = {name.partition(":")[2].partition(".")[0] for name in after if name.startswith("heads.safetensors:")}
    assert stored == (set() if kind in ("dense", "splade") else {"own"})


@pytest.mark.parametrize("untied", [False, True], ids=["tied", "untied"])
def test_a_trained_splade_head_lies_under_its_own_names(engine_name: str, tmp_path: Path, untied: bool):
    model = with_mlm(tmp_path / "model")
    if untied:
        config = json.loads((model / "config.json").read_text())
        (model / "config.json").write_text(json.dumps(config | {"tie_word_embeddings": False}))
        arrays = safetensors.read(model / "model.safetensors")
        words = next(array for name, array in arrays.items() if name.endswith("word_embeddings.weight"))
        bias = next(array for name, array in arrays.items() if name.endswith("predictions.bias"))
        own = {"cls.predictions.decoder.weight": words * 0.9, "cls.predictions.decoder.bias": bias}
        safetensors.write(model / "model.safetensors", arrays | own)
    out = run("splade", model, tmp_path, "out", engine=engine_name, train="heads", head_learning_rate=1e-2)
    before, after = (safetensors.read(path / "model.safetensors") for path in (model, out))
    head = {name for name in after if name.startswith("cls.")}
    transform = {f"cls.predictions.transform.{part}" for part in ("dense.weight", "dense.bias")}
    transform |= {f"cls.predictions.transform.LayerNorm.{part}" for part in ("weight", "bias")}
    decoder = {"cls.predictions.decoder.weight", "cls.predictions.decoder.bias"} if untied else set()
    assert head == transform | decoder | {"cls.predictions.bias"}
    for name in head - {"cls.predictions.bias"}:
        assert np.abs(after[name] - before[name]).max() > 1e-4, name
    if untied:
        np.testing.assert_array_equal(after["cls.predictions.bias"], after["cls.predictions.decoder.bias"])
    for name in set(after) - head:
        np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    first, second = (load(path, engine=engine_name, dtype="float32").encode_sparse(TEXTS) for path in (model, out))
    assert first.weights.shape != second.weights.shape or np.abs(first.weights - second.weights).max() > 1e-3
    # It trains on from there.
    again = run("splade", out, tmp_path, "again", engine=engine_name, train="heads")
    assert safetensors.read(again / "model.safetensors").keys() == after.keys()


@pytest.mark.parametrize("trains", ["lora", "dora"])
def test_an_adapter_has_no_place_for_a_splade_head(masked: Path, tmp_path: Path, trains: str):
    none = "an adapter, which has no place for the head 'splade'"
    with pytest.raises(CallError, match=f"train = '{trains}' leaves {none}"):
        run("splade", masked, tmp_path, "out", engine="mlx", train=trains)
    assert not (tmp_path / "out").exists()
    adapter = run("lexical", masked, tmp_path, "adapter", engine="mlx", train=trains)
    with pytest.raises(CallError, match=rf"is {none}.* Fuse it first"):
        run("splade", adapter, tmp_path, "out", engine="mlx", train="heads")
    assert not (tmp_path / "out").exists()
