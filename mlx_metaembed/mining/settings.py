"""What is mined: how many negatives, from which ranks, by which margins. The words are sentence-transformers'."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.files.sizes import parse_size

STRATEGIES = ("top", "random")
FORMATS = ("n-tuple", "triplet", "list", "labeled-pair", "labeled-list")
SEARCHES = ("auto", "exact", "lists", "graph")
RELATIVE_MARGIN = 0.05
"""Drops what scores above 95 % of the positive: TopK-PercPos of NV-Retriever, arXiv:2407.15831, section 3.2."""


@dataclass(frozen=True)
class Settings:
    """How negatives are chosen among a query's nearest texts, as `mine_hard_negatives` means it.

    Ranks are counted from 0 among the texts that the margins leave. A candidate is dropped where its score is above the
    least of the query's positives' less `absolute_margin`, or less that share of it (`relative_margin`), above
    `max_score`, or under `min_score`.
    """

    num_negatives: int = 3
    range_min: int = 0
    range_max: int | None = None
    absolute_margin: float | None = None
    relative_margin: float | None = RELATIVE_MARGIN
    max_score: float | None = None
    min_score: float | None = None
    sampling_strategy: str = "top"
    include_positives: bool = False
    output_format: str = "n-tuple"
    output_scores: bool = False
    seed: int = 0
    search: str = "auto"
    memory: str = "8GB"

    def check(self) -> None:
        """Raise CallError with all that is wrong."""
        if wrong := list(self._faults()):
            raise wrong[0] if len(wrong) == 1 else faults("These settings can't be:", map(str, wrong))

    @property
    def memory_bytes(self) -> int:
        return parse_size(self.memory)

    def last_rank(self, most_positives: int, *, judged: bool) -> int:
        """`range_max`, or what sentence-transformers takes where none is given: more where some will be dropped."""
        if self.range_max is not None:
            return self.range_max
        bounds = [self.absolute_margin, self.relative_margin, self.max_score, self.min_score if judged else None]
        some = 10 if any(each is not None for each in bounds) else 1
        return self.range_min + some * self.num_negatives + most_positives

    def _faults(self) -> Iterator[CallError]:
        if self.num_negatives < 1:
            yield CallError(f"negatives = {self.num_negatives}: expected 1 or more a query")
        if self.range_min < 0:
            yield CallError(f"range_min = {self.range_min}: expected a rank, 0 or more")
        if self.range_max is not None and self.range_max <= max(self.range_min, 0):
            yield CallError(
                f"range_min = {self.range_min} and range_max = {self.range_max} leave no rank between them; "
                "expected a larger range_max"
            )
        elif self.range_max is not None and self.num_negatives > self.range_max - self.range_min:
            yield CallError(
                f"range_min = {self.range_min} and range_max = {self.range_max} leave "
                f"{self.range_max - self.range_min} ranks for {self.num_negatives} negatives; expected as many or more"
            )
        for name in ("absolute_margin", "relative_margin", "max_score", "min_score"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                yield CallError(f"{name} = {value}: expected a finite number")
        if (share := self.relative_margin) is not None and math.isfinite(share) and share > 1:
            yield CallError(
                f"relative_margin = {share:g}: expected a share of the positive's score, at most 1; 0.05 drops what "
                "scores above 95 % of it"
            )
        if self.max_score is not None and self.min_score is not None and self.max_score < self.min_score:
            yield CallError(f"max_score = {self.max_score} is under min_score = {self.min_score}: no score is between")
        for name, known in (("sampling_strategy", STRATEGIES), ("output_format", FORMATS), ("search", SEARCHES)):
            value = getattr(self, name)
            if value not in known:
                yield CallError(f"{name} = {value!r}{nearest(str(value), known) or ';'} one of {', '.join(known)}")
        if self.include_positives and self.output_format != "n-tuple":
            yield CallError(
                f"include_positives gives a ranking, in the format n-tuple; found output_format = {self.output_format}"
            )
        if self.seed < 0:
            yield CallError(f"seed = {self.seed}: expected 0 or more")
        try:
            parse_size(self.memory)
        except CallError as error:
            yield error
