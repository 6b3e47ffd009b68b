"""The short form of a recipe as tables, and tables as text: one run, whatever it is written as."""

from dataclasses import replace
from pathlib import Path

import pytest
from calls import call

from mlx_metaembed import recipe as recipes
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable, TeacherTable
from mlx_metaembed.recipe.toml import text
from mlx_metaembed.training import train

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "recipes").glob("*.toml"))
SHORT = {
    "pairs": {"matryoshka": (32, 8), "matryoshka_weights": (1.0, 0.5), "fsq": "4x8", "fsq_weight": 0.25},
    "dense": {"dense": 16, "temperature": 0.1, "columns": "anchor=a,positive=b"},
    "triplet": {"loss": "triplet", "margin": 0.3, "soft_margin": True},
    "classes": {"loss": "cross_entropy", "distill_from_base": 0.5},
}


@pytest.mark.parametrize("settings", SHORT.values(), ids=SHORT)
def test_the_long_form_of_a_long_form_is_itself(settings: dict):
    once = long_form(Recipe(model="m", data="pairs.jsonl", out="out", **settings))
    assert once.data == "" and once.sources and once.objectives
    assert long_form(once) == once


def test_the_short_form_as_tables():
    found = long_form(
        Recipe(model="m", data="p.jsonl", out="out", temperature=0.1, dense=16, **SHORT["pairs"]), ["own"]
    )
    assert found.sources == (DataTable("data", "p.jsonl"),)
    assert found.heads == (HeadTable("dense", "dense", {"features": 16}), HeadTable("codes", "fsq", {"levels": "4x8"}))
    settings = {"temperature": 0.1}
    vectors = ObjectiveTable("dense", "data", "dense", "info_nce", 1.0, (32, 8), (1.0, 0.5), settings)
    codes = [ObjectiveTable(name, "data", name, "info_nce", 0.25, settings=settings) for name in ("own", "codes")]
    assert found.objectives == (vectors, *codes)


def test_distilling_from_the_base_as_tables():
    found = long_form(Recipe(model="m", data="p.jsonl", out="out", distill_from_base=0.5))
    assert found.teachers == (TeacherTable("base", model="m"),) and found.distill_from_base == 0
    assert found.objectives[1:] == tuple(
        ObjectiveTable(f"base_{role}", "data", "dense", "distillation", 0.25, teacher="base", texts=role)
        for role in ("anchor", "positive")
    )
    scored = long_form(Recipe(data="p.jsonl", loss="cosent", distill_from_base=0.5)).objectives
    assert [each.texts for each in scored[1:]] == ["sentence1", "sentence2"]
    labelled = long_form(Recipe(data="p.jsonl", loss="cross_entropy", distill_from_base=0.5)).objectives
    assert [(each.texts, each.weight) for each in labelled[1:]] == [("text", 0.5)]


def test_who_takes_every_teacher_takes_those_of_its_data_and_no_base():
    given = Recipe(
        model="m",
        out="out",
        sources=(DataTable("a", "a.jsonl"), DataTable("b", "b.jsonl")),
        teachers=(TeacherTable("one", "1.npy", data="a"), TeacherTable("two", "2.npy", data="b")),
        objectives=(
            ObjectiveTable("near", "a", "dense", "distillation", teacher="base", texts="anchor"),
            ObjectiveTable("taught", "b", "dense", "distillation"),
        ),
    )
    found = long_form(given)
    assert [each.teacher for each in found.objectives] == ["base", ("two",)]
    assert found.teachers[-1] == TeacherTable("base", model="m")


LEFT_OUT = {
    "info_nce": ((), "dense"),
    "cross_entropy": (("classification",), "classification"),
    "flops": (("lexical", "regression"), "lexical"),
    "self_distillation": (("multi_vector", "lexical"), ("dense", "lexical", "multi_vector")),
    # The vectors come first where a loss takes them.
    "mse": (("regression",), "dense"),
}


@pytest.mark.parametrize("loss", LEFT_OUT)
def test_what_one_set_and_one_head_leave_out(loss: str):
    kinds, head = LEFT_OUT[loss]
    given = Recipe(
        sources=(DataTable(path="p.jsonl"),),
        heads=tuple(HeadTable(kind, kind) for kind in kinds),
        objectives=(ObjectiveTable(loss=loss),),
    )
    found = long_form(given)
    assert found.sources == (DataTable("data", "p.jsonl"),)
    assert found.objectives == (ObjectiveTable("", "data", head, loss),)


def test_a_table_says_whether_one_row_a_batch_has_negatives():
    tables = {"sources": (DataTable("a", "p.jsonl"),), "objectives": (ObjectiveTable(loss="triplet"),)}
    assert Recipe(batch_size=1, **tables).batch_size == 1


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_shown_recipe_is_the_run_and_writes_nothing(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture, path: Path
):
    monkeypatch.chdir(tmp_path)
    status, stdout, stderr = call(capsys, "train", path, "--model", tiny, "--show-recipe")
    assert (status, stderr) == (0, "")
    assert not list(tmp_path.iterdir())
    (tmp_path / "shown.toml").write_text(stdout)
    shown = Recipe(**recipes.read(tmp_path / "shown.toml"))
    given = replace(Recipe(**recipes.read(path)), model=str(tiny))
    assert shown == long_form(given)
    assert text(shown) == stdout


def test_a_shown_recipe_has_the_models_own_code_head(
    tiny: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    train(Recipe(model=str(tiny), data=str(pairs), out=str(tmp_path / "out"), fsq="4x8", engine="mlx", iters=1))
    capsys.readouterr()
    given = ("--model", tmp_path / "out", "--data", pairs, "--out", "next")
    (tmp_path / "shown.toml").write_text(call(capsys, "train", *given, "--show-recipe")[1])
    shown = Recipe(**recipes.read(tmp_path / "shown.toml"))
    assert [(each.name, each.head) for each in shown.objectives] == [("dense", "dense"), ("codes", "codes")]
