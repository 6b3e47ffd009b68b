"""What one loss is given of one batch: the outputs of its head by role, the mask of candidates, the targets.

B rows, N negatives a row, D features, L tokens a text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlx_metaembed.heads.output import Output
from mlx_metaembed.xp import Array, constant, namespace

Outputs = Mapping[str, Output]
"""By role: anchor, positive, sentence1, sentence2, text [B ...], negative [B * N ...], row 0's first."""


@dataclass(frozen=True)
class Sample:
    """One batch as one loss sees it.

    `mask` bool [B, B + B * N] says which candidates count for each row: all positives, then all negatives; None where
    all do. `targets` are score float32 [B], label int32 [B], positive_score [B], negative_score [B, N] and
    teacher.<name> [B, D]; a loss on several roles has teacher.<role>.<name> of each, of negatives [B, N, D]. `widths`
    and `weights` are Matryoshka's. `others` are the outputs of the other heads, for a loss that takes several.
    """

    outputs: Outputs
    mask: Array | None = None
    targets: Mapping[str, Array] = field(default_factory=dict)
    widths: Sequence[int] = ()
    weights: Sequence[float] = ()
    others: Sequence[Outputs] = ()

    def candidates(self) -> Array:
        """Which candidates count, bool [B, B + B * N]: those of the mask, all where there is none, and a row's own."""
        anchors = self.outputs["anchor"]
        rows, columns = len(anchors), len(anchors) + len(self.outputs.get("negative", ()))
        if self.mask is None:
            return constant(np.ones((rows, columns), bool), anchors.array)
        return self.mask | constant(np.eye(rows, columns, dtype=bool), anchors.array)

    def documents(self) -> list[Output]:
        """The outputs of the positives, and of the negatives where there are any."""
        return [self.outputs[role] for role in ("positive", "negative") if role in self.outputs]

    def own_negatives(self) -> Array:
        """Which of each row's own negatives count, bool [B, N]."""
        mask = self.candidates()
        rows, count = mask.shape
        columns = np.arange(rows, count, dtype=np.int32).reshape(rows, -1)
        return namespace(mask).take_along_axis(mask, constant(columns, mask), axis=1)

    def shaped_negatives(self) -> Array | None:
        """The negatives' vectors [B, N, D], None without any."""
        if "negative" not in self.outputs:
            return None
        values = self.outputs["negative"].values
        return values.reshape(self.outputs["anchor"].values.shape[0], -1, values.shape[-1])


@dataclass(frozen=True)
class Sizes:
    """How large a sample is, for the plan: rows, candidates a row sees, features, widths, tokens a text, words.

    `token_features` are those of token vectors, `features` where they are 0; `copies` of a block of MaxSim's products
    are held by the engine on the way back. `teacher_features` are those of all teachers' vectors of one text.
    """

    rows: int
    candidates: int = 0
    features: int = 0
    widths: int = 1
    tokens: int = 1
    words: int = 0
    token_features: int = 0
    copies: int = 17
    teacher_features: int = 0

    @property
    def of_tokens(self) -> int:
        """Features of all of a text's token vectors."""
        return (self.token_features or self.features) * self.tokens

    def of_pairs(self) -> int:
        """Bytes of a loss that holds its texts' outputs, their gradients and a few copies, and no pairs of rows."""
        texts = self.rows + self.candidates
        return 24 * texts * max(self.words, self.of_tokens) * self.widths
