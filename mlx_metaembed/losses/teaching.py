"""What losses take of teachers: their vectors of a batch's texts, and the cosines of these, tile by tile.

R rows, C columns, T rows of a tile, G features of a teacher's.
"""

from dataclasses import dataclass

from mlx_metaembed.losses.sample import Sample
from mlx_metaembed.xp import Array, after, namespace, normalize


def unit_vectors(sample: Sample, role: str) -> list[Array]:
    """Each teacher's vectors [n, G] of the texts of a role, of length 1; of negatives row 0's first."""
    start = "teacher." if role == "text" else f"teacher.{role}."
    found = [x for name, x in sample.targets.items() if name.startswith(start)]
    return [normalize(x.reshape(-1, x.shape[-1])) for x in found]


@dataclass(frozen=True)
class TaughtScores:
    """The cosines of a teacher's rows [R, G] with its columns [C, G], both of length 1."""

    rows: Array
    columns: Array

    def tile(self, part: slice, scores: Array) -> Array:
        """The cosines [T, C] of a tile's rows; `scores` are what the model has for them."""
        # A lazy engine would otherwise hold the cosines of all tiles at once.
        return namespace(scores).matmul(after(self.rows[part], [scores]), self.columns.T)
