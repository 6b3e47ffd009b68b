"""Peak bytes of one loss on a teacher's vectors with its gradient, above what its arguments take.

As `metaembed.py` beside it: `--text plain` holds all pairs of texts at once, or all pairs of pairs.
"""

import numpy as np

from benchmarks import program
from benchmarks.loss_memory import TAUGHT, plain
from benchmarks.loss_memory.gradients import GRADIENTS
from mlx_metaembed.engine import choose
from mlx_metaembed.heads.output import Output
from mlx_metaembed.losses import LOSSES, Sample

FEATURES, TEACHER = 384, 768

given = program.settings(engine="mlx", text="blocks", loss="gist", batch=0)
engine = choose(given.engine)
gradients = GRADIENTS[given.engine]
loss, random = LOSSES[given.loss](), np.random.default_rng(0)
roles = ("text",) if "text" in loss.roles else ("anchor", "positive")


def drawn(rows: int, features: int) -> list:
    """Vectors of each role, later roles' near the first's."""
    first = random.standard_normal((rows, features)).astype(np.float32)
    others = [first + 5 * random.standard_normal(first.shape).astype(np.float32) for _ in roles[1:]]
    return [engine.array(each) for each in (first, *others)]


def ours(taught: list, *columns: object) -> object:
    """The kit's loss of the columns."""
    names = ["teacher.a"] if roles == ("text",) else [f"teacher.{role}.a" for role in roles]
    outputs = {role: Output("vector", column) for role, column in zip(roles, columns, strict=True)}
    return loss(Sample(outputs, targets=dict(zip(names, taught, strict=True))))


def called(rows: int) -> tuple:
    """What makes the loss of its columns, and these."""
    taught = drawn(rows, TEACHER)
    text = ours if given.text == "blocks" else plain.TAUGHT[given.loss]
    return lambda *columns: text(taught, *columns), drawn(rows, FEATURES)


of, at = called(given.batch or TAUGHT[given.loss])
engine.memory(reset=True)
# A small call loads what the engine loads once, and the peak is then what stands before the loss.
gradients(*called(8))
before = engine.memory()
value, found = gradients(of, at)
program.answer(
    peak_bytes=engine.memory() - before,
    loss=value.item(),
    grad_norm=float(np.sqrt(sum(np.square(engine.numpy(each)).sum() for each in found))),
    device=engine.device,
)
