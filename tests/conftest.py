"""Tiny models and the engines under test.

METAEMBED_TEST_ENGINES ("mlx,torch") names engines that must be tested: an absent one is an error. Unset, those that
are installed are tested, and the header says which are left out.
"""

import os

# Before any engine is imported: full float32, and no compiler runs for tiny models.
os.environ["MLX_ENABLE_TF32"] = "0"
os.environ.setdefault("MLX_DISABLE_COMPILE", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
# Threads of a tiny model's products only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import gc
import importlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import passed
import pytest
from tiny import TEXTS, tiny_folder

from mlx_metaembed.engine import installed

ENGINES = ("mlx", "torch")
NAMED = [name for name in os.environ.get("METAEMBED_TEST_ENGINES", "").split(",") if name]
PEER = importlib.util.find_spec("sentence_transformers") is not None
PEFT = importlib.util.find_spec("peft") is not None
LIBRARIES = {
    "scikit_learn": importlib.util.find_spec("sklearn") is not None,
    "trec_eval": importlib.util.find_spec("pytrec_eval") is not None,
    "mteb_library": importlib.util.find_spec("mteb") is not None,
}
"""Referees of figures, by the name of their fixture."""
TRACKERS = {
    name: getattr(importlib.util.find_spec(name), "origin", None) is not None for name in ("tensorboard", "wandb")
}


def transformers_takes_peft() -> bool:
    """Whether the installed transformers loads adapters with the installed PEFT: 5.24 asks for one not released yet."""
    if not PEFT:
        return False
    from importlib.metadata import version

    from packaging.version import Version
    from transformers.integrations.peft import MIN_PEFT_VERSION

    return Version(version("peft")) >= Version(MIN_PEFT_VERSION)


# The last bits of torch's numbers depend on whether MLX was loaded before it, and so on the order of the tests.
if installed("mlx"):
    importlib.import_module("mlx_metaembed.on_mlx.engine")
TESTED = NAMED or [name for name in ENGINES if installed(name)]


def pytest_addoption(parser: pytest.Parser) -> None:
    passed.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(passed.Passed(config))
    absent = [name for name in TESTED if name not in ENGINES or not installed(name)]
    if absent:
        raise pytest.UsageError(f"METAEMBED_TEST_ENGINES names {', '.join(absent)}, which is not installed here")


FROZEN = {"modules": 0}


def pytest_runtest_logfinish() -> None:
    """Take out of the garbage collector's sight what stays: a run collects as it starts, and walks all of torch."""
    if len(sys.modules) > FROZEN["modules"] + 50:
        gc.collect()
        gc.freeze()
        FROZEN["modules"] = len(sys.modules)


def pytest_report_header(config: pytest.Config) -> str:
    left_out = [name for name in ENGINES if name not in TESTED]
    if not PEER:
        left_out.append("what sentence-transformers loads")
    if not PEFT:
        left_out.append("what PEFT loads")
    elif not transformers_takes_peft():
        left_out.append("adapters that transformers makes: it asks for a newer PEFT")
    left_out += [f"rows in {name}" for name, there in TRACKERS.items() if not there]
    if config.getoption("without_passed"):
        left_out.append("what torch cannot change and passed without it")
    return f"engines tested: {', '.join(TESTED)}; left out: {', '.join(left_out) or 'none'}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "engine_name" in metafunc.fixturenames:
        metafunc.parametrize("engine_name", TESTED)
    if "one_engine" in metafunc.fixturenames:
        # Where both share what is tested.
        metafunc.parametrize("one_engine", TESTED[:1])
    if "torch_engine" in metafunc.fixturenames:
        metafunc.parametrize("torch_engine", [name for name in TESTED if name == "torch"])
    if "mlx_engine" in metafunc.fixturenames:
        metafunc.parametrize("mlx_engine", [name for name in TESTED if name == "mlx"])
    if "sentence_transformers" in metafunc.fixturenames:
        metafunc.parametrize("sentence_transformers", ["sentence-transformers"] if PEER else [])
    if "peft_library" in metafunc.fixturenames:
        metafunc.parametrize("peft_library", ["peft"] if PEFT else [])
    if "peft_in_transformers" in metafunc.fixturenames:
        metafunc.parametrize("peft_in_transformers", ["peft"] if PEER and transformers_takes_peft() else [])
    for name, there in (TRACKERS | LIBRARIES).items():
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, [name] if there else [])
    if "exporter" in metafunc.fixturenames:
        # torch's newer exporter needs a package of its own; what it writes also stands in golden/onnx.
        newer = ["dynamo"] if importlib.util.find_spec("onnxscript") else []
        metafunc.parametrize("exporter", ["legacy", *newer] if "torch" in TESTED else [])
    if "two_engines" in metafunc.fixturenames:
        metafunc.parametrize("two_engines", [tuple(TESTED)] if len(TESTED) == 2 else [])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT of 32 features with a word tokenizer, as a model folder."""
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Forty pairs of texts of mixed length."""
    random = np.random.default_rng(7)
    path = tmp_path / "pairs.jsonl"
    words = " ".join(TEXTS).split()
    lines = []
    for row in range(40):
        anchor = " ".join(random.choice(words, 2 + row % 9))
        positive = " ".join(random.choice(words, 3 + row % 20))
        lines.append(f'{{"anchor": "{anchor} {row}", "positive": "{positive} {row}"}}\n')
    path.write_text("".join(lines))
    return path
