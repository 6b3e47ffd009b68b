"""One run, written in the short form or as tables: it keeps tables, measures and shows the same, and goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from calls import call
from runs import final, recipe, stop_after

from mlx_metaembed import recipe as recipes
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.short_form import own_heads, short_form
from mlx_metaembed.recipe.tables import DataTable
from mlx_metaembed.training import train

SETTINGS = "metaembed/recipe.toml"


@pytest.fixture
def held_out(tmp_path: Path) -> Path:
    path = tmp_path / "held-out.csv"
    path.write_text("sentence1,sentence2,score\n" + "".join(f"close a file,join {row},{row}\n" for row in range(9)))
    return path


def shown(out: Path) -> list[str]:
    """The card and the page, but for the run's name and its times."""
    rows = (out / "README.md").read_text().replace(out.name, "run").splitlines()
    page = (out / "report.html").read_text()
    return [*rows, *(part for part in page.split("<dt>") if part.startswith(("Widths", "Code head", "Data")))]


def test_both_forms_keep_measure_and_show_the_same(
    tiny: Path, pairs: Path, held_out: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    short = recipe(tiny, pairs, tmp_path / "short", matryoshka=(8, 4), iters=2, epochs=None, eval_data=str(held_out))
    tables = replace(long_form(short), out=str(tmp_path / "tables"))
    one, other = train(short), train(tables)
    assert (one.start, one.best_metric) == (other.start, other.best_metric)
    capsys.readouterr()
    asked = ("--data", held_out, "--dims", "8,32", "--engine", "mlx", "--json")
    narrow, whole = (row["spearman"] for row in json.loads(call(capsys, "eval", tiny, *asked)[1])["rows"][:2])
    assert one.start == pytest.approx(narrow) and one.start != pytest.approx(whole)
    kept = [Recipe(**recipes.read(tmp_path / name / SETTINGS)) for name in ("short", "tables")]
    assert kept[0].data == "" and kept[0] == replace(kept[1], out=kept[0].out)
    assert [each.matryoshka for each in kept[0].objectives] == [(8, 4), ()]
    assert shown(tmp_path / "short") == shown(tmp_path / "tables")
    assert {"| Widths | 8, 4 |", "| Code head | `codes`, FSQ 4x8 |"} <= set(shown(tmp_path / "short"))
    # Tables of other names, which no setting says.
    named = replace(tables, sources=(DataTable("mine", str(pairs)),), out=str(tmp_path / "named"))
    named = replace(named, objectives=tuple(replace(each, data="mine") for each in named.objectives))
    assert train(named).best_metric == one.best_metric
    assert {"| Widths | 8, 4 |", f"| Data | {pairs.name}, {one.rows} rows |"} <= set(shown(tmp_path / "named"))


def test_a_stopped_run_goes_on_in_either_form(tiny: Path, pairs: Path, tmp_path: Path):
    whole = recipe(tiny, pairs, tmp_path / "whole", iters=3, epochs=None, save_every=1, dense=16, matryoshka=(16, 8))
    train(whole)
    for name, form in {"short": lambda given: given, "tables": long_form, "old": lambda given: given}.items():
        given = replace(whole, out=str(tmp_path / name))
        with pytest.raises(JobError):
            train(given, callbacks=[stop_after(1)])
        if name == "old":
            # Runs kept the short form once.
            begun = Recipe(**recipes.read(tmp_path / name / SETTINGS))
            recipes.write(short_form(begun, own_heads(begun)), tmp_path / name / SETTINGS)
            assert (tmp_path / name / SETTINGS).read_text().count("[[") == 0
        with pytest.raises(CallError, match=r"; temperature would change it\."):
            train(replace(given, temperature=0.5), resume=True)
        train(form(given), resume=True)
        expected, found = final(tmp_path / "whole"), final(tmp_path / name)
        assert found.keys() == expected.keys()
        assert all((found[each] == array).all() for each, array in expected.items())


def test_labels_that_the_data_gave_are_no_change(engine_name: str, tiny: Path, tmp_path: Path):
    data = tmp_path / "labelled.jsonl"
    rows = [{"text": f"open socket {row}", "label": "abc"[row % 3]} for row in range(12)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {"loss": "cross_entropy", "batch_size": 4, "iters": 3, "engine": engine_name}
    given = Recipe(model=str(tiny), data=str(data), out=str(tmp_path / "out"), **settings)
    with pytest.raises(JobError):
        train(given, callbacks=[stop_after(1)])
    heads = Recipe(**recipes.read(tmp_path / "out" / SETTINGS)).heads
    assert [each.settings for each in heads] == [{"labels": ("a", "b", "c")}]
    assert train(given, resume=True).steps == 3
    assert disk.read_json(tmp_path / "out" / "metaembed" / "heads.json")


def test_options_go_over_the_tables_that_a_run_kept(
    tiny: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    train(recipe(tiny, pairs, tmp_path / "out", iters=1, epochs=None))
    more = ("--matryoshka", "16,4", "--out", tmp_path / "next", "--show-recipe")
    status, stdout, _ = call(capsys, "train", tmp_path / "out" / SETTINGS, *more)
    (tmp_path / "shown.toml").write_text(stdout)
    asked = Recipe(**recipes.read(tmp_path / "shown.toml"))
    assert status == 0 and [each.matryoshka for each in asked.objectives] == [(16, 4), ()]
    assert asked.heads == Recipe(**recipes.read(tmp_path / "out" / SETTINGS)).heads


def test_widths_belong_to_no_loss_on_labels(tiny: Path, tmp_path: Path):
    data = tmp_path / "labelled.jsonl"
    data.write_text('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n')
    with pytest.raises(CallError, match="matryoshka cuts"):
        train(Recipe(model=str(tiny), data=str(data), out="out", loss="cross_entropy", matryoshka=(8,)))


def test_data_that_gives_the_labels_is_read_once(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from mlx_metaembed import data

    reads: list[str] = []
    read = data.read_rows
    monkeypatch.setattr(data, "read_rows", lambda path, **how: reads.append(path) or read(path, **how))
    source = tmp_path / "labelled.jsonl"
    source.write_text("".join(json.dumps({"text": f"open {row}", "label": "ab"[row % 2]}) + "\n" for row in range(8)))
    given = Recipe(model=str(tiny), data=str(source), out=str(tmp_path / "out"), loss="cross_entropy", iters=1)
    train(replace(given, batch_size=4, engine="mlx"))
    assert reads == [str(source)]
    # The head goes on with the labels that it has.
    train(replace(given, model=str(tmp_path / "out"), out=str(tmp_path / "more"), batch_size=4, engine="mlx"))
    assert disk.read_json(tmp_path / "more" / "metaembed" / "heads.json")
