"""Peak bytes of one loss with its gradient, above what its arguments take.

MLX's allocator counts, or the whole process on torch's processor backend. Beside it the loss and the gradient's
length, which must not depend on the text: `--text plain` holds all cosines at once, once a width.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks import program
from benchmarks.loss_memory import WIDTHS, plain
from benchmarks.loss_memory.gradients import GRADIENTS
from mlx_metaembed.engine import choose
from mlx_metaembed.losses import info_nce, matryoshka

given = program.settings(engine="mlx", text="tiled", batch=2048)
engine = choose(given.engine)
gradients = GRADIENTS[given.engine]
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
