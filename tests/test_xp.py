"""The words of shared text: each stands in all three namespaces, and the kit's own mean the same in each."""

import ast
import importlib
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from arrays import gradient_of, value_of

import mlx_metaembed
from mlx_metaembed import xp

HOUSE = Path(mlx_metaembed.__file__).parent


def words(path: Path) -> set[str]:
    """Every attribute taken from a variable named xp, or from namespace(...)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            of = node.value
            named = isinstance(of, ast.Name) and of.id == "xp"
            called = isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == "namespace"
            if named or called:
                found.add(node.attr)
    return found


SHARED = [
    "xp",
    *sorted(f"losses/{path.stem}" for path in (HOUSE / "losses").glob("*.py") if words(path)),
    *("layers/activations", "layers/pooling", "layers/dense", "layers/dense_activations"),
    *("quantizers/fsq", "heads/fsq", "heads/splade", "heads/lexical", "heads/token_vectors", "heads/output"),
    *("config/rope_scaling", "adapters/lora", "training/objective"),
    *(f"conditioned_lm/{name}" for name in ("conditioned", "film", "lora", "prefix", "token_loss")),
    *("training/optimizers/adamw", "training/optimizers/adamw_8bit", "training/optimizers/adafactor"),
]


@pytest.mark.parametrize("name", SHARED)
def test_every_word_of_shared_text_is_in_every_namespace(name: str):
    used = words(HOUSE / f"{name}.py") - {"asarray"}
    assert used
    namespaces = [np]
    for engine, module in (("mlx", "mlx.core"), ("torch", "mlx_metaembed.on_torch.words")):
        if importlib.util.find_spec(engine):
            namespaces.append(importlib.import_module(module))
    for namespace in namespaces:
        assert not [word for word in used if not hasattr(namespace, word)], namespace.__name__


def test_relu_has_no_gradient_at_zero(engine_name: str):
    x = np.array([-1.0, 0.0, 2.0], np.float32)
    got = gradient_of(engine_name, lambda x: xp.namespace(x).sum(xp.relu(x)), x)
    assert got.tolist() == [0.0, 0.0, 1.0]
    assert np.isnan(value_of(engine_name, xp.relu, np.array([np.nan], np.float32))).all()


def test_softplus_does_not_overflow(engine_name: str):
    got = value_of(engine_name, xp.softplus, np.array([-200.0, 0.0, 200.0], np.float32))
    assert got.tolist() == pytest.approx([0.0, np.log(2), 200.0])


def test_logsumexp_of_large_numbers(engine_name: str):
    got = value_of(
        engine_name, lambda x: xp.logsumexp(x, axis=1), np.array([[1000.0, 1000.0], [-1000.0, 0.0]], np.float32)
    )
    assert got.tolist() == pytest.approx([1000 + np.log(2), 0.0])


def test_normalize_leaves_zero_alone(engine_name: str):
    x = np.array([[3.0, 4.0], [0.0, 0.0]], np.float32)
    np.testing.assert_allclose(value_of(engine_name, xp.normalize, x), [[0.6, 0.8], [0.0, 0.0]], atol=1e-6)
    slope = gradient_of(engine_name, lambda x: xp.namespace(x).sum(xp.normalize(x)), x)
    assert np.isfinite(slope).all()


def test_masked_values_vanish_under_logsumexp(engine_name: str):
    x, mask = np.array([[1.0, 50.0]], np.float32), np.array([[True, False]])
    got = value_of(engine_name, lambda x, mask: xp.logsumexp(xp.masked(x, mask), axis=1), x, mask)
    assert got.tolist() == pytest.approx([1.0])
