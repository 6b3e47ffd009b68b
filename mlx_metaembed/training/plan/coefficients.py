"""How many numbers a token a layer holds, times its widths: measured, by form of layer and engine.

`python -m benchmarks.memory passes` measures them: peaks of single passes at its shapes and two depths, float32, on
processors, by MLX's counters and by torch's profiler. MLX keeps the weights of attention; torch's kernel does not, but
for T5's bias, and keeps a mask. On Metal MLX runs the same graph in training; there and on CUDA the figures are
reckoned from these.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Numbers:
    """Numbers a token: so many times the hidden width, the intermediate width, heads x length, the length, and what
    queries have beyond the hidden width.
    """

    hidden: float
    wide: float
    scores: float = 0.0
    mask: float = 0.0
    beyond: float = 0.0

    def of(self, *, hidden: int, wide: float, heads: int, length: int, query: int) -> float:
        scores = (self.scores * heads + self.mask) * length
        return self.hidden * hidden + self.wide * wide + scores + self.beyond * (query - hidden)


@dataclass(frozen=True)
class Form:
    """A layer's cost: what it keeps for the backward pass, and what the pass works with beside all that is kept.

    `adapter`: beside an adapter the layer's own matrices take no gradient. `again`: with checkpointing. `forward`: what
    a pass without a gradient works with.
    """

    kept: Numbers
    work: Numbers
    adapter_kept: Numbers
    adapter_work: Numbers
    again_kept: Numbers
    again_work: Numbers
    forward: Numbers


FORMS = {
    "mlx": {
        "bert": Form(
            kept=Numbers(9.7, 3, 1.1),
            work=Numbers(32.8, 4.4, 3.1),
            adapter_kept=Numbers(8.3, 3, 1, 0.3),
            adapter_work=Numbers(17.6, 5.4, 2.9, 0.3),
            again_kept=Numbers(1, 0),
            again_work=Numbers(10.5, 14, 0.9),
            forward=Numbers(21.2, 6.8, 1.6),
        ),
        "gated": Form(
            kept=Numbers(11.9, 5, 1, 0.2),
            work=Numbers(32, 3, 2.9, 0.1),
            adapter_kept=Numbers(10.4, 5, 0.9, 0.5),
            adapter_work=Numbers(17.5, 3.9, 3),
            again_kept=Numbers(1, 0),
            again_work=Numbers(22.8, 6.3, 2),
            forward=Numbers(24.3, 1.7, 0.9, 3.3),
        ),
        "modernbert": Form(
            kept=Numbers(12, 5, 1.2),
            work=Numbers(35, 6.6, 1.3, 1.4),
            adapter_kept=Numbers(11.4, 4.7, 1.1, 0.5),
            adapter_work=Numbers(16.8, 7.8, 1.7),
            again_kept=Numbers(1, 0),
            again_work=Numbers(14, 19.5, 0.9, 1.1),
            forward=Numbers(23.2, 5, 0.9, 0.8),
        ),
        "decoder": Form(
            kept=Numbers(11.7, 5.1, 1, 0.1, 6),
            work=Numbers(27.8, 2.6, 1.8, 1.8, 16.1),
            adapter_kept=Numbers(8.6, 5.1, 1, 0.3, 4.4),
            adapter_work=Numbers(16.2, 4, 1.9, 1.4, 8.1),
            again_kept=Numbers(1, 0),
            again_work=Numbers(22.8, 6.9, 2.6, 2.5, 14.2),
            forward=Numbers(19.7, 2, 1, 0.4, 11.5),
        ),
        "t5": Form(
            kept=Numbers(12.2, 1.9, 0.9, 0.2, 4.4),
            work=Numbers(30.1, 1.3, 4, 0.1, 19.3),
            adapter_kept=Numbers(8.8, 2, 0.9, 0.2, 4.1),
            adapter_work=Numbers(19.6, 2.2, 2, 0.3, 12.3),
            again_kept=Numbers(0, 0, 1),
            again_work=Numbers(24.3, 1.6, 1.8, 0.7, 13.8),
            forward=Numbers(28.3, 1.7, 2.9, 0.5, 17),
        ),
        "t5_gated": Form(
            kept=Numbers(10, 7.3, 0.7, 0.3, 3.4),
            work=Numbers(27.1, 3.2, 4.1, 0, 16.5),
            adapter_kept=Numbers(8.1, 7.1, 1, 0.3, 3.8),
            adapter_work=Numbers(19.1, 5, 1.9, 0.3, 12.8),
            again_kept=Numbers(0.3, 0, 1, 0.1),
            again_work=Numbers(14.7, 13.9, 0.4, 0, 4.5),
            forward=Numbers(26.1, 4, 2.9, 0.5, 15.9),
        ),
    },
    "torch": {
        "bert": Form(
            kept=Numbers(8, 2, 0, 1),
            work=Numbers(1.2, 1),
            adapter_kept=Numbers(8.5, 2, 0, 0.9),
            adapter_work=Numbers(0, 1),
            again_kept=Numbers(1, 0),
            again_work=Numbers(9.1, 2.9, 0, 1.1),
            forward=Numbers(4.2, 1.8, 0, 0.1),
        ),
        "gated": Form(
            kept=Numbers(8.1, 4, 0, 1),
            work=Numbers(1.1, 2),
            adapter_kept=Numbers(8.6, 4, 0, 0.9),
            adapter_work=Numbers(0.1, 2),
            again_kept=Numbers(1, 0),
            again_work=Numbers(8.2, 6, 0, 1.2),
            forward=Numbers(4, 3, 0, 0.2),
        ),
        "modernbert": Form(
            kept=Numbers(10.1, 4, 0, 1),
            work=Numbers(1, 2),
            adapter_kept=Numbers(10.6, 4, 0, 0.8),
            adapter_work=Numbers(0, 1.9),
            again_kept=Numbers(1, 0),
            again_work=Numbers(11.1, 6, 0, 1.5),
            forward=Numbers(5, 4, 0, 0.5),
        ),
        "decoder": Form(
            kept=Numbers(13, 4, 0, 1, 6.9),
            work=Numbers(2.2, 1.7),
            adapter_kept=Numbers(10.1, 4, 0, 0.8, 5.6),
            adapter_work=Numbers(1.3, 1.7),
            again_kept=Numbers(1, 0),
            again_work=Numbers(13.1, 6, 0, 1.3, 6.9),
            forward=Numbers(3.8, 3, 0, 0.5),
        ),
        "t5": Form(
            kept=Numbers(10, 1, 1, 0.1, 4),
            work=Numbers(0.6, 0.7, 1.6, 0, 3),
            adapter_kept=Numbers(8.7, 1, 1, 0, 4.2),
            adapter_work=Numbers(0.3, 1.6, 0.2, 0, 0.2),
            again_kept=Numbers(1, 0),
            again_work=Numbers(8.1, 1.8, 2.8, 0, 7.4),
            forward=Numbers(3.4, 0.9, 2, 0.2, 2.7),
        ),
        "t5_gated": Form(
            kept=Numbers(10.1, 7, 0.9, 0.2, 3.9),
            work=Numbers(1.2, 1.7, 0.3, 0, 0.5),
            adapter_kept=Numbers(8.8, 7, 0.9, 0.1, 4.2),
            adapter_work=Numbers(1.3, 1.6),
            again_kept=Numbers(1, 0),
            again_work=Numbers(8.5, 8.8, 1.5, 0, 5),
            forward=Numbers(3.2, 2.7, 1.5, 0, 3.3),
        ),
    },
}
