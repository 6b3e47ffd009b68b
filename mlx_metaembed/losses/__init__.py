"""Losses: pure functions of arrays, and beside each a frozen dataclass of its settings. Float32, in nats.

A loss of a recipe is a frozen dataclass, and one line in LOSSES:

    kind       its name in a recipe
    roles      the texts of a row that it needs
    optional   those that it also takes; where it needs none, it takes what there is
    targets    the columns that it needs; "teacher.*" is every teacher's vectors
    accepts    what a head may give: vector, code, sparse, tokens or scores
    several    whether it takes a head of each of those at once, the first in `outputs`, the rest in `others`
    fields     its settings, which are its TOML keys
    faults()               what is out of range, a line each
    __call__(sample)       the scalar to minimise, of a Sample, with the sample's widths
    held_bytes(sizes)      what it holds at most, its arguments aside

and where it has them:

    any_width       whether teachers' vectors may have another width than the head's
    least_rows      rows that a batch needs at least, 1 where it does not say

and where it needs more of its rows than their columns:

    row_faults(targets, names)      what is wrong with the rows' targets, a line each (row_faults.py)
    row_note(targets, names)        what is to be said of them, or nothing
    score_faults(targets, gives)    what is wrong with their scores for a head that gives this, a line each

`info_nce` and `triplet` are the functions of vectors: loss(anchors [B, D], positives [B, D], negatives [B, N, D] or
None, mask bool [B, B + B * N]), where mask[i, c] says that candidate c (the positives of all rows, then the negatives
of row 0, of row 1, ...) counts for row i; a row's own positive always does. None holds rows by candidates whole.
"""

from mlx_metaembed.losses.angle import Angle
from mlx_metaembed.losses.batch_all_triplet import BatchAllTriplet
from mlx_metaembed.losses.batch_hard_triplet import BatchHardSoftMarginTriplet, BatchHardTriplet
from mlx_metaembed.losses.batch_semi_hard_triplet import BatchSemiHardTriplet
from mlx_metaembed.losses.contrastive import Contrastive
from mlx_metaembed.losses.cosent import CoSent
from mlx_metaembed.losses.cross_entropy import CrossEntropy
from mlx_metaembed.losses.distances import DISTANCES
from mlx_metaembed.losses.distillation import Distillation
from mlx_metaembed.losses.flops import Flops
from mlx_metaembed.losses.gist import Gist
from mlx_metaembed.losses.info_nce_of_vectors import info_nce
from mlx_metaembed.losses.infonce import InfoNce
from mlx_metaembed.losses.kl import Kl
from mlx_metaembed.losses.kl_in_batch import KlInBatch
from mlx_metaembed.losses.margin_mse import MarginMse
from mlx_metaembed.losses.mega_batch_margin import MegaBatchMargin
from mlx_metaembed.losses.mse import Mse
from mlx_metaembed.losses.nt_xent import NtXent
from mlx_metaembed.losses.online_contrastive import OnlineContrastive
from mlx_metaembed.losses.relative_similarity_distillation import RelativeSimilarityDistillation
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.self_distillation import SelfDistillation
from mlx_metaembed.losses.similarity_distillation import SimilarityDistillation
from mlx_metaembed.losses.sparse_scores import TokenIndex, sparse_scores, token_indexes
from mlx_metaembed.losses.spread_out import SpreadOut
from mlx_metaembed.losses.tiles import held_bytes
from mlx_metaembed.losses.triplet_of_vectors import triplet
from mlx_metaembed.losses.triplets import Triplet
from mlx_metaembed.losses.widths import Loss, at_widths, matryoshka

LOSSES = {
    each.kind: each
    for each in (
        *(InfoNce, Gist, Triplet, MegaBatchMargin, MarginMse, Kl, KlInBatch, SelfDistillation),
        *(CoSent, Angle, Mse, Contrastive, OnlineContrastive),
        *(NtXent, BatchHardTriplet, BatchHardSoftMarginTriplet, BatchSemiHardTriplet, BatchAllTriplet, CrossEntropy),
        *(Distillation, SimilarityDistillation, RelativeSimilarityDistillation, SpreadOut, Flops),
    )
}

__all__ = [
    "DISTANCES",
    "LOSSES",
    "Loss",
    "Sample",
    "Sizes",
    "TokenIndex",
    "at_widths",
    "held_bytes",
    "info_nce",
    "matryoshka",
    "sparse_scores",
    "token_indexes",
    "triplet",
]
