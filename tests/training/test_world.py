"""Several processes train one model: to the weights of one process, and rank 0 alone writes."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from runs import metrics, recipe, stop_after, weights_of
from states import GOLDEN
from worlds import Ranks, ranks

from mlx_metaembed.engine import ALONE, choose
from mlx_metaembed.engine.world import summed
from mlx_metaembed.errors import JobError
from mlx_metaembed.inputs.chunks import Chunk
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import HeadTable, ObjectiveTable
from mlx_metaembed.training import claim, train
from mlx_metaembed.training.shares import exchanged, shares

KINDS: dict[str, dict] = {
    "dropout, a code head and a Dense": {"dropout": 0.1, "fsq": "4x8", "dense": 16, "matryoshka": (16, 8)},
    "accumulation and no cache": {"grad_cache": "off", "fsq": "", "grad_accumulation_steps": 2, "epochs": 2},
    "lora": {"train": "lora", "lora_rank": 2, "fsq": "", "dropout": 0.1},
    "mined negatives": {"mine_every": 2, "mine_negatives": 2, "fsq": "", "dropout": 0.1, "save_every": 1},
    "heads alone": {"train": "heads", "grad_cache": "auto", "fsq": "4x8", "dense": 16, "matryoshka": (16, 8)},
    "fewer chunks than ranks": {"batch_size": 2, "chunk_tokens": 4096, "iters": 3, "fsq": ""},
    "heads on tokens": {
        "fsq": "",
        "matryoshka": (),
        "heads": (HeadTable("words", "lexical"), HeadTable("rows", "multi_vector", {"features": 8})),
        "objectives": (
            ObjectiveTable("dense", "data", "dense", "info_nce"),
            ObjectiveTable("words", "data", "words", "info_nce", 0.5),
            ObjectiveTable("rows", "data", "rows", "info_nce", 0.5),
        ),
    },
}


@pytest.fixture(scope="module")
def two() -> Iterator[Ranks]:
    with ranks(2) as found:
        yield found


def settings(engine: str, tiny: Path, pairs: Path, out: Path, **more) -> Recipe:
    common = {"engine": engine, "grad_cache": "on", "epochs": 1, "max_grad_norm": 0.5}
    return recipe(tiny, pairs, out, **common | more)


def require_alike(one: Path, other: Path) -> None:
    expected, found = weights_of(one), weights_of(other)
    assert set(expected) == set(found)
    for name, array in expected.items():
        # A key's bias changes no attention: its gradient is rounding, and AdamW makes steps of it.
        if "key.bias" not in name:
            np.testing.assert_allclose(found[name], array, atol=2e-5, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_end_in_the_weights_of_one(
    two: Ranks, engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, kind: str
):
    require_two_as_one(two, settings(engine_name, tiny, pairs, tmp_path / "alone", **KINDS[kind]))


def test_a_decoder_that_is_the_word_table_counts_once(two: Ranks, engine_name: str, pairs: Path, tmp_path: Path):
    model = shutil.copytree(GOLDEN / "splade_bert", tmp_path / "model")
    (model / "modules.json").unlink()
    own = {"objectives": (ObjectiveTable("words", "data", "splade", "info_nce"),), "matryoshka": (), "fsq": ""}
    require_two_as_one(two, settings(engine_name, model, pairs, tmp_path / "alone", dropout=0.1, **own))


def test_two_processes_have_one_guide(two: Ranks, engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    own = {"loss": "gist", "guide": str(tiny), "fsq": "", "matryoshka": (16, 8), "iters": 2}
    alone = settings(engine_name, tiny, pairs, tmp_path / "alone", **own)
    train(alone, callbacks=[])
    two.train(replace(alone, out=str(tmp_path / "two")))
    rows = [metrics(tmp_path / name) for name in ("alone", "two")]
    for name in ("loss", "grad_norm"):
        np.testing.assert_allclose(*([row[name] for row in each] for each in rows), rtol=1e-5)
    assert not list((tmp_path / "two").glob("taught-*"))


def require_two_as_one(two: Ranks, alone: Recipe) -> None:
    """That two processes end where one does, and log the same losses."""
    work = Path(alone.out).parent
    train(alone, callbacks=[])
    found, others, _ = two.train(replace(alone, out=str(work / "two")))
    assert [each.loss for each in others] == [found.loss]
    require_alike(work / "alone", work / "two")
    losses = [[row["loss"] for row in metrics(work / name)] for name in ("alone", "two")]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_rank_0_alone_writes(two: Ranks, mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    out = tmp_path / "two"
    found, others, calls = two.train(settings(mlx_engine, tiny, pairs, out, save_every=2))
    assert [row["step"] for row in metrics(out)] == [1, 2, 3, 4, 5]
    assert Path(found.report) == out / "report.html" and [each.report for each in others] == [None]
    assert not list(out.glob("checkpoint-*")) and (out / "modules.json").is_file()
    # Shapes, outputs, which gradients there are, gradients, and whether any rank was told to stop.
    step = ["sum", "gather", "sum", "sum", "sum"]
    save = ["sum", "sum"]
    assert calls == ["sum", "sum", *step * 2, *save, *step * 2, *save, *step, "sum", *save, "sum"]


def test_a_stopped_run_goes_on_with_other_ranks(two: Ranks, mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    alone = settings(mlx_engine, tiny, pairs, tmp_path / "alone", dropout=0.1)
    train(alone, callbacks=[])
    out = tmp_path / "two"
    parts = replace(alone, out=str(out))
    stopped, others, _ = two.train(parts, callbacks=[stop_after(2)])
    assert stopped.startswith("Stopped after step 2 of 5; a checkpoint is saved.") and others == [stopped]
    train(parts, resume=True, callbacks=[])
    require_alike(tmp_path / "alone", out)
    begun = replace(alone, out=str(tmp_path / "begun"))
    with pytest.raises(JobError):
        train(begun, callbacks=[stop_after(2)])
    found, others, _ = two.train(begun, resume=True)
    assert found.steps == others[0].steps == 5
    require_alike(tmp_path / "alone", tmp_path / "begun")


def test_several_ranks_leave_a_run_without_steps_to_one(
    two: Ranks, mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path
):
    out = tmp_path / "out"
    parts = settings(mlx_engine, tiny, pairs, out)
    with pytest.raises(JobError):
        train(parts, callbacks=[stop_after(2)])
    claim.record(out, checkpoint="checkpoint-2", stores=[], result={})
    found, others, calls = two.train(parts, resume=True)
    assert found.startswith(f"{out} has done its last step; one process alone makes it a model: metaembed train")
    assert others == [found] and not calls


def test_all_ranks_stop_early_together(two: Ranks, mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    measured = {"eval_data": str(pairs), "allow_leak": True, "eval_steps": 1, "early_stopping": 1}
    parts = settings(mlx_engine, tiny, pairs, tmp_path / "alone", epochs=8, learning_rate=1e-12, fsq="", **measured)
    alone = train(parts, callbacks=[])
    found, others, _ = two.train(replace(parts, out=str(tmp_path / "two")))
    assert alone.steps == 2 and alone.stopped_early
    assert (found.steps, found.best_step, found.start) == (2, alone.best_step, alone.start)
    assert [(each.steps, each.metric) for each in others] == [(2, None)]


def chunk(rows: int, length: int) -> Chunk:
    ids = np.zeros((rows, length), np.int32)
    return Chunk(ids, ids > 0, ids > 0, rows)


def test_chunks_are_shared_by_their_tokens():
    # 80, 64, 32, 32, 16 and 8 tokens.
    made = [chunk(1, 80), chunk(2, 32), chunk(2, 16), chunk(4, 8), chunk(2, 8), chunk(1, 8)]
    assert shares(made, 1) == [[0, 1, 2, 3, 4, 5]]
    assert shares(made, 2) == [[0, 3, 5], [1, 2, 4]]
    assert shares(made[:1], 3) == [[0], [], []]


def test_one_process_exchanges_and_copies_nothing(engine_name: str):
    engine = choose(engine_name)
    sums, outputs = {"a": engine.array(np.ones(3, np.float32))}, {"dense": engine.array(np.ones((2, 3), np.float32))}
    assert summed(ALONE, engine, sums, {}) is sums and list(sums) == ["a"]
    assert exchanged(ALONE, engine, {0: outputs}, ["dense"], [[0]])[0] is outputs
