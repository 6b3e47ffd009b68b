"""What was measured of a model at one width, or as one code: its judgement, and what a vector takes and keeps."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlx_metaembed.evaluate import bootstrap
from mlx_metaembed.evaluate.judgement import Judgement


@dataclass(frozen=True)
class Measured:
    """`name` is the width (`"384"`), the code and the width (`"int8@384"`), or the code head."""

    name: str
    dimensions: int
    bytes_per_vector: int
    judgement: Judgement
    kept: Mapping[str, float | None]
    """Of retrieval kept_spearman, kept_r10 and kept_ndcg: what is left of the full-width float32 vectors."""

    def line(self, draws: int = 0, seed: int = 0) -> dict:
        """name, dimensions, bytes_per_vector, the figures, with `draws` each one's interval beside it, what is kept."""
        line = {"name": self.name, "dimensions": self.dimensions, "bytes_per_vector": self.bytes_per_vector}
        return line | bootstrap.with_intervals(self.judgement, draws, seed) | self.kept
