"""Teachers' vectors as targets: whose texts they are of, which objective takes which, one run whatever their file."""

import json
from pathlib import Path

import numpy as np
import pytest
from calls import run
from runs import metrics, weights_of

from mlx_metaembed.data import vector_key
from mlx_metaembed.data.rows import Rows
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable, TeacherTable
from mlx_metaembed.training import Callbacks, teachers, train
from mlx_metaembed.training.objective import Objective


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


TEXTS = [f"open {row}" for row in range(8)]
VECTORS = np.arange(16, dtype=np.float32).reshape(8, 2)


def array(folder: Path, name: str, vectors: np.ndarray = VECTORS, texts: list[str] | None = None) -> str:
    """The path of an array, with a key where texts are given."""
    path = folder / f"{name}.npy"
    np.save(path, vectors)
    if texts is not None:
        vector_key.write(vector_key.path_of(path), path, texts, {})
    return str(path)


def distil(name: str, *taught: str, role: str = "text") -> Objective:
    return Objective(name, "data", "dense", LOSSES["distillation"](), teachers=taught, texts=role)


def attached(texts: dict[str, list], tables: tuple[TeacherTable, ...], *objectives: Objective) -> tuple[dict, list]:
    """The targets of a data set's rows, and the notes."""
    notes: list[str] = []
    rows = {"data": Rows(texts, {})}
    found = teachers.attached(rows, Recipe(teachers=tables), objectives, {"dense": 2}, notes.append)
    return found["data"].targets, notes


def test_a_key_is_enough_and_without_one_a_note_says_what_is_not_known(tmp_path: Path):
    keyed, bare = array(tmp_path, "keyed", texts=TEXTS), array(tmp_path, "bare")
    found, notes = attached({"text": TEXTS}, (TeacherTable("a", keyed), TeacherTable("b", bare)), distil("x", "a", "b"))
    assert list(found) == ["teacher.text.a", "teacher.text.b"]
    np.testing.assert_array_equal(found["teacher.text.a"], VECTORS)
    assert notes == [
        f"teacher 'b': {bare} has no bare.npy.json, which metaembed embed writes; its rows are taken to be in the "
        "order of data 'data'"
    ]


def test_the_rows_of_named_texts_are_found_by_text(tmp_path: Path):
    (tmp_path / "texts.csv").write_text("body\n" + "".join(f"{text}\n" for text in TEXTS))
    table = TeacherTable("a", array(tmp_path, "a"), texts=str(tmp_path / "texts.csv"), columns="text=body")
    texts = {"anchor": ["open 3", "open 3", "open 0"], "positive": ["open 7", "open 1", "open 2"]}
    takers = distil("x", "a", role="anchor"), distil("y", "a", role="positive")
    found, notes = attached(texts, (table,), *takers)
    assert notes == []
    np.testing.assert_array_equal(found["teacher.anchor.a"][np.arange(3)], VECTORS[[3, 3, 0]])
    np.testing.assert_array_equal(found["teacher.positive.a"][1:], VECTORS[[1, 2]])
    assert len(found["teacher.anchor.a"]) == 3


def write(path: Path, rows: list[dict]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def recipe(tiny: Path, out: Path, **settings: object) -> Recipe:
    common = {"batch_size": 4, "iters": 2, "dtype": "float32", "learning_rate": 1e-3}
    return Recipe(model=str(tiny), out=str(out), **common | settings)


def test_each_objective_hears_its_own_teachers(engine_name: str, tiny: Path, tmp_path: Path):
    texts = write(tmp_path / "texts.jsonl", [{"text": text} for text in TEXTS])
    random = np.random.default_rng(1)
    near, far = (array(tmp_path, name, random.standard_normal((8, 32)), TEXTS) for name in ("near", "far"))
    both = (TeacherTable("near", near), TeacherTable("far", far))

    def losses(name: str, *objectives: ObjectiveTable) -> dict[str, float]:
        """The loss of each objective at the first step."""
        used = {each for table in objectives for each in table.asked_teachers} or {"near", "far"}
        settings = {"sources": (DataTable("texts", texts),), "teachers": tuple(t for t in both if t.name in used)}
        train(recipe(tiny, tmp_path / name, objectives=objectives, engine=engine_name, **settings), callbacks=[])
        first = metrics(tmp_path / name)[0]
        return {key: value for key, value in first.items() if key.startswith("loss/")}

    def table(name: str, teacher: str | tuple[str, ...] = ()) -> ObjectiveTable:
        return ObjectiveTable(name, "texts", "dense", "distillation", teacher=teacher)

    found = losses("all", table("a", "near"), table("b", ("far",)), table("c", ("near", "far")), table("d"))
    assert found["loss/c"] == pytest.approx((found["loss/a"] + found["loss/b"]) / 2, rel=1e-5)
    assert found["loss/d"] == found["loss/c"]
    assert abs(found["loss/a"] - found["loss/b"]) > 1e-3
    alone = losses("alone", table("a", "near"), table("b", "near"))
    assert alone["loss/b"] == alone["loss/a"] == found["loss/a"]


def test_a_teacher_of_one_data_set_teaches_no_other(engine_name: str, tiny: Path, tmp_path: Path):
    sets = {"one": TEXTS, "two": [*TEXTS[4:], "another"]}
    arrays = [array(tmp_path, name, np.ones((len(each), 32)), each) for name, each in sets.items()]
    sources = (write(tmp_path / f"{name}.jsonl", [{"text": text} for text in each]) for name, each in sets.items())
    settings = {
        "sources": tuple(DataTable(name, path) for name, path in zip(sets, sources, strict=True)),
        "teachers": tuple(TeacherTable(f"t{n}", path, n) for n, path in zip(sets, arrays, strict=True)),
        "objectives": tuple(ObjectiveTable(name, name, "dense", "distillation") for name in sets),
    }
    result = train(recipe(tiny, tmp_path / "out", engine=engine_name, **settings), callbacks=[])
    assert result.rows == 13


def test_pairs_are_distilled_by_role_beside_another_loss(engine_name: str, tiny: Path, tmp_path: Path):
    rows = [{"anchor": f"open {row}", "positive": f"{row} read"} for row in range(8)]
    pairs = write(tmp_path / "pairs.jsonl", rows)
    for role in ("anchor", "positive"):
        run(
            *("embed", tiny, "--input", pairs, "--columns", f"text={role}", "--output", tmp_path / f"{role}.npy"),
            *("--engine", engine_name),
        )
    notes: list[str] = []
    objectives = (
        ObjectiveTable("ranking", "pairs", "dense", "info_nce", 0.0),
        *(
            ObjectiveTable(role, "pairs", "dense", "distillation", teacher=role, texts=role)
            for role in ("anchor", "positive")
        ),
    )
    settings = {
        "sources": (DataTable("pairs", pairs),),
        "teachers": tuple(TeacherTable(role, str(tmp_path / f"{role}.npy")) for role in ("anchor", "positive")),
        "engine": engine_name,
    }
    train(recipe(tiny, tmp_path / "out", objectives=objectives, **settings), callbacks=[Callbacks(note=notes.append)])
    first = metrics(tmp_path / "out")[0]
    # The model is its own teacher: each text is compared with its own vector, the anchor's with the anchor's.
    assert first["loss/anchor"] == pytest.approx(0, abs=1e-5)
    assert first["loss/positive"] == pytest.approx(0, abs=1e-5)
    assert first["loss/ranking"] > 0.1
    assert not [note for note in notes if note.startswith("teacher")]


def test_texts_of_one_role_alone_leave_the_other_out(tiny: Path, tmp_path: Path):
    rows = [{"anchor": f"open {row}", "positive": f"{row} read"} for row in range(8)]
    settings = {
        "sources": (DataTable("pairs", write(tmp_path / "pairs.jsonl", rows)),),
        "teachers": (TeacherTable("a", array(tmp_path, "a", np.ones((8, 32)), [row["anchor"] for row in rows])),),
        "objectives": (ObjectiveTable("", "pairs", "dense", "distillation", texts="anchor"),),
    }
    seen: list[int] = []
    told = Callbacks(prepared=lambda what, done, count: seen.append(count))
    train(recipe(tiny, tmp_path / "out", engine="mlx", **settings), callbacks=[told])
    assert set(seen) == {8}
