"""LoRA of a conditioned model in the files of other tools, which compute the same with it."""

import json
from pathlib import Path

import numpy as np
import pytest
from language_models import tiny_lm

from mlx_metaembed.conditioned_lm import files, opened
from mlx_metaembed.conditioned_lm.files import Made
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.conditioned_lm.settings import Settings

IDS = np.array([[2, 9, 11, 30, 31]], np.int32)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A model whose LoRA changes something, as a folder."""
    from mlx_metaembed.conditioned_lm import base as bases
    from mlx_metaembed.conditioned_lm import lora

    base, random = bases.find(str(tiny_lm(tmp_path / "lm"))), np.random.default_rng(0)
    linears = {f"model.layers.{at}.self_attn.{name}_proj": (32, 32) for at in (0, 1) for name in "qo"}
    weights = lora.initial(linears, 4, seed=0)
    weights = {name: random.standard_normal(array.shape).astype(np.float32) for name, array in weights.items()}
    about = {"base": {"name": str(base.path), "files": base.fingerprint()}, "scheme": "", "measures": {}}
    found = Made(Settings(rank=4), Levels(("",), (2,)), weights, [], about | {"levels_learned": [[5, 5]]})
    files.save(found, [], tmp_path / "out")
    return tmp_path / "out"


def own(made: Path, engine_name: str) -> np.ndarray:
    """Logits of the base with its linear maps changed by what the folder has."""
    from mlx_metaembed import engine as engines
    from mlx_metaembed.conditioned_lm import base as bases
    from mlx_metaembed.conditioned_lm import lora
    from mlx_metaembed.engine import causal_model

    found = files.load(made)
    base = bases.find(found.about["base"]["name"])
    model = causal_model.load(engines.choose(engine_name), base.path, base.config, dtype="float32")
    weights = {name: model.array(array) for name, array in found.weights.items()}
    paths = {name.rpartition(".lora_")[0] for name in weights}
    scale = found.settings.alpha / found.settings.own_rank
    model.hook({path: lambda x, y, path=path: lora.added(weights, path, scale, x, y) for path in paths})
    return model.numpy(model.logits(IDS))


def test_mlx_lm_loads_it(mlx_engine: str, made: Path):
    import mlx.core as mx
    from mlx_lm.tuner.utils import load_adapters
    from mlx_lm.utils import load_model

    model, _ = load_model(made.parent / "lm")
    plain = np.array(model(mx.array(IDS)))
    model = load_adapters(model, str(made / "mlx-lm"))
    found = np.array(model(mx.array(IDS)))
    np.testing.assert_allclose(found, own(made, mlx_engine), atol=1e-4)
    assert np.abs(found - plain).max() > 0.1


def test_peft_loads_it(torch_engine: str, peft_library: str, made: Path):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(made.parent / "lm"), made / "peft")
    assert model.peft_config["default"].task_type == "CAUSAL_LM"
    with torch.no_grad():
        found = model(torch.tensor(IDS)).logits.numpy()
    np.testing.assert_allclose(found, own(made, torch_engine), atol=1e-4)


def test_what_does_not_fit_the_base_is_refused(engine_name: str, made: Path):
    """The folder has LoRA at some linear maps, where a run has it at all of them."""
    with pytest.raises(opened.CallError, match=r"gate_proj.lora_A.weight: missing, expected \(4, 32\)"):
        opened.load(made, engine=engine_name)


def test_other_conditions_have_no_adapters(made: Path, tmp_path: Path):
    found = files.load(made)
    settings = Settings(condition="film")
    files.save(Made(settings, found.levels, {}, [], found.about), [], tmp_path / "film")
    assert not (tmp_path / "film" / "peft").exists()
    assert json.loads((tmp_path / "film" / "lm.json").read_text())["format"] == "metaembed-lm-1"
