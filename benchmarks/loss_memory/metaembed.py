"""Peak bytes of one loss with its gradient, above what its arguments take.

MLX's allocator counts, or the whole process on torch's processor backend. Beside it the loss and the gradient's
length, which must not depend on the text: `--text plain` holds all cosines at once, once a width.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import program
from benchmarks.loss_memory import WIDTHS, plain
from mlx_metaembed.engine import choose
from mlx_metaembed.losses import info_nce, matryoshka


def mlx_gradients(loss: Callable, columns: list) -> tuple:
    """The loss at the three columns, and its gradients there."""
    import mlx.core as mx

    value, found = mx.value_and_grad(loss, argnums=(0, 1, 2))(*columns)
    mx.eval(value, found)
    return value, found


def torch_gradients(loss: Callable, columns: list) -> tuple:
    """The loss at the three columns, and its gradients there."""
    columns = [column.requires_grad_() for column in columns]
    value = loss(*columns)
    value.backward()
    return value, [column.grad for column in columns]


given = program.settings(engine="mlx", text="tiled", batch=2048)
engine = choose(given.engine)
gradients = {"mlx": mlx_gradients, "torch": torch_gradients}[given.engine]
random = np.random.default_rng(0)


def columns(rows: int) -> list:
    """Anchors, positives near them, and one hard negative each."""
    vectors = random.standard_normal((3, rows, WIDTHS[0])).astype(np.float32)
    vectors[1] += 0.5 * vectors[0]
    return [engine.array(each) for each in (vectors[0], vectors[1], vectors[2][:, None, :])]


def loss(rows: int) -> Callable:
    """The loss of so many rows, all candidates counting."""
    mask = engine.array(np.ones((rows, 2 * rows), bool))
    text = partial(info_nce, widths=WIDTHS) if given.text == "tiled" else matryoshka(plain.info_nce, WIDTHS)
    return lambda *columns: text(*columns, mask)


of, at = loss(given.batch), columns(given.batch)
engine.memory(reset=True)
# A small call loads what the engine loads once, and the peak is then what stands before the loss.
gradients(loss(8), columns(8))
before = engine.memory()
value, found = gradients(of, at)
program.answer(
    peak_bytes=engine.memory() - before,
    loss=value.item(),
    grad_norm=float(np.sqrt(sum(np.square(engine.numpy(each)).sum() for each in found))),
    device=engine.device,
)
