"""Losses in tiles against their plain texts: same value and gradient, and nothing of rows by candidates is held."""

import itertools
from functools import partial

import numpy as np
import pytest
from arrays import gradient_of, on, value_of

from benchmarks.loss_memory import plain
from benchmarks.memory.counted import counted
from mlx_metaembed.losses import held_bytes, info_nce, matryoshka, tiles, triplet

ROWS = 2 * tiles.TILE + 13
FILTERS = {
    "all count": {},
    "margin": {"false_negative_margin": 0.05},
    "ratio": {"false_negative_ratio": 0.9},
    "both": {"false_negative_margin": 0.05, "false_negative_ratio": 0.9},
}


def columns(negatives: int, features: int = 24, rows: int = ROWS) -> list[np.ndarray]:
    """Anchors, positives near them, negatives where there are any, and a mask with holes."""
    random = np.random.default_rng(3)
    anchors, positives = random.standard_normal((2, rows, features)).astype(np.float32)
    mask = random.random((rows, rows * (1 + negatives))) < 0.9
    np.fill_diagonal(mask, True)
    hard = [random.standard_normal((rows, negatives, features)).astype(np.float32)] if negatives else []
    return [anchors, positives + anchors / 2, *hard, mask]


def on_columns(loss):
    """A loss of three or four columns as one of these, with or without negatives."""
    return lambda anchors, positives, *rest: loss(anchors, positives, rest[0] if len(rest) > 1 else None, rest[-1])


def check(engine_name: str, loss, referee, given: list[np.ndarray]) -> None:
    """The value of the float64 referee, and its gradient at every column as the engine derives it."""
    loss, referee = on_columns(loss), on_columns(referee)
    wide = [*(x.astype(np.float64) for x in given[:-1]), given[-1]]
    assert value_of(engine_name, loss, *given) == pytest.approx(referee(*wide), rel=1e-5)
    for place in range(len(given) - 1):
        # The gradient is that of a function's first argument.
        turned = [given[place], *given[:place], *given[place + 1 :]]
        got, expected = (gradient_of(engine_name, _turned(of, place), *turned) for of in (loss, referee))
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-5 * np.abs(expected).max())


def _turned(of, place: int):
    """`of` with its argument `place` first."""
    return lambda x, *rest: of(*rest[:place], x, *rest[place:])


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("negatives", [0, 2])
def test_info_nce(engine_name: str, negatives: int, symmetric: bool, filters: str):
    settings = {"symmetric": symmetric} | FILTERS[filters]
    check(engine_name, partial(info_nce, **settings), partial(plain.info_nce, **settings), columns(negatives))


@pytest.mark.parametrize("dims", [(24, 12, 4), (4, 10, 4)], ids=str)
@pytest.mark.parametrize(("symmetric", "filters"), [(False, "all count"), (True, "both")])
def test_one_product_serves_all_widths(engine_name: str, symmetric: bool, filters: str, dims: tuple[int, ...]):
    settings, weights = {"symmetric": symmetric, "temperature": 0.1} | FILTERS[filters], (1.0, 0.5, 3.0)
    referee = matryoshka(partial(plain.info_nce, **settings), dims, weights)
    check(engine_name, partial(info_nce, widths=dims, weights=weights, **settings), referee, columns(1))


@pytest.mark.parametrize("settings", [{}, {"distance": "euclidean"}, {"soft_margin": True}], ids=str)
def test_triplet(engine_name: str, settings: dict):
    check(engine_name, partial(triplet, **settings), partial(plain.triplet, **settings), columns(2))


@pytest.mark.parametrize("name", ["info_nce", "triplet"])
def test_the_gradient_is_right_inside_of_a_callers_function(engine_name: str, name: str):
    given = columns(1, rows=9)
    losses = {"info_nce": partial(info_nce, widths=(24, 8)), "triplet": partial(triplet, margin=0.5)}
    plains = {"info_nce": matryoshka(plain.info_nce, (24, 8)), "triplet": partial(plain.triplet, margin=0.5)}

    def around(loss):
        # A head before the loss, and a value that the loss is only a part of.
        return lambda x, *rest: 3 * loss(x * x + x, *rest) * loss(x, *rest)

    got, expected = (gradient_of(engine_name, around(each[name]), *given) for each in (losses, plains))
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def test_torch_keeps_no_tile_for_the_way_back(torch_engine: str):
    import torch

    given = [on(torch_engine, x) for x in columns(1, features=8)]
    for loss in (partial(info_nce, widths=(8, 4), symmetric=True, false_negative_margin=0.1), triplet):
        kept = []
        inputs = [x.requires_grad_() for x in given[:-1]]
        with torch.autograd.graph.saved_tensors_hooks(lambda x, kept=kept: kept.append(x.numel()) or x, lambda x: x):
            loss(*inputs, given[-1])
        # Candidates times features, where a matrix of cosines is rows times candidates.
        assert 0 < max(kept) <= 2 * ROWS * 8


def test_torch_compiles_it_whole(torch_engine: str):
    import torch

    given = [on(torch_engine, x) for x in columns(1, features=8)]
    for loss in (partial(info_nce, widths=(8, 4), symmetric=True, false_negative_margin=0.1), triplet):
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        assert compiled(*given).item() == pytest.approx(loss(*given).item(), rel=1e-6)


SHAPES = [(1024, 0, 96, 1), (1024, 1, 128, 3), (512, 3, 256, 1), (2048, 0, 64, 2)]


@pytest.mark.parametrize(("rows", "negatives", "features", "widths"), SHAPES)
def test_the_bytes_held_are_as_foretold(mlx_engine: str, rows: int, negatives: int, features: int, widths: int):
    *vectors, mask = (on(mlx_engine, x) for x in columns(negatives, features, rows))
    import mlx.core as mx

    dims = [features >> k for k in range(widths)]

    def loss(anchors, positives, *negatives):
        return info_nce(anchors, positives, negatives[0] if negatives else None, mask, widths=dims)

    mx.eval(vectors, mask)
    derived = mx.value_and_grad(loss, argnums=tuple(range(len(vectors))))
    # On a busy processor arrays may be gone before the next ones are asked for: the most of several passes.
    held = max(counted(mlx_engine, lambda: mx.eval(derived(*vectors))) for _ in range(5))
    foretold = held_bytes(rows, rows * (1 + negatives), features, widths)
    assert 0.6 * foretold < held < 1.25 * foretold


def test_the_bytes_foretold_grow_with_each_number_and_with_the_rows_only_by_their_vectors():
    given = (4096, 8192, 384, 2)
    for place in range(4):
        assert held_bytes(*(2 * n if at == place else n for at, n in enumerate(given))) > held_bytes(*given)
    sizes = [held_bytes(rows, rows, 384, 1) for rows in (4096, 8192, 16384)]
    assert all(later / earlier == 2 for earlier, later in itertools.pairwise(sizes))
