"""Losses: pure functions of vectors, float32, in nats, averaged over the rows; none holds rows by candidates whole.

B rows, N hard negatives a row, D features, C = B + B * N candidates (the positives of all rows, then the negatives of
row 0, of row 1, ...). One protocol: loss(anchors [B, D], positives [B, D], negatives [B, N, D] or None, mask bool
[B, C]), where mask[i, c] says that candidate c counts for row i; a row's own positive always does.
"""

from mlx_metaembed.losses.contrastive import info_nce
from mlx_metaembed.losses.interim import LOSSES
from mlx_metaembed.losses.sparse_scores import Places, places, sparse_scores
from mlx_metaembed.losses.tiles import held_bytes
from mlx_metaembed.losses.triplets import DISTANCES, triplet
from mlx_metaembed.losses.widths import Loss, matryoshka

__all__ = [
    "DISTANCES",
    "LOSSES",
    "Loss",
    "Places",
    "held_bytes",
    "info_nce",
    "matryoshka",
    "places",
    "sparse_scores",
    "triplet",
]
