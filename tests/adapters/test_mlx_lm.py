"""mlx-lm's adapters against mlx-lm itself: its layers make them and compute with them; here they are read and fused."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected

from mlx_metaembed import adapters, embedder
from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors

PROGRAM = Path(__file__).parents[1] / "mlx_lm_makes.py"
RANK, SCALE = 3, 5.0
ADAPTERS = ("qwen3-lora", "qwen3-dora", "llama-lora", "llama-dora", "qwen3-lora-8")


def language_model(out: Path, family: str) -> Path:
    """A golden decoder as mlx-lm loads it: its trunk's names under `model.`."""

    def prefixed(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {f"model.{name}": array for name, array in arrays.items()}

    return altered(out, family, {"tie_word_embeddings": True}, prefixed)


class Made(NamedTuple):
    """An adapter by mlx-lm, its base, and for each text its ids [1, L] and mlx-lm's states [L, D]."""

    base: Path
    path: Path
    wanted: list[tuple[np.ndarray, np.ndarray]]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    """Every adapter that is compared, in one process: importing mlx-lm takes seconds."""
    folder, jobs = tmp_path_factory.mktemp("mlx-lm"), []
    bases = {family: language_model(folder / family, family) for family in ("qwen3", "llama")}
    for name in ADAPTERS:
        family, kind, bits = (*name.split("-"), "0")[:3]
        settings = {"kind": kind, "bits": int(bits), "rank": RANK, "scale": SCALE, "num_layers": 2}
        ids = [text.tolist() for text in real_ids(family)]
        (folder / name).mkdir()
        jobs.append({"base": str(bases[family]), "out": str(folder / name), "ids": ids} | settings)
    done = subprocess.run([sys.executable, str(PROGRAM), json.dumps(jobs)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = {}
    for name in ADAPTERS:
        family, states = name.split("-")[0], np.load(folder / name / "states.npz")
        wanted = [(ids[None], states[each]) for ids, each in zip(real_ids(family), states.files, strict=True)]
        found[name] = Made(bases[family], folder / name, wanted)
    return found


def real_ids(family: str) -> list[np.ndarray]:
    ids, mask, _ = expected(family)
    return [row[real] for row, real in zip(ids, mask, strict=True)]


def require_states(engine_name: str, path: Path, wanted: list[tuple[np.ndarray, np.ndarray]], atol: float) -> None:
    encode = encoder(engine_name, path)
    for ids, states in wanted:
        np.testing.assert_allclose(encode(ids, np.ones_like(ids, dtype=bool))[0], states, atol=atol)


@pytest.fixture
def adapter(tiny_decoder: Path, tmp_path: Path) -> Path:
    """A small adapter written by hand in mlx-lm's form."""
    path = tmp_path / "adapter"
    random = np.random.default_rng(0)
    arrays = {
        "model.layers.1.self_attn.q_proj.lora_a": random.standard_normal((32, 2)).astype(np.float32),
        "model.layers.1.self_attn.q_proj.lora_b": random.standard_normal((2, 48)).astype(np.float32),
    }
    disk.write_json(
        path / "adapter_config.json",
        {"model": str(tiny_decoder), "fine_tune_type": "lora", "lora_parameters": {"rank": 2, "scale": 0.25}},
    )
    safetensors.write(path / "adapters.safetensors", arrays)
    return path


@pytest.fixture
def tiny_decoder(tmp_path: Path) -> Path:
    return language_model(tmp_path / "decoder", "qwen3")


@pytest.mark.parametrize("kind", ["lora", "dora"])
@pytest.mark.parametrize("family", ["qwen3", "llama"])
def test_a_fused_adapter_has_mlx_lms_states(
    two_engines: tuple[str, str], made: dict[str, Made], tmp_path: Path, family: str, kind: str
):
    _, path, wanted = made[f"{family}-{kind}"]
    fused = convert(path, tmp_path / "fused")
    assert not (fused.path / "adapter_config.json").exists()
    before = safetensors.read(GOLDEN / family / "model.safetensors")
    after = safetensors.read(fused.path / "model.safetensors")
    # The last two of three layers, seven matrices each.
    assert sum(not np.array_equal(array, before[name]) for name, array in after.items()) == 14
    for engine_name in two_engines:
        require_states(engine_name, fused.path, wanted, 2e-5)


def test_an_adapter_of_a_quantized_base_has_mlx_lms_states(
    two_engines: tuple[str, str], made: dict[str, Made], tmp_path: Path
):
    base, path, wanted = made["qwen3-lora-8"]
    shutil.copyfile(base / "tokenizer.json", path / "base" / "tokenizer.json")
    fused = convert(path, tmp_path / "fused")
    for engine_name in two_engines:
        require_states(engine_name, fused.path, wanted, 2e-5)


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_it_is_read_beside_its_base_as_it_is_fused(engine_name: str, made: dict[str, Made], tmp_path: Path, kind: str):
    base, path, _ = made[f"qwen3-{kind}"]
    convert(path, tmp_path / "fused")
    texts = ["open a socket", "read a file"]
    applied, fused, plain = (
        embedder.load(each, engine=engine_name, dtype="float32").encode(texts)
        for each in (path, tmp_path / "fused", base)
    )
    np.testing.assert_allclose(applied, fused, atol=2e-6)
    assert np.abs(applied - plain).max() > 1e-2


def test_scale_is_not_alpha_and_alpha_beside_it_is_not_used(adapter: Path):
    found = adapters.read(folders.read(adapter))
    assert (found.rank, found.alpha, found.scale, found.dora) == (2, 0.5, 0.25, False)
    assert found.modules == ("layers.1.self_attn.q_proj",)
    assert found.arrays["layers.1.self_attn.q_proj.lora_A.weight"].shape == (2, 32)
    settings = disk.read_json(adapter / "adapter_config.json")
    parameters = settings["lora_parameters"] | {"alpha": 16}
    disk.write_json(adapter / "adapter_config.json", settings | {"lora_parameters": parameters})
    assert adapters.read(folders.read(adapter)).scale == 0.25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fine_tune_type": "full"}, r"fine_tune_type = 'full': the file holds whole weights.*mlx_lm\.fuse"),
        ({"lora_parameters": {"rank": 0, "scale": 1.0}}, r"rank = 0, expected a whole number from 1 on"),
        (
            {"lora_parameters": {"scale": "x"}},
            r"rank = None, expected a whole num[\s\S]*scale = 'x', expected a num",
        ),
        ({"lora_parameters": {"rank": 4, "scale": 1.0}}, r"shape \(2, 32\), the base and rank 4 need \(4, 32\)"),
        ({"fine_tune_type": "dora"}, r"lora_magnitude_vector is missing"),
        # How mlx-lm said it until 0.18.
        ({"fine_tune_type": None, "use_dora": True}, r"lora_magnitude_vector is missing"),
        ({"model": "nobody/has-it"}, r"its base 'nobody/has-it' can't be read.*--base BASE"),
        ({"model": None}, r"names no base_model_name_or_path.*--base BASE"),
    ],
)
def test_faults_are_named(adapter: Path, change: dict, said: str):
    disk.write_json(adapter / "adapter_config.json", disk.read_json(adapter / "adapter_config.json") | change)
    with pytest.raises(CallError, match=said):
        adapters.read(folders.read(adapter))


def test_a_base_can_be_given(adapter: Path, tiny_decoder: Path, tmp_path: Path):
    convert(adapter, tmp_path / "named")
    settings = disk.read_json(adapter / "adapter_config.json")
    disk.write_json(adapter / "adapter_config.json", settings | {"model": "nobody/has-it"})
    convert(adapter, tmp_path / "given", base=tiny_decoder)
    named, given = (safetensors.read(tmp_path / name / "model.safetensors") for name in ("named", "given"))
    assert all(np.array_equal(named[name], given[name]) for name in named)
    with pytest.raises(CallError, match=r"made for another base than .*bert[\s\S]*layers.1.self_attn.q_proj: the base"):
        convert(adapter, tmp_path / "wrong", base=GOLDEN / "bert")
    with pytest.raises(CallError, match=r"decoder is no adapter: it has no adapter_config\.json"):
        convert(tiny_decoder, tmp_path / "none", base=GOLDEN / "bert")
