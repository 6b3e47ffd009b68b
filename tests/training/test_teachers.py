"""Teachers' vectors as targets: one run, whatever floats their file has."""

from pathlib import Path

import numpy as np
import pytest
from runs import weights_of

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import train


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_a_file_of_any_floats_teaches_the_same(engine_name: str, tiny: Path, tmp_path: Path, dtype: str):
    # Numbers that float16 holds exactly.
    vectors = np.random.default_rng(0).integers(-8, 9, (12, 32)).astype(np.float32) / 8
    (tmp_path / "texts.jsonl").write_text("".join(f'{{"text": "open {row}"}}\n' for row in range(12)))
    ends = []
    for name in ("float32", dtype):
        np.save(tmp_path / "teacher.npy", vectors.astype(name))
        recipe = Recipe(
            model=str(tiny),
            out=str(tmp_path / name.strip(">")),
            sources=(DataTable("texts", str(tmp_path / "texts.jsonl")),),
            teachers=(TeacherTable("large", str(tmp_path / "teacher.npy")),),
            objectives=(ObjectiveTable("", "texts", "dense", "distillation", matryoshka=(32, 8)),),
            batch_size=6,
            iters=2,
            dtype="float32",
            engine=engine_name,
        )
        train(recipe, callbacks=[])
        ends.append(weights_of(Path(recipe.out)))
    first, second = ends
    assert first.keys() == second.keys()
    assert all(np.array_equal(second[name], each) for name, each in first.items())
