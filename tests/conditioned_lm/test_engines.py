"""A conditioned model on both engines: begins as its base, ends alike, writes alike, and goes on after it was ended."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import TESTED
from language_models import tiny_lm
from tiny import TEXTS

from mlx_metaembed import engine as engines
from mlx_metaembed.conditioned_lm import base as bases
from mlx_metaembed.conditioned_lm import loop, make, opened, sampling, work
from mlx_metaembed.conditioned_lm.batches import Batches
from mlx_metaembed.conditioned_lm.conditioned import Conditioned, initial, total
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.make import Call
from mlx_metaembed.conditioned_lm.settings import CONDITIONS, Settings
from mlx_metaembed.conditioned_lm.tokens import Tokens
from mlx_metaembed.engine import causal_model
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.training.schedule import factor

LEVELS = Levels(("side", ""), (2, 3))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_lm(tmp_path_factory.mktemp("base") / "lm")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty texts whose words tell the first digit of their ID."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("rows") / "rows.jsonl"
    words = sorted({word for text in TEXTS for word in text.replace(",", "").split()})
    lines = []
    for at in range(60):
        own = words[:10] if at % 2 else words[10:20]
        said = " ".join([*random.choice(own, 4), str(at % 40), str(at // 40)])
        lines.append(json.dumps({"text": said, "id": f"{at % 2}.{at % 3}"}))
    path.write_text("\n".join(lines) + "\n")
    return path


def conditioned(engine_name: str, base: Path, condition: str) -> tuple[Conditioned, dict]:
    found = bases.find(str(base))
    model = causal_model.load(engines.choose(engine_name), found.path, found.config, dtype="float32")
    settings = Settings(condition=condition)
    return Conditioned(model, settings, LEVELS), initial(model, settings, LEVELS)


def logits(made: Conditioned, weights: dict, ids: list, digits: list, cache=None, first=True) -> np.ndarray:
    found = made.logits(made.arrays(weights), np.array(digits), np.array(ids), cache, first=first)
    return made.model.numpy(found)


@pytest.mark.parametrize("condition", ["text", "film"])
def test_it_begins_as_its_base(engine_name: str, base: Path, condition: str):
    found = bases.find(str(base))
    plain = causal_model.load(engines.choose(engine_name), found.path, found.config, dtype="float32")
    ids = np.array([[2, 9, 11, 30]], np.int32)
    made, weights = conditioned(engine_name, base, condition)
    np.testing.assert_allclose(logits(made, weights, ids, [[1, 2]]), plain.numpy(plain.logits(ids)), atol=1e-6)


@pytest.mark.parametrize(
    "said",
    [
        {"rope_theta": 500.0},
        {"rope_theta": 500.0, "rope_type": "linear", "factor": 4.0},
        {"rope_theta": 500.0, "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
         "original_max_position_embeddings": 32},
    ],
    ids=["theta", "linear", "llama3"],
)  # fmt: skip
def test_rotary_positions_are_read_from_either_words(engine_name: str, base: Path, tmp_path: Path, said: dict):
    """transformers 5 nests what releases before it and mlx-lm have beside each other."""
    flat = {"rope_theta": 500.0} | ({"rope_scaling": said} if "rope_type" in said else {})
    ids, found = np.array([[2, 9, 11, 30, 31, 7]], np.int32), []
    for name, config in (("nested", {"rope_theta": None, "rope_parameters": said}), ("flat", flat)):
        read = bases.find(str(tiny_lm(tmp_path / name, **config)))
        model = causal_model.load(engines.choose(engine_name), read.path, read.config, dtype="float32")
        found.append(model.numpy(model.logits(ids)))
    np.testing.assert_allclose(*found, atol=1e-6)
    plain = bases.find(str(base))
    model = causal_model.load(engines.choose(engine_name), plain.path, plain.config, dtype="float32")
    assert np.abs(found[0] - model.numpy(model.logits(ids))).max() > 1e-3


def test_a_soft_prompt_stands_before_the_text(engine_name: str, base: Path):
    """A prompt of the embeddings of words gives what the base gives behind those words."""
    found = bases.find(str(base))
    plain = causal_model.load(engines.choose(engine_name), found.path, found.config, dtype="float32")
    made, weights = conditioned(engine_name, base, "prefix")
    words = np.array([[20, 21, 22, 23, 24, 25, 26, 27]], np.int32)
    rows = plain.words(words[0]).reshape(2, 4 * 32)
    weights["prefix.0"][1], weights["prefix.1"][2] = rows
    ids = np.array([[2, 9, 11]], np.int32)
    want = plain.numpy(plain.logits(np.concatenate([words, ids], axis=1)))[:, 8:]
    np.testing.assert_allclose(logits(made, weights, ids, [[1, 2]]), want, atol=1e-5)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_ids_of_a_batch_do_not_touch_each_other_and_a_cache_changes_nothing(
    engine_name: str, base: Path, condition: str
):
    made, weights = conditioned(engine_name, base, condition)
    random = np.random.default_rng(1)
    weights = {name: array + 0.1 * random.standard_normal(array.shape).astype("f4") for name, array in weights.items()}
    ids, digits = [[2, 9, 11, 30], [2, 7, 8, 31]], [[1, 2], [0, 0]]
    both = logits(made, weights, ids, digits)
    alone = [logits(made, weights, [ids[at]], [digits[at]])[0] for at in (0, 1)]
    np.testing.assert_allclose(both, alone, atol=2e-5)
    if condition != "text":
        assert np.abs(logits(made, weights, ids, digits[::-1]) - both).max() > 0.01
    cache = made.model.cache()
    first = logits(made, weights, [row[:2] for row in ids], digits, cache)
    rest = [logits(made, weights, [[row[at]] for row in ids], digits, cache, first=False) for at in (2, 3)]
    np.testing.assert_allclose(np.concatenate([first, *rest], axis=1), both, atol=2e-5)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_both_engines_end_alike_and_write_alike(two_engines, base: Path, rows: Path, tmp_path: Path, condition: str):
    settings = Settings(condition=condition, steps=4, batch_size=8)
    made = {}
    for name in two_engines:
        made[name] = make.make(Call(str(base), str(rows), tmp_path / name, engine=name), settings)
    one, other = made.values()
    for name, array in one.weights.items():
        np.testing.assert_allclose(array, other.weights[name], atol=2e-6, err_msg=name)
    assert one.about["measures"] == pytest.approx(other.about["measures"], abs=1e-5)
    written = []
    for name in two_engines:
        found = opened.load(tmp_path / two_engines[0], engine=name)
        draw = sampling.Draw(max_tokens=12)
        ids = np.array([[1, 2], [0, 1]])
        written.append(sampling.write(found.model, found.weights, found.tokens, ids, draw, np.random.default_rng(0)))
    assert written[0] == written[1] and all(0 < len(ids) <= 12 for ids in written[0])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_digit_that_tells_the_words_saves_bits(engine_name: str, base: Path, rows: Path, tmp_path: Path, condition):
    settings = Settings(condition=condition, steps=60, batch_size=16, learning_rate=0.02, held_out=0.2)
    measures = make.make(Call(str(base), str(rows), tmp_path / "out", engine=engine_name), settings).about["measures"]
    assert measures["bits_id"] < measures["bits_shuffled"] - 0.1


def test_a_run_that_was_ended_goes_on_as_if_it_had_not_been(
    engine_name: str, base: Path, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(condition="film", steps=6, batch_size=8)
    whole = make.make(Call(str(base), str(rows), tmp_path / "whole", engine=engine_name), settings)
    out, plain, said = tmp_path / "out", loop.run, []

    def ended(*given, **others):
        return plain(*given, **others, stopped=iter([False, False, True]).__next__)

    monkeypatch.setattr(loop, "run", ended)
    with pytest.raises(loop.StoppedError, match="after step 3 of 6"):
        make.make(Call(str(base), str(rows), out, engine=engine_name), settings, note=said.append)
    assert f"What was done is kept in {work.folder_of(out)}; the same command goes on from there" in said
    monkeypatch.setattr(loop, "run", plain)
    assert not out.exists() and work.folder_of(out).is_dir()
    made = make.make(Call(str(base), str(rows), out, engine=engine_name), settings, note=said.append)
    assert any("3 steps of a call that was ended" in text for text in said)
    for name, array in whole.weights.items():
        assert np.array_equal(array, made.weights[name]), name
    assert not work.folder_of(out).exists()
    assert (out / "metrics.jsonl").read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()


def test_what_another_call_left_is_not_gone_on_with(base: Path, rows: Path, tmp_path: Path):
    settings, out, said = Settings(condition="film", steps=2, batch_size=8), tmp_path / "out", []
    with work.opened(out, "another") as room:
        room.save(work.State(1, {"film.gains": np.ones((1, 1), np.float32)}))
    make.make(Call(str(base), str(rows), out, engine=engines.choose().name), settings, note=said.append)
    assert any("of another call" in text for text in said)


def test_guidance_goes_from_none_past_the_id(engine_name: str, base: Path, rows: Path, tmp_path: Path):
    settings = Settings(condition="film", steps=20, batch_size=16, learning_rate=0.02)
    make.make(Call(str(base), str(rows), tmp_path / "out", engine=engine_name), settings)
    found = opened.load(tmp_path / "out", engine=engine_name)
    digits, start = np.array([[1, 2]]), np.array([[found.tokens.start]])
    own, none = (
        found.model.model.numpy(found.model.logits(found.weights, each, start))[0, -1]
        for each in (digits, found.made.levels.none[None])
    )
    for guidance in (0.0, 1.0, 8.0):
        guided = (1 + guidance) * own - guidance * none
        guided[3] = -np.inf
        draw = sampling.Draw(guidance, temperature=0, max_tokens=1)
        written = sampling.write(found.model, found.weights, found.tokens, digits, draw, np.random.default_rng(0))
        assert written == [[int(guided.argmax())]]


@pytest.mark.parametrize("tied", [True, False])
def test_the_base_can_learn_too(two_engines, rows: Path, tmp_path: Path, tied: bool):
    base = tiny_lm(tmp_path / "lm", tie_word_embeddings=tied)
    settings, made = Settings(condition="film", train_base=True, steps=3, batch_size=8), []
    for name in two_engines:
        made.append(make.make(Call(str(base), str(rows), tmp_path / name, engine=name), settings))
    one, other = (found.weights for found in made)
    assert one.keys() == other.keys() and ("base.lm_head.weight" in one) is not tied
    for name, array in one.items():
        # AdamW's first steps go by a gradient's sign, which rounding decides where it is almost 0.
        far = np.abs(array - other[name])
        assert np.mean(far > 5e-6) < 0.005 and far.max() < 3 * settings.rate, name
    begun = safetensors.read(base / "model.safetensors")
    assert np.abs(one["base.model.embed_tokens.weight"] - begun["model.embed_tokens.weight"]).max() > 1e-3
    written = []
    for name in two_engines:
        found = opened.load(tmp_path / two_engines[0], engine=name)
        given = [np.array([[1, 2]]), sampling.Draw(max_tokens=8), np.random.default_rng(0)]
        written.append(sampling.write(found.model, found.weights, found.tokens, *given))
    assert written[0] == written[1]


def test_a_base_in_half_precision(engine_name: str, base: Path, rows: Path, tmp_path: Path):
    call = Call(str(base), str(rows), tmp_path / "out", engine=engine_name, dtype="bfloat16")
    for condition in CONDITIONS:
        made = make.make(
            replace(call, out=tmp_path / condition), Settings(condition=condition, rank=2, steps=2, batch_size=8)
        )
        assert all(np.isfinite(array).all() and array.dtype == np.float32 for array in made.weights.values())
    found = opened.load(tmp_path / "prefix", engine=engine_name, dtype="bfloat16")
    draw, ids = sampling.Draw(max_tokens=3), np.array([[1, 2]])
    assert sampling.write(found.model, found.weights, found.tokens, ids, draw, np.random.default_rng(0))


def test_a_quantized_base_learns_on_mlx_alone(mlx_engine: str, rows: Path, tmp_path: Path):
    import mlx.nn as nn
    from mlx_lm.utils import load_model

    base = tiny_lm(tmp_path / "plain", intermediate_size=64)
    module, config = load_model(base)
    nn.quantize(module, group_size=32, bits=8)
    folder = shutil.copytree(base, tmp_path / "packed")
    module.save_weights(str(folder / "model.safetensors"))
    disk.write_json(folder / "config.json", config | {"quantization": {"group_size": 32, "bits": 8}})
    call, settings = Call(str(folder), str(rows), tmp_path / "out", engine="mlx"), Settings(steps=2, batch_size=8)
    made = make.make(call, settings)
    assert made.weights["model.layers.1.mlp.down_proj.lora_A.weight"].shape == (8, 64)
    with pytest.raises(CallError, match="its weights can't learn"):
        make.make(replace(call, out=tmp_path / "other"), replace(settings, train_base=True))
    if "torch" in TESTED:
        with pytest.raises(CallError, match="is quantized for MLX; take --engine mlx"):
            make.make(replace(call, out=tmp_path / "other", engine="torch"), settings)


def test_a_step_that_is_not_finite_leaves_what_was_before(engine_name: str, base: Path, rows: Path, tmp_path: Path):
    call = Call(str(base), str(rows), tmp_path / "out", engine=engine_name)
    settings = Settings(condition="film", steps=9, batch_size=8, learning_rate=1e30, warmup_ratio=0)
    with pytest.raises(JobError, match=r"Step 2: the loss is (nan|inf).*a learning rate that is too high \(1e\+30\)"):
        make.make(call, settings)
    assert not (tmp_path / "out").exists()


def test_a_rank_beside_a_prefix_is_lora_too(engine_name: str, base: Path, rows: Path, tmp_path: Path):
    settings = Settings(condition="prefix", rank=2, steps=2, batch_size=8, vectors=1)
    made = make.make(Call(str(base), str(rows), tmp_path / "out", engine=engine_name), settings)
    assert {name.partition(".")[0] for name in made.weights} == {"prefix", "model"}
    assert made.weights["model.layers.0.self_attn.q_proj.lora_A.weight"].shape == (2, 32)
    assert replace(settings, rank=None).own_rank == 0


def test_steps_are_adamw_on_clipped_gradients(engine_name: str, base: Path, rows: Path, tmp_path: Path):
    """Two steps beside the formulas of arXiv:1711.05101, in NumPy."""
    settings = Settings(condition="film", batch_size=8, learning_rate=0.01, warmup_ratio=0)
    made, begun = conditioned(engine_name, base, "film")
    texts = [json.loads(line)["text"] for line in rows.read_text().splitlines()]
    ids = np.array([[at % 2, at % 3] for at in range(len(texts))], np.int32)
    batches = Batches(texts, ids, Tokens(bases.find(str(base))), LEVELS, settings)
    with work.opened(tmp_path / "out", "key") as room:
        found = loop.run(made, batches, settings, work.State(0, begun), 2, room)
    weights = {name: array.astype(np.float64) for name, array in begun.items()}
    first, second = ({name: np.zeros_like(array) for name, array in weights.items()} for _ in "ab")
    for step in (1, 2):
        rate = 0.01 * factor("cosine", step=step, steps=2, warmup_ratio=0)
        batch, given = batches.at(step), made.arrays({name: each.astype("f4") for name, each in weights.items()})
        losses = lambda weights, batch=batch: made.losses(weights, batch.digits, batch.ids, batch.mask)  # noqa: E731
        loss = lambda weights, losses=losses, batch=batch: total(losses(weights), batch.count)  # noqa: E731
        gradients = {name: made.model.numpy(each) for name, each in made.model.gradients(loss, given)[1].items()}
        norm = np.sqrt(sum(np.sum(each.astype(np.float64) ** 2) for each in gradients.values()))
        for name, gradient in gradients.items():
            clipped = gradient * min(1.0, 1.0 / norm)
            first[name] = 0.9 * first[name] + 0.1 * clipped
            second[name] = 0.999 * second[name] + 0.001 * clipped**2
            mean, deviation = first[name] / (1 - 0.9**step), np.sqrt(second[name] / (1 - 0.999**step))
            weights[name] -= rate * mean / (deviation + 1e-8)
    for name, array in weights.items():
        far = np.abs(found.weights[name] - array)
        assert np.mean(far > 1e-5) < 0.005 and far.max() < 0.02, name
    assert found.step == 2 and [row["step"] for row in found.log] == [2]
