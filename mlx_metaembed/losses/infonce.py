"""InfoNCE of any head: each anchor's own positive among all candidates of the batch."""

from dataclasses import asdict, dataclass
from typing import ClassVar

from mlx_metaembed.losses.directions import DIRECTIONS, HARDNESS
from mlx_metaembed.losses.held import tiles_bytes
from mlx_metaembed.losses.info_nce_of_scores import info_nce_of_scores
from mlx_metaembed.losses.info_nce_of_vectors import info_nce
from mlx_metaembed.losses.sample import Sample, Sizes
from mlx_metaembed.losses.settings import below_zero, not_above_zero, not_finite, setting, similarity, unknown
from mlx_metaembed.losses.widths import at_widths
from mlx_metaembed.xp import Array


@dataclass(frozen=True)
class InfoNce:
    """Cross entropy of the own positive by score / temperature; arXiv:1807.03748, section 2.3."""

    kind: ClassVar[str] = "info_nce"
    roles: ClassVar[tuple[str, ...]] = ("anchor", "positive")
    optional: ClassVar[tuple[str, ...]] = ("negative",)
    targets: ClassVar[tuple[str, ...]] = ()
    accepts: ClassVar[tuple[str, ...]] = ("vector", "code", "sparse", "tokens")
    several: ClassVar[bool] = False
    least_rows: ClassVar[int] = 2
    temperature: float = setting(0.05, "Scores are divided by it.")
    symmetric: bool = setting(False, "Also from positive to anchor.")
    directions: tuple[str, ...] = setting(("query_to_doc",), "Candidates in one denominator.", DIRECTIONS)
    same_anchor: str = setting("left_out", "Other rows' positives of the same anchor.", ("left_out", "positives"))
    hardness_strength: float = setting(0.0, "Times a negative's score, added to its logit: hard ones count more.")
    hardness_mode: str = setting("all_negatives", "Which negatives hardness_strength is for.", HARDNESS)
    false_negative_margin: float | None = setting(None, "Leave out candidates that beat the positive by more.")
    false_negative_ratio: float | None = setting(None, "Leave out candidates over this share of the positive's score.")
    similarity: str = similarity()

    def faults(self) -> list[str]:
        found = not_above_zero(self, "temperature") + not_finite(self, "false_negative_margin")
        found += below_zero(self, "false_negative_ratio", "hardness_strength")
        found += unknown(self, "similarity", "same_anchor", "hardness_mode", "directions")
        if "query_to_doc" not in self.directions or (self.symmetric and len(self.directions) > 1):
            found.append(f"directions = {list(self.directions)}: expected query_to_doc among them, and no symmetric")
        return found

    def held_bytes(self, sizes: Sizes) -> int:
        return tiles_bytes(sizes, len(self.directions))

    def __call__(self, sample: Sample) -> Array:
        if sample.outputs["anchor"].gives not in ("vector", "code") or not self._is_of_cosines:
            return at_widths(lambda sample: info_nce_of_scores(sample, **asdict(self)), sample)
        names = ("temperature", "symmetric", "false_negative_margin", "false_negative_ratio")
        given = [sample.outputs[role].values for role in self.roles]
        options = {name: getattr(self, name) for name in names} | {"widths": sample.widths, "weights": sample.weights}
        return info_nce(*given, sample.shaped_negatives(), sample.candidates(), **options)

    @property
    def _is_of_cosines(self) -> bool:
        """Whether one product serves all widths."""
        plain = self.same_anchor == "left_out" and not self.hardness_strength
        return plain and len(self.directions) == 1 and self.similarity == "cosine"
