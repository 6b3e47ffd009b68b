"""MaxSim against own lists: in blocks what the plain text gives, and no products held."""

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from benchmarks.memory.counted import counted
from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import maxsim
from mlx_metaembed.losses.own_maxsim import own_maxsim
from mlx_metaembed.xp import constant, masked, namespace

ROWS, LISTS, LENGTH, TOKENS, FEATURES = 5, 3, 4, 6, 7


def given(rows: int = ROWS, lists: int = LISTS) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Queries and candidates with masks: one query and one candidate without a token, and a token that is there twice,
    so that two of a candidate's are the best."""
    random = np.random.default_rng(5)
    queries = random.standard_normal((rows, LENGTH, FEATURES)).astype(np.float32)
    documents = random.standard_normal((rows * lists, TOKENS, FEATURES)).astype(np.float32)
    documents[0, 1] = documents[0, 2] = 3 * queries[0, 0]
    mask = np.arange(LENGTH) < random.integers(1, LENGTH + 1, (rows, 1))
    document_mask = np.arange(TOKENS) < random.integers(3, TOKENS + 1, (rows * lists, 1))
    mask[1], document_mask[4] = False, False
    return [queries, documents], mask, document_mask


def plain(queries, documents, mask, document_mask, mean):
    """The paper's text, all products at once: [R, N]."""
    xp, rows = namespace(queries), queries.shape[0]
    documents = documents.reshape(rows, -1, *documents.shape[1:])
    document_mask = document_mask.reshape(rows, -1, 1, document_mask.shape[1])
    products = xp.matmul(queries[:, None], xp.swapaxes(documents, 2, 3))
    best = xp.max(masked(products, constant(document_mask, queries)), axis=3)
    tokens = np.maximum(mask.sum(axis=1), 1) if mean else np.ones(rows)
    shares = mask[:, None, :] * document_mask.any(axis=3) / tokens[:, None, None]
    return xp.sum(best * constant(shares.astype(np.float32), queries), axis=2)


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("most", [1, 2 * LENGTH * TOKENS, 2 * LISTS * LENGTH * TOKENS, 1 << 20])
def test_blocks_of_any_size_give_the_plain_text(engine_name: str, most: int, mean: bool, monkeypatch):
    monkeypatch.setattr(maxsim, "MOST_PRODUCTS", most)
    arrays, mask, document_mask = given()
    toward = np.random.default_rng(6).standard_normal((ROWS, LISTS)).astype(np.float32)

    def ours(queries, documents):
        of = Output("tokens", queries, mask=mask, mean=mean)
        return own_maxsim(of, Output("tokens", documents, mask=document_mask))

    def theirs(queries, documents):
        return plain(queries, documents, mask, document_mask, mean)

    def at_documents(of):
        return lambda documents, queries: of(queries, documents)

    def weighed(of):
        return lambda *values: namespace(values[0]).sum(of(*values) * constant(toward, values[0]))

    wide = [x.astype(np.float64) for x in arrays]
    np.testing.assert_allclose(ours(*wide), theirs(*wide), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(value_of(engine_name, ours, *arrays), theirs(*wide), rtol=1e-5, atol=1e-5)
    slopes = [gradient_of(engine_name, weighed(of), *arrays) for of in (ours, theirs)]
    np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-5)
    slopes = [gradient_of(engine_name, weighed(at_documents(of)), *arrays[::-1]) for of in (ours, theirs)]
    np.testing.assert_allclose(*slopes, rtol=1e-4, atol=1e-5)


def test_one_block_of_products_is_held(mlx_engine: str, monkeypatch: pytest.MonkeyPatch):
    import mlx.core as mx

    monkeypatch.setattr(maxsim, "MOST_PRODUCTS", 1 << 13)
    random, rows, lists = np.random.default_rng(0), 16, 64
    arrays = [random.standard_normal((n, 32, 4)).astype(np.float32) for n in (rows, rows * lists)]
    masks = [np.ones((n, 32), bool) for n in (rows, rows * lists)]

    def loss(queries, documents):
        outputs = (Output("tokens", x, mask=mask) for x, mask in zip((queries, documents), masks, strict=True))
        return mx.sum(own_maxsim(*outputs))

    values = [on(mlx_engine, x) for x in arrays]
    mx.eval(values)
    derived = mx.value_and_grad(loss, argnums=(0, 1))
    held = max(counted(mlx_engine, lambda: mx.eval(derived(*values))) for _ in range(2))
    documents, products = 4 * rows * lists * 32 * 4, 4 * rows * lists * 32 * 32
    assert held < 2.5 * documents + 20 * 4 * (1 << 13)
    assert products > 1.5 * held
