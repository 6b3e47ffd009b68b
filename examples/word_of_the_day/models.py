"""The models of the pipeline: an encoder with its code, the scheme of IDs, the language model, and its verdict."""

from pathlib import Path

from mlx_metaembed import Recipe, train
from mlx_metaembed.cli.output import note
from mlx_metaembed.conditioned_lm import judge, make, opened, sampling
from mlx_metaembed.conditioned_lm.settings import Settings
from mlx_metaembed.files import disk
from mlx_metaembed.progress.display import Stages
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.semantic_ids import files
from mlx_metaembed.semantic_ids import make as schemes
from mlx_metaembed.semantic_ids.choices import AxisChoice, Choices
from mlx_metaembed.training import claim

CODE = "8,8,8,5"
"""Levels of the encoder's own code: as many codes as there are IDs."""


def encoder(base: str, pairs: Path, out: Path, steps: int, engine: str) -> None:
    """Train an encoder and its code on paragraphs that follow each other."""
    source = DataTable("pairs", str(pairs))
    recipe = Recipe(
        model=base,
        out=str(out),
        sources=(source,),
        heads=(HeadTable("code", "fsq", {"levels": CODE}),),
        objectives=(
            ObjectiveTable("vectors", "pairs", loss="info_nce"),
            ObjectiveTable("codes", "pairs", "code", "info_nce"),
        ),
        iters=steps,
        batch_size=32,
        max_seq_length=96,
        save_every=16,
        engine=engine,
    )
    if claim.unfinished(out):
        train(recipe, resume=True)
    else:
        train(recipe)


def scheme(model: Path, corpus: Path, out: Path, with_levels: bool, seed: int, engine: str) -> None:
    """Fit the scheme [8, 8, 8, 5]: style, complexity, era, and what they leave."""
    axes = [AxisChoice("style", 8, "author")]
    axes += [AxisChoice("complexity", 8, "level")] if with_levels else []
    axes += [AxisChoice("era", 8, "year"), AxisChoice("variation", 5)]
    schemes.make(str(model), corpus, out, Choices(tuple(axes), (), seed=seed), {}, engine=engine, note=note)


def writer(base: str, ids: Path, out: Path, settings: Settings, engine: str) -> None:
    """Teach a language model what the digits mean."""
    make.make(make.Call(base, str(ids), out, engine=engine), settings, note=note)


def verdict(lm: Path, ids: Path, out: Path, draw: sampling.Draw, texts: int, seed: int, engine: str) -> None:
    """Judge what the language model writes, and keep the tables."""
    from mlx_metaembed import embedder

    found = files.load(ids)
    model = embedder.load(found.about["model"]["name"], engine=engine)
    stages = Stages()
    try:
        judged = judge.judge(
            opened.load(lm, engine=engine, note=note),
            found.scheme,
            lambda given: found.scheme.encode(schemes.vectors(model, given, None)),
            draw,
            guidances=(1.0, 0.0),
            texts=texts,
            seed=seed,
            told=stages.prepared,
        )
    finally:
        stages.close()
    with disk.replacing_file(out) as partial:
        disk.write_json(partial, {"rows": judged.rows, "gains": judged.gains, "written": judged.texts})
