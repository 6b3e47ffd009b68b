"""What keeps a run right without being seen: a seed a chunk, clipping of means, the budget, the loss scale, the last
file of a model."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from runs import metrics, recipe
from steps import Descent, descend, loaded

from mlx_metaembed.engine import footprint
from mlx_metaembed.errors import JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import DataTable, ObjectiveTable
from mlx_metaembed.training import Callbacks, train
from mlx_metaembed.training.checkpoint import CHECKSUMS
from mlx_metaembed.training.loss_scale import LossScale


@pytest.mark.parametrize("cached", [True, False])
def test_every_chunk_draws_dropout_of_its_own(engine_name: str, tiny: Path, cached: bool):
    engine, head, batch = loaded(engine_name, tiny, dropout=0.3)
    drawn: list[int] = []
    embed, backward, whole = engine.embed, engine.backward, engine.forward_backward

    def embedded(chunk, heads, *, seed):
        drawn.append(seed)
        return embed(chunk, heads, seed=seed)

    def back(chunk, cotangents, *, seed):
        drawn.append(seed)
        backward(chunk, cotangents, seed=seed)

    def at_once(chunks, heads, total, *, seeds):
        drawn.extend(seeds)
        return whole(chunks, heads, total, seeds=seeds)

    engine.embed, engine.backward, engine.forward_backward = embedded, back, at_once
    descend(Recipe(), head, engine, batch, seed=5, cached=cached)
    first = drawn.copy()
    assert len(batch.chunks) == 3 and len(set(first)) == 3
    if cached:
        assert first[3:] == first[:3]
    drawn.clear()
    descend(Recipe(), head, engine, batch, seed=6, cached=cached)
    assert not set(first) & set(drawn)


def test_equal_chunks_lose_other_units(engine_name: str, tiny: Path):
    engine, _, batch = loaded(engine_name, tiny, dropout=0.3)
    one, same, other = (engine.numpy(engine.embed(batch.chunks[0], seed=seed)["dense"]) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-2


@pytest.mark.parametrize("max_norm", [0.5, 0.0, 1e6])
def test_what_is_clipped_is_the_mean_over_the_group(engine_name: str, tiny: Path, max_norm: float):
    engine, head, batch = loaded(engine_name, tiny)
    descent, taken = Descent(engine), {}
    for divide in (1, 4):
        descend(Recipe(), head, engine, batch, seed=0, cached=True)
        norm = engine.update(descent, divide=divide, max_norm=max_norm)
        # The rule is given the sum, and the factor on it beside its own numbers.
        taken[divide] = norm, np.sqrt(sum((each**2).sum() for each in descent.taken.values()))
    assert taken[4][0] == pytest.approx(taken[1][0] / 4, rel=1e-4)
    for norm, length in taken.values():
        assert length == pytest.approx(min(norm, max_norm) if max_norm else norm, rel=1e-4)
    assert taken[1][0] > 1


def test_clipping_and_accumulation_end_as_one_large_batch(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    """Two equal batches have the mean of one: the same norm, clipped alike."""
    pairs.write_text("".join(pairs.read_text().splitlines(keepends=True)[:8]))
    settings = {"engine": engine_name, "iters": 1, "max_grad_norm": 0.1, "dtype": "float32", "fsq": ""}
    train(recipe(tiny, pairs, tmp_path / "one", **settings))
    train(recipe(tiny, pairs, tmp_path / "two", **settings, grad_accumulation_steps=2))
    one, two = (metrics(tmp_path / name)[0]["grad_norm"] for name in ("one", "two"))
    assert two == pytest.approx(one, rel=1e-3)
    ours, theirs = (safetensors.read(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    for name in (name for name in ours if not name.endswith("key.bias")):
        np.testing.assert_allclose(ours[name], theirs[name], atol=1e-4, err_msg=name)


def test_a_model_has_its_modules_last(tiny: Path, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    out, missing, replaced = tmp_path / "out", [], os.replace

    def seen(source, target, **settings):
        if Path(target) == out / "modules.json":
            last = next(out.glob("checkpoint-*"))
            files = {path.relative_to(last) for path in last.rglob("*") if path.is_file()}
            missing.append({str(name) for name in files if not (out / name).is_file()})
        replaced(source, target, **settings)

    monkeypatch.setattr(os, "replace", seen)
    train(recipe(tiny, pairs, out, iters=1))
    assert missing == [{"modules.json", str(CHECKSUMS)}]


def test_a_process_that_grows_over_the_budget_is_stopped(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    # torch's memory on a processor is the whole process's, which other tests have made larger.
    budget = 500 + (footprint.now() // 10**6 if engine_name == "torch" else 0)
    held: list[np.ndarray] = []
    more = (budget + 400) * 10**6 // 8
    grows = Callbacks(step=lambda row: held.append(np.ones(more)) if row["step"] == 2 else None)
    settings = {"engine": engine_name, "memory": f"{budget}MB", "save_every": 1, "dtype": "float32"}
    with pytest.raises(JobError, match=r"Step 2 held .*, over the budget of \d+MB\. Give a smaller") as error:
        train(recipe(tiny, pairs, tmp_path / "out", **settings), callbacks=[grows])
    assert "checkpoint-1" in str(error.value) and "--resume" in str(error.value)


def test_the_loss_scale_falls_and_rises():
    scale = LossScale.of("float16")
    assert scale == LossScale(4096.0, 0, True)
    assert scale.after(False) == LossScale(2048.0, 0, True)
    assert scale.after(True) == LossScale(4096.0, 1, True)
    assert LossScale(64.0, 199, True).after(True) == LossScale(128.0, 0, True)
    assert LossScale(64.0, 199, True).after(False) == LossScale(32.0, 0, True)
    assert not LossScale(2.0**-10, 0, True).hopeless and LossScale(2.0**-11, 0, True).hopeless
    assert LossScale.of("float32").after(False) == LossScale(1.0) and LossScale.of("bfloat16").hopeless


def test_a_gradient_that_overflows_halves_the_scale(engine_name: str, tiny: Path, pairs: Path, tmp_path: Path):
    objective = ObjectiveTable("", "pairs", "dense", "info_nce", 1e3)
    train(
        Recipe(
            model=str(tiny),
            out=str(tmp_path / "out"),
            sources=(DataTable("pairs", str(pairs)),),
            objectives=(objective,),
            batch_size=8,
            iters=12,
            dtype="float16",
            engine=engine_name,
        ),
        callbacks=[],
    )
    norms = [row["grad_norm"] for row in metrics(tmp_path / "out")]
    skipped = norms.count(None)
    assert 0 < skipped < 12 and norms[0] is None
    said = safetensors.metadata(tmp_path / "out" / "metaembed" / "state.safetensors")["loss_scale"]
    assert json.loads(said)["factor"] == 4096 / 2**skipped
