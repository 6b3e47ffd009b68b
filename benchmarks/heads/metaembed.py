"""nDCG@10 and tokens a second of a sparse or multi-vector head trained with this kit."""

import tempfile
from pathlib import Path

from benchmarks import program, rows
from benchmarks.heads import BATCH, FLOPS_WEIGHT, LEARNING_RATES, LENGTH, TEMPERATURES, TOKEN_WIDTH, base
from benchmarks.heads.examined import examine, tokens
from mlx_metaembed.convert import convert
from mlx_metaembed.embedder import load
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, HeadTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, train

given = program.settings(kind=str, rows=str, held_out=str, engine="torch", steps=40, seed=0)
NAME = {"sparse": "splade", "multi_vector": "multi_vector"}[given.kind]
with tempfile.TemporaryDirectory() as work:
    model, data = Path(work) / "model", Path(work) / "rows.jsonl"
    convert(str(base(given.kind)), model)
    rows.head(given.rows, given.steps * BATCH, data)
    objectives = [
        ObjectiveTable(
            data="pairs", head=NAME, loss="info_nce", name="ranking", settings={"temperature": TEMPERATURES[given.kind]}
        )
    ]
    heads = []
    if given.kind == "sparse":
        objectives.append(ObjectiveTable(data="pairs", head=NAME, loss="flops", name="few", weight=FLOPS_WEIGHT))
    else:
        heads.append(HeadTable(name=NAME, type="multi_vector", settings={"features": TOKEN_WIDTH}))
    recipe = Recipe(
        model=str(model),
        out=f"{work}/run",
        sources=(DataTable(name="pairs", path=str(data)),),
        heads=tuple(heads),
        objectives=tuple(objectives),
        batch_size=BATCH,
        iters=given.steps,
        max_seq_length=LENGTH,
        learning_rate=LEARNING_RATES[given.kind],
        head_learning_rate=LEARNING_RATES[given.kind],
        weight_decay=0.0,
        dtype="float32",
        engine=given.engine,
        seed=given.seed,
    )
    steps: list[dict] = []
    result = train(recipe, callbacks=[Callbacks(step=steps.append)])
    trained = load(recipe.out, engine=given.engine, dtype="float32")
    encode = trained.encode_sparse if given.kind == "sparse" else trained.encode_token_vectors
    found = examine(
        lambda queries, corpus: trained.similarity(encode(queries, head=NAME), encode(corpus, head=NAME)),
        given.held_out,
    )
    speed = tokens(data, model) / steps[-1]["elapsed_s"]
program.answer(
    **found,
    tokens_per_second=speed,
    steps=result.steps,
    loss=result.loss,
)
