"""Guides and teachers that are models: their own tokenizer and prompts, made once, the same as stored vectors."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from calls import run
from runs import metrics, weights_of
from tiny import TEXTS, tiny_folder
from tokenizers import Tokenizer, models, pre_tokenizers

from mlx_metaembed import folder as folders
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, StoppedError
from mlx_metaembed.files import safetensors
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import Callbacks, teacher_model, teachers, train
from mlx_metaembed.training.objective import Objective
from mlx_metaembed.training.plan import Job, Target
from mlx_metaembed.training.plan.parts import estimate


@pytest.fixture
def guide(tmp_path: Path) -> Path:
    """A model of 16 features whose tokenizer knows letters alone, and which has prompts."""
    config = {"hidden_size": 16, "intermediate_size": 32}
    path = tiny_folder(tmp_path / "guide", seed=3, config=config, prompts={"query": "ask ", "document": "say "})
    letters = Tokenizer(models.WordLevel({"[UNK]": 1, **{x: at for at, x in enumerate("abcdefghijklmno", 4)}}, "[UNK]"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    letters.save(str(path / "tokenizer.json"))
    return path


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    """Rows with no, one or two negatives."""
    random, words = np.random.default_rng(7), " ".join(TEXTS).split()

    def text(row: int) -> str:
        return " ".join(random.choice(words, 2 + row % 5)) + f" {row}"

    path = tmp_path / "triplets.jsonl"
    rows = [{"anchor": text(n), "positive": text(n), "negatives": [text(i) for i in range(n % 3)]} for n in range(16)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def recipe(tiny: Path, out: Path, engine: str, **settings: object) -> Recipe:
    common = {"batch_size": 8, "iters": 3, "dtype": "float32", "learning_rate": 1e-3, "engine": engine}
    return Recipe(model=str(tiny), out=str(out), **common | settings)


def same(one: Path, other: Path) -> None:
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, each in first.items():
        np.testing.assert_array_equal(second[name], each, err_msg=name)


def test_a_guide_reads_texts_with_its_own_tokenizer_and_prompts(
    engine_name: str, tiny: Path, guide: Path, tmp_path: Path
):
    texts = {"anchor": ["abc", "open"], "positive": ["open", "no"], "negative": [("abc",), ("a", "no")]}
    objective = Objective("x", "data", "dense", LOSSES["gist"](), teachers=("g",))
    rows = {"data": Rows(texts, {})}
    asked = Recipe(teachers=(TeacherTable("g", model=str(guide)),))
    found = teachers.attached(rows, asked, [objective], {"dense": 32})
    (model,) = teacher_model.models(found)
    # An anchor is a query, the others are documents: "open" is read with both prompts, the rest once each.
    assert len(model) == 2 + 2 + 2
    heard: list[int] = []
    model.make(tmp_path, engine_name, heard.append, heard.append)
    targets, itself = found["data"].targets, load(guide, engine=engine_name)
    chosen = np.array([1, 0])
    for role, side in (("anchor", "query"), ("positive", "document")):
        own = itself.encode([texts[role][at] for at in chosen], prompt_name=side)
        np.testing.assert_allclose(targets[f"teacher.{role}.g"][chosen], own, atol=1e-6)
    negatives = targets["teacher.negative.g"][np.array([1])]
    assert negatives.shape == (1, 2, 16)
    np.testing.assert_allclose(negatives[0], itself.encode_document(["a", "no"]), atol=1e-6)
    assert sum(heard) == 6


def test_a_model_guides_as_its_stored_vectors_do(
    engine_name: str, tiny: Path, guide: Path, triplets: Path, tmp_path: Path
):
    """The short form with a model, and the long form with an array of all texts, found by text."""
    bare = json.loads((guide / "config_sentence_transformers.json").read_text()) | {"prompts": {}}
    (guide / "config_sentence_transformers.json").write_text(json.dumps(bare))
    rows = [json.loads(line) for line in triplets.read_text().splitlines()]
    texts = sorted({text for row in rows for text in (row["anchor"], row["positive"], *row["negatives"])})
    (tmp_path / "all.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    run("embed", guide, "--input", tmp_path / "all.jsonl", "--output", tmp_path / "guide.npy", "--engine", engine_name)
    short = recipe(
        tiny, tmp_path / "short", engine_name, data=str(triplets), loss="gist", guide=str(guide), margin=0.05
    )
    train(short, callbacks=[])
    stored = TeacherTable("all", str(tmp_path / "guide.npy"), texts=str(tmp_path / "all.jsonl"))
    long = recipe(
        tiny,
        tmp_path / "long",
        engine_name,
        sources=(DataTable("data", str(triplets)),),
        teachers=(stored,),
        objectives=(ObjectiveTable("", "data", "dense", "gist", settings={"margin": 0.05}, guide="all"),),
    )
    train(long, callbacks=[])
    same(tmp_path / "short", tmp_path / "long")
    assert not list((tmp_path / "short").glob("taught-*"))
    held = replace(short, out=str(tmp_path / "cached"), grad_cache="on", chunk_tokens=32)
    train(held, callbacks=[])
    ends = [metrics(tmp_path / name)[-1]["loss"] for name in ("short", "cached")]
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


def test_a_stopped_run_goes_on_with_the_vectors_that_it_made(
    engine_name: str, tiny: Path, guide: Path, triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = {"data": str(triplets), "loss": "gist", "guide": str(guide), "save_every": 1}
    whole = recipe(tiny, tmp_path / "whole", engine_name, **settings)
    train(whole, callbacks=[])
    cut = replace(whole, out=str(tmp_path / "cut"))
    with pytest.raises(StoppedError):
        train(cut, callbacks=[Callbacks(stopped=lambda: True)])
    (kept,) = (tmp_path / "cut").glob("taught-*")
    assert np.load(kept / "vectors.npy").shape[1] == 16

    weights = guide / "model.safetensors"
    before = weights.read_bytes()
    safetensors.write(weights, {name: array + 1 for name, array in safetensors.read(weights).items()})
    with pytest.raises(CallError, match=r"guide or the tokenizer has changed since .* was written"):
        train(cut, resume=True, callbacks=[])
    weights.write_bytes(before)

    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("the guide was loaded again")

    monkeypatch.setattr(teacher_model, "Embedder", refuse)
    train(cut, resume=True, callbacks=[])
    same(tmp_path / "whole", tmp_path / "cut")
    assert not kept.exists()


def test_a_frozen_trunk_is_guided_too(engine_name: str, tiny: Path, guide: Path, triplets: Path, tmp_path: Path):
    settings = {"data": str(triplets), "loss": "gist", "guide": str(guide), "train": "heads", "dense": 8}
    result = train(recipe(tiny, tmp_path / "out", engine_name, **settings), callbacks=[])
    assert np.isfinite(result.loss) and result.loss > 0


def test_who_takes_every_teacher_takes_no_guide(tiny: Path):
    both = Recipe(
        sources=(DataTable("pairs", "p.jsonl"),),
        teachers=(TeacherTable("large", "large.npy"),),
        objectives=(
            ObjectiveTable("a", "pairs", "dense", "gist", guide="small-model"),
            ObjectiveTable("b", "pairs", "dense", "distillation", texts="anchor"),
            ObjectiveTable("c", "pairs", "dense", "gist", guide="large"),
            ObjectiveTable("d", "pairs", "dense", "gist", guide="other.npy"),
        ),
    )
    from mlx_metaembed.recipe.long_form import long_form

    found = long_form(both)
    assert [table.teacher for table in found.objectives] == ["guide", ("large",), "large", "guide_2"]
    assert found.teachers[1:] == (TeacherTable("guide", model="small-model"), TeacherTable("guide_2", "other.npy"))
    assert long_form(found) == found


def test_a_model_that_can_not_teach_is_named(tiny: Path, pairs: Path, tmp_path: Path):
    (tmp_path / "texts.jsonl").write_text("".join(f'{{"text": "open {row}"}}\n' for row in range(8)))
    narrow = tiny_folder(tmp_path / "narrow", config={"hidden_size": 16, "intermediate_size": 32})
    wrong = recipe(
        tiny,
        tmp_path / "out",
        "mlx",
        sources=(DataTable("texts", str(tmp_path / "texts.jsonl")),),
        teachers=(
            TeacherTable("small", model=str(narrow)),
            TeacherTable("none", model=str(tmp_path / "nowhere")),
            TeacherTable("file", str(tmp_path / "none.npy")),
        ),
        objectives=(ObjectiveTable("", "texts", "dense", "distillation"),),
    )
    with pytest.raises(CallError) as error:
        train(wrong, callbacks=[])
    said = str(error.value)
    assert f"{narrow} has vectors of 16 features, and the model's vectors have 32" in said
    assert "teacher 'none': " in said and f"teacher 'file': there is no file {tmp_path / 'none.npy'}" in said
    assert not (tmp_path / "out").exists()
    little = recipe(tiny, tmp_path / "out", "mlx", data=str(pairs), loss="gist", guide=str(narrow), memory="1KB")
    with pytest.raises(
        CallError, match=r"teacher 'guide': .* of weights, and memory is 1.00 KB; embed the texts before"
    ):
        train(little, callbacks=[])


def test_a_plan_counts_what_the_guide_gives(tiny: Path, guide: Path, tmp_path: Path):
    def loss(**own: object) -> int:
        given = Recipe(model=str(tiny), batch_size=8, data="p.jsonl", loss="gist", **own)
        return estimate(Job(given, folders.read(tiny), Target("mlx", "cpu"), "float32", length=16, columns=3)).loss

    # 8 anchors and 16 documents, 16 features each, as they come and of length 1; nothing where no model is there yet.
    assert loss(guide=str(guide)) - loss(guide=str(tmp_path / "later")) == 2 * 4 * (8 + 16) * 16
    np.save(tmp_path / "guide.npy", np.ones((2, 5), np.float32))
    assert loss(guide=str(tmp_path / "guide.npy")) - loss() == 2 * 4 * (8 + 16) * 5
