"""What trains, on what: every combination ends in a folder that loads, or is refused before anything is written."""

from pathlib import Path

import numpy as np
import pytest
from runs import recipe, stop_after
from tiny import tiny_folder

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError, JobError
from mlx_metaembed.files import safetensors
from mlx_metaembed.training import train

WIDE = {"config": {"hidden_size": 64}}
PLAIN = {"matryoshka": (), "fsq": "", "save_every": 1, "iters": 2}
BOTH = {"fsq": "4x8", "dense": 16}
BASES = ("lora", "dora", "lora beside 4 bits", "4 bits")


@pytest.fixture
def base(request: pytest.FixtureRequest, pairs: Path, tmp_path: Path) -> Path:
    """An adapter's folder, of a plain base or one of 4 bits; or that base itself."""
    made = tiny_folder(tmp_path / "base", **WIDE)
    if "4 bits" in request.param:
        export = pytest.importorskip("mlx_metaembed.export.mlx").export
        made = export(folders.read(made), tmp_path / "packed", bits=4, group_size=32).path
    kind = request.param.split()[0]
    if kind in ("lora", "dora"):
        engine = request.getfixturevalue("engine_name")
        train(recipe(made, pairs, tmp_path / "adapter", **PLAIN | {"train": kind, "lora_rank": 2, "engine": engine}))
        made = tmp_path / "adapter"
    return made


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("base", BASES, indirect=True)
def test_heads_on_a_frozen_trunk_of_any_kind_end_in_a_model(
    engine_name: str, base: Path, pairs: Path, tmp_path: Path, dtype: str
):
    out = tmp_path / "out"
    settings = recipe(base, pairs, out, **PLAIN | BOTH | {"train": "heads", "engine": engine_name, "dtype": dtype})
    with pytest.raises(JobError, match="Stopped after step 1"):
        train(settings, callbacks=[stop_after(1)])
    train(settings, resume=True)
    model = load(out, engine=engine_name)
    assert model.encode(["open a socket", "x"]).shape == (2, 16)
    assert model.digits(["open a socket"], head="codes").shape == (1, 8)
    # The trunk or its adapter is what it was.
    for name in ("adapter_model.safetensors", "model.safetensors"):
        assert (out / name).is_file() == (base / name).is_file()
        if (base / name).is_file():
            before, after = safetensors.read(base / name), safetensors.read(out / name)
            assert all(np.array_equal(after[each], array) for each, array in before.items())


@pytest.mark.parametrize("base", ["lora", "4 bits"], indirect=True)
def test_full_training_of_what_takes_no_gradient_writes_nothing(
    engine_name: str, base: Path, pairs: Path, tmp_path: Path
):
    with pytest.raises(CallError, match=r"is an adapter; go on with --train lora|takes? no gradient"):
        train(recipe(base, pairs, tmp_path / "out", **PLAIN | {"engine": engine_name}))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fsq": "8x8"}, "--fsq 8x8 would replace what it has learned"),
        ({"dense": 8}, "has heads for 32 features; dense = 8 would change them"),
        ({"dense": 32}, "has heads for 32 features; dense = 32 would change them"),
    ],
    ids=str,
)
def test_a_trained_head_goes_on_or_the_run_is_refused(
    engine_name: str, tiny: Path, pairs: Path, tmp_path: Path, settings: dict, message: str
):
    common = PLAIN | {"engine": engine_name}
    train(recipe(tiny, pairs, tmp_path / "first", **common | {"fsq": "4x8"}))
    with pytest.raises(CallError, match=message):
        train(recipe(tmp_path / "first", pairs, tmp_path / "out", **common | settings))
    assert not (tmp_path / "out").exists()
    # With its own levels, and without a word, it trains on.
    before = safetensors.read(tmp_path / "first/metaembed/heads.safetensors")["codes.projection.weight"]
    for name, more in (("same", {"fsq": "4x8"}), ("unsaid", {})):
        train(recipe(tmp_path / "first", pairs, tmp_path / name, **common | more))
        after = safetensors.read(tmp_path / name / "metaembed/heads.safetensors")["codes.projection.weight"]
        assert 0 < np.abs(after - before).max() < 0.1


def test_a_run_that_fails_gives_the_limits_back(mlx_engine: str, tiny: Path, pairs: Path, tmp_path: Path):
    import mlx.core as mx

    def limits() -> tuple[int, int]:
        found = mx.set_memory_limit(10**9), mx.set_cache_limit(10**8)
        mx.set_memory_limit(found[0])
        mx.set_cache_limit(found[1])
        return found

    before = limits()
    train(recipe(tiny, pairs, tmp_path / "whole", **PLAIN))
    assert limits() == before
    with pytest.raises(JobError):
        train(recipe(tiny, pairs, tmp_path / "stopped", **PLAIN), callbacks=[stop_after(1)])
    assert limits() == before
