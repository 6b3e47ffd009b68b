"""How many numbers a token a layer holds, times its widths: measured, by form of layer and engine.

`python -m benchmarks.memory passes` measures them: peaks of single passes at ten shapes and two depths, float32, on
processors, by MLX's counters and by torch's profiler. MLX keeps the weights of attention; torch's kernel does not, but
for T5's bias, and keeps a mask. On Metal MLX runs the same graph in training; there and on CUDA the figures are
reckoned from these.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    """Numbers a token: so many times the hidden width, the intermediate width, heads x length, and the length."""

    hidden: float
    wide: float
    scores: float = 0.0
    mask: float = 0.0

    def of(self, *, hidden: int, wide: float, heads: int, length: int) -> float:
        return self.hidden * hidden + self.wide * wide + (self.scores * heads + self.mask) * length


@dataclass(frozen=True)
class Form:
    """A layer's cost: what it keeps for the backward pass, and what the pass works with beside all that is kept."""

    kept: Numbers
    work: Numbers
    adapter_kept: Numbers
    """Beside an adapter the layer's own matrices take no gradient."""
    adapter_work: Numbers
    forward: Numbers
    """What a pass without a gradient holds."""
    again: tuple[Numbers, ...]
    """What a layer that is computed again works with: the largest of several."""
    again_kept: Numbers = Numbers(1, 0)


FORMS = {
    "mlx": {
        "bert": Form(
            Numbers(10.5, 2.6, 1),
            Numbers(28.8, 8, 3.7),
            Numbers(8.5, 2.6, 1),
            Numbers(16.8, 8, 3.7),
            Numbers(22.9, 6.5, 1.9),
            (Numbers(14.5, 0.3, 3), Numbers(11.9, 13.4, 1)),
        ),
        "gated": Form(
            Numbers(12.2, 5, 1),
            Numbers(31.8, 4, 3),
            Numbers(10.2, 5, 1),
            Numbers(19.8, 4, 3),
            Numbers(23.8, 2.5, 1.9),
            (Numbers(27, 7, 2.7),),
        ),
        "modernbert": Form(
            Numbers(12.2, 5, 1.05),
            Numbers(32.8, 8, 3.3),
            Numbers(10.2, 5, 1.05),
            Numbers(20.8, 8, 3.3),
            Numbers(22.2, 5, 1.05),
            (Numbers(21, 17, 2.3),),
        ),
        "decoder": Form(
            Numbers(14, 5.2, 1.03),
            Numbers(31, 2, 2.9),
            Numbers(12, 5.2, 1.03),
            Numbers(19, 2, 2.9),
            Numbers(23.8, 2, 1.1),
            (Numbers(30.8, 8.4, 1), Numbers(30.8, 0.8, 3.7)),
        ),
        "t5": Form(
            Numbers(12, 2, 1),
            Numbers(30.5, 2.3, 4.1),
            Numbers(10, 2, 1),
            Numbers(18.5, 2.3, 4.1),
            Numbers(27.2, 2.2, 3.3),
            (Numbers(26.3, 1.6, 2),),
            Numbers(1, 0, 1),
        ),
        "t5_gated": Form(
            Numbers(9.9, 7, 1),
            Numbers(31, 3.3, 3.5),
            Numbers(7.9, 7, 1),
            Numbers(19, 3.3, 3.5),
            Numbers(26.2, 4, 3.2),
            (Numbers(27.6, 0, 2.1), Numbers(18.2, 13.1, 1)),
            Numbers(1, 0, 1),
        ),
    },
    "torch": {
        "bert": Form(
            Numbers(8, 2, 0, 1),
            Numbers(1.3, 1),
            Numbers(8.4, 2.1, 0, 0.9),
            Numbers(0.1, 1),
            Numbers(5, 1.5, 0, 0.3),
            (Numbers(10, 2.6, 0, 1.2),),
        ),
        "gated": Form(
            Numbers(8.1, 4, 0, 1),
            Numbers(1.1, 2),
            Numbers(8.4, 4.1, 0, 0.9),
            Numbers(0.3, 2),
            Numbers(4, 3, 0, 0.3),
            (Numbers(8.9, 5.5, 0, 1.6),),
        ),
        "modernbert": Form(
            Numbers(10.1, 4, 0, 1),
            Numbers(1.1, 2),
            Numbers(10.5, 4.1, 0, 0.9),
            Numbers(0, 1.9),
            Numbers(5, 4, 0, 0.5),
            (Numbers(11.2, 6, 0, 1.5),),
        ),
        "decoder": Form(
            Numbers(20.1, 4, 0, 1),
            Numbers(2.9, 1.6),
            Numbers(15.6, 4.1, 0, 0.9),
            Numbers(1.9, 1.4),
            Numbers(11.5, 1.1, 0, 0.5),
            (Numbers(18.8, 6.4, 0, 1.2),),
        ),
        "t5": Form(
            Numbers(10.1, 1, 1),
            Numbers(2, 0.7, 1.4),
            Numbers(8.5, 1, 1),
            Numbers(0.5, 1.6, 0.3),
            Numbers(5.3, 0.6, 1.9),
            (Numbers(9.2, 2, 2.7),),
        ),
        "t5_gated": Form(
            Numbers(10.1, 7, 1),
            Numbers(1.8, 1.6, 0.2),
            Numbers(8.6, 7.1, 1),
            Numbers(1.8, 1.6, 0.1),
            Numbers(4.9, 2.6, 1.4),
            (Numbers(7, 10, 1.4),),
        ),
    },
}
