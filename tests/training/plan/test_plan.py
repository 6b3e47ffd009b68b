"""The plan of a run: each part against arithmetic written out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from three_heads import M3, THREE
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.engine import footprint
from mlx_metaembed.errors import CallError
from mlx_metaembed.inputs import chunks
from mlx_metaembed.inputs.token_store import Store
from mlx_metaembed.losses import held_bytes
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.tables import ObjectiveTable
from mlx_metaembed.training.plan import Job, Target, fitting, plan
from mlx_metaembed.training.plan.activations import Shape, activations
from mlx_metaembed.training.plan.choices import choices
from mlx_metaembed.training.plan.coefficients import FORMS, Numbers
from mlx_metaembed.training.plan.parts import Bytes, estimate
from mlx_metaembed.training.plan.planned import MOST_TOKENS, most_shapes

WORDS, POSITIONS, LAYER = 120 * 32, 50 * 32 + 2 * 32, 4 * (32 * 32 + 32) + 2 * 64 * 32 + 64 + 32 + 4 * 32
TRUNK = WORDS + POSITIONS - 2 * 32 + 2 * 32 + 2 * LAYER
"""Parameters of tiny.py's BERT: words, positions and types, the embeddings' norm, two layers."""
METAL, CPU, CUDA = Target("mlx", "metal"), Target("mlx", "cpu"), Target("torch", "cuda")


def job(path: Path, target: Target = CPU, dtype: str = "float32", columns: int = 2, **settings: object) -> Job:
    recipe = Recipe(**{"model": str(path), "batch_size": 8} | settings)
    return Job(recipe, folders.read(path), target, dtype, length=32, columns=columns)


def reckoned(path: Path, *given: object, **settings: object) -> Bytes:
    return estimate(job(path, *given, **settings))


def test_what_stays_is_counted_by_part(tiny: Path):
    trained = sum(tensor.stop - tensor.start for tensor in folders.read(tiny).trunk().values()) // 4
    full = reckoned(tiny)
    # In float32 the masters are the weights, and AdamW keeps two moments.
    assert full.stays == {"weights": 4 * trained, "masters": 0, "optimizer": 8 * trained}
    assert full.sums == 4 * trained and full.trained == trained
    half = reckoned(tiny, METAL, "float16")
    assert half.stays == {"weights": 2 * trained, "masters": 4 * trained, "optimizer": 8 * trained}
    # The word table's gradient is rows.
    assert half.working == 2 * (trained - WORDS)
    frozen = reckoned(tiny, freeze_embeddings=True)
    embeddings = WORDS + (48 + 2) * 32 + 2 * 32
    assert frozen.trained == trained - embeddings and frozen.stays["optimizer"] == 8 * (trained - embeddings)


def test_each_optimizer_states_its_own_bytes(tiny: Path):
    sizes = {name: reckoned(tiny, optimizer=name).stays["optimizer"] for name in ("adamw", "adamw_8bit", "adafactor")}
    trunk = folders.read(tiny).trunk().values()
    vectors = sum(tensor.shape[0] for tensor in trunk if len(tensor.shape) == 1)
    matrices = [tensor.shape for tensor in trunk if len(tensor.shape) == 2]
    assert sizes["adafactor"] == 4 * vectors + sum(4 * (rows + columns) for rows, columns in matrices)
    # A byte a moment and a scale of four bytes for each 256 numbers.
    blocks = sum(-(-rows * columns // 256) for rows, columns in matrices)
    assert sizes["adamw_8bit"] == 8 * vectors + blocks * 2 * 260


def test_an_adapter_trains_its_own_parameters_only(tiny: Path):
    lora = reckoned(tiny, train="lora", lora_rank=2, target_modules=("query",))
    assert lora.trained == 2 * 2 * (32 + 32)
    assert reckoned(tiny, train="dora", lora_rank=2, target_modules=("query",)).trained == lora.trained + 2 * 32
    whole = reckoned(tiny)
    assert lora.stays["weights"] == whole.stays["weights"] + 4 * lora.trained


def test_heads_hold_the_trunk_only_while_they_embed(tiny: Path):
    made = plan(job(tiny, train="heads", dense=16), budget=10**9)
    moments = made.bytes.moments(made.chunk_tokens, held=None)
    assert made.bytes.stays["weights"] == 4 * 16 * 32 and made.bytes.trained == 16 * 32
    assert moments["embedding"]["weights"] == reckoned(tiny).stays["weights"]
    assert "activations" not in moments["training"]


def test_a_matrix_behind_the_trunk_has_a_matrix_state(tiny: Path):
    sizes = [
        reckoned(tiny, train="heads", dense=16, optimizer=each).stays["optimizer"] for each in ("adamw", "adafactor")
    ]
    assert sizes == [8 * 16 * 32, 4 * (16 + 32)]


def test_accumulation_adds_one_gradient_to_the_sums_on_torch(tiny: Path):
    once, twice = (
        reckoned(tiny, Target("torch", "cpu"), grad_accumulation_steps=steps).moments(64, held=64)["the batch"]
        for steps in (1, 2)
    )
    assert twice["gradients"] <= once["gradients"] + 4 * TRUNK < 2 * 4 * TRUNK


def test_layers_below_the_first_that_trains_keep_nothing(tiny: Path):
    whole, last = reckoned(tiny).activations, reckoned(tiny, num_layers=1).activations
    assert last.kept == whole.kept / 2 and last.work == whole.work


def test_activations_are_coefficients_times_widths():
    shape = Shape("bert", layers=12, hidden=384, wide=1536, heads=12, query=384, shared=384)
    form = FORMS["mlx"]["bert"]
    found = activations(shape, length=512, dtype="float16", engine="mlx")
    assert form.kept == Numbers(9.7, 3, 1.1)
    assert found.kept == pytest.approx(12 * 2 * (9.7 * 384 + 3 * 1536 + 1.1 * 12 * 512))
    assert found.held(1000, 100) == round(1000 * found.kept + 100 * found.work)
    again = activations(shape, length=512, dtype="float16", engine="mlx", checkpointing=True)
    assert again.kept == 12 * 2 * 384 and again.work < found.kept
    # torch's kernel keeps no scores, but a mask.
    short, long = (activations(shape, length=each, dtype="float16", engine="torch").kept for each in (128, 512))
    assert long - short == pytest.approx(12 * 2 * (512 - 128))
    # Qwen3-Embedding-0.6B's queries have twice the width of its states.
    plain, wide = (replace(shape, form="decoder", query=query) for query in (384, 768))
    less, more = (activations(each, length=512, dtype="float16", engine="torch").kept for each in (plain, wide))
    assert more - less == pytest.approx(12 * 2 * FORMS["torch"]["decoder"].kept.beyond * 384)


def test_the_batch_costs_its_vectors_and_the_loss(tiny: Path):
    small, large = (reckoned(tiny, batch_size=size, columns=3) for size in (8, 1024))
    assert large.vectors == 128 * small.vectors == 2 * 4 * 3 * 1024 * 32
    assert large.loss == held_bytes(1024, 2048, 32, 1) + 1024 * 2048
    assert large.stays == small.stays and large.activations == small.activations


def test_heads_on_tokens_cost_their_outputs_and_all_losses_count(tiny: Path):
    objectives = {name: ObjectiveTable("", "data", name, "info_nce") for name in THREE}
    own = {name: tuple(head for head in M3["heads"] if head.name == name) for name in THREE}
    dense, lexical, tokens = (reckoned(tiny, heads=own[name], objectives=(each,)) for name, each in objectives.items())
    # Sixteen texts of 32 tokens: a weight, or 128 features a token.
    assert (dense.outputs, lexical.outputs, tokens.outputs) == (0, 4 * 16 * 32, 4 * 16 * 32 * 128)
    assert dense.vectors == 2 * 4 * 16 * 32 and lexical.vectors == tokens.vectors == 0
    three = reckoned(tiny, heads=M3["heads"], objectives=tuple(objectives.values()))
    mask = 8 * 8
    assert three.outputs == lexical.outputs + tokens.outputs
    assert three.loss - mask == dense.loss + lexical.loss + tokens.loss - 3 * mask
    assert three.activations.kept > dense.activations.kept
    # Of two data sets a batch has one.
    sets = (objectives["dense"], replace(objectives["multi_vector"], data="others"))
    apart = reckoned(tiny, heads=own["multi_vector"], objectives=sets)
    assert apart.loss == tokens.loss and apart.outputs == tokens.outputs


def test_codes_have_a_loss_of_their_own(tiny: Path):
    plain, codes = reckoned(tiny), reckoned(tiny, fsq="4x16")
    mask = 8 * 8
    assert codes.loss == plain.loss + held_bytes(8, 8, 16, 1) and plain.loss == held_bytes(8, 8, 32, 1) + mask
    assert codes.outputs == 0 and codes.vectors == plain.vectors


def test_heads_on_tokens_need_the_trunk_where_they_train_alone(tiny: Path):
    objectives = (ObjectiveTable("", "data", THREE, "self_distillation"),)
    made = plan(job(tiny, train="heads", heads=M3["heads"], objectives=objectives), budget=10**9)
    assert made.bytes.stays["weights"] == reckoned(tiny).stays["weights"] + 4 * made.bytes.trained
    assert made.bytes.trained == 32 + 1 + 128 * 32 + 128
    assert "embedding" not in made.bytes.moments(made.chunk_tokens, held=None)
    # Back through the frozen layers goes nothing.
    assert made.bytes.activations.kept == 2 * 4 * (1 + 128)


def test_quantized_weights_stay_so_on_metal_alone(tmp_path: Path):
    path = tiny_folder(tmp_path / "wide", config={"hidden_size": 64})
    made = choices(job(path, METAL, "float16"), budget=1)
    packed = next(each.plan.bytes for each in made if each.export)
    plain = next(each.plan.bytes for each in made if each.changes.get("train") == "lora" and not each.export)
    assert packed.inference < 0.5 * plain.inference
    assert not any(each.export for each in choices(job(path, CUDA, "float16"), budget=1))


def test_the_budget_picks_the_chunk_and_gradcache(tiny: Path):
    small, large = (plan(job(tiny, checkpointing="off", batch_size=256), budget=size) for size in (6 * 10**6, 10**9))
    assert small.cached and small.chunk_tokens < large.chunk_tokens == MOST_TOKENS and not large.cached
    assert small.fits and small.total <= 6 * 10**6
    one_more = small.bytes.peak(small.chunk_tokens + 1, held=None)
    assert sum(one_more.values()) > 0.9 * 6 * 10**6 >= small.total
    assert large.holds(256) and not small.holds(256 * 64)


def test_checkpointing_comes_where_no_useful_chunk_is_left_and_never_with_dropout(tiny: Path):
    tight = job(tiny, batch_size=256)
    assert plan(tight, budget=5 * 10**6).checkpointing and not plan(tight, budget=10**9).checkpointing
    with_dropout = replace(tight, recipe=replace(tight.recipe, dropout=0.1))
    assert not plan(with_dropout, budget=5 * 10**6).checkpointing


def test_choices_come_in_the_order_of_what_they_cost(tiny: Path):
    made = choices(job(tiny, METAL, "float16", checkpointing="off"), budget=1)
    words = [each.words() for each in made]
    assert words[:5] == [
        "--checkpointing on",
        "--checkpointing on --optimizer adamw_8bit",
        "--checkpointing on --optimizer adamw_8bit --freeze-embeddings",
        "--checkpointing on --optimizer adafactor --freeze-embeddings",
        "--checkpointing on --train lora",
    ]
    assert made[0].plan.total > made[1].plan.total > made[2].plan.total > made[4].plan.total


def test_a_budget_too_small_names_the_least_and_what_fits(tiny: Path):
    with pytest.raises(CallError, match=r"memory = 1\.00 MB is too little.*the least is \d\.\d\d MB \(weights"):
        fitting(job(tiny), budget=10**6, note=print)
    with pytest.raises(
        CallError, match=r"(?s)What fits.*\n  --optimizer adamw_8bit: (\d\.\d\d M|\d+ K)B, chunks of \d+ t"
    ):
        fitting(job(tiny), budget=plan(job(tiny), budget=1).total - 1, note=print)
    with pytest.raises(CallError, match="Nothing smaller fits; give a larger --memory"):
        fitting(job(tiny), budget=1000, note=print)


def test_fit_takes_the_first_that_fits_and_says_so(tiny: Path):
    heard: list[str] = []
    made = fitting(job(tiny, fit="auto"), budget=plan(job(tiny), budget=1).total - 1, note=heard.append)
    assert made.fits and made.job.recipe.optimizer == "adamw_8bit"
    assert len(heard) == 1 and heard[0].startswith("fit: --optimizer adamw_8bit, since the recipe needs ")


def test_a_budget_that_the_machine_cannot_give_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(footprint, "machine", lambda: 8 * 2**30)
    assert METAL.memory_warning(6 * 10**9) is None and CUDA.memory_warning(8 * 10**9) is None
    assert "memory = 8.00 GB is more than 75% of this machine's 8.59 GB" in METAL.memory_warning(8 * 10**9)
    assert "--memory 6.4GB" in METAL.memory_warning(8 * 10**9)
    monkeypatch.setattr(footprint, "machine", lambda: None)
    assert METAL.memory_warning(10**12) is None


def test_shapes_are_bounded():
    random, seen = np.random.default_rng(0), set()
    # Every length up to one that is no bucket's.
    lengths = np.repeat(np.arange(1, 50), 40)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    store = Store(np.zeros(starts[-1], np.uint16), starts, np.zeros(len(lengths), np.int32))
    for _ in range(300):
        first = random.integers(len(lengths))
        texts = np.arange(first, min(first + random.integers(1, 90), len(lengths)))
        seen |= {chunk.ids.shape for chunk in chunks.chunks(store, texts, pad_id=0, chunk_tokens=256)[0]}
    bound = most_shapes(49, 256)
    assert 0.8 * bound < len(seen) <= bound
