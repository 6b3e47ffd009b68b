"""The digits that a language model knows: names, levels and labels, as a scheme has them or as rows show them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.errors import CallError
from mlx_metaembed.semantic_ids.scheme import Scheme, parsed


@dataclass(frozen=True)
class Levels:
    """Digits by their names ("" for none), numbers of levels, and labels."""

    names: tuple[str, ...]
    counts: tuple[int, ...]
    labels: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of_scheme(cls, scheme: Scheme, digits: int | None = None) -> "Levels":
        """Those of a scheme, or of its first `digits`. Raises CallError where it has fewer."""
        if digits is not None and not 1 <= digits <= len(scheme.digits):
            raise CallError(f"The scheme has {len(scheme.digits)} digits; expected 1 to so many, not {digits}")
        chosen = scheme.digits[:digits]
        names, labels = (tuple(each.name for each in chosen), tuple(each.labels for each in chosen))
        return cls(names, tuple(each.levels for each in chosen), labels)

    @classmethod
    def of_rows(cls, ids: Sequence[Sequence[int]]) -> "Levels":
        """Those that IDs [n, d] show: each digit from 0 to its largest."""
        most = np.asarray(ids).max(axis=0)
        return cls(("",) * len(most), tuple(int(level) + 1 for level in most))

    @property
    def none(self) -> np.ndarray:
        """The digits that stand for no ID, int32 [d]: of each the number of its levels."""
        return np.array(self.counts, np.int32)

    def parse(self, text: str) -> tuple[int, ...]:
        """`"3.5.2.1"` as digits. Raises CallError for what is no ID of these."""
        return parsed(text, self.names, self.counts)

    def spoken(self, at: int) -> str:
        """What a digit is called."""
        return self.names[at] or f"digit {at + 1}"

    def label(self, at: int, level: int) -> str:
        """What a level is called; "" where it has no name."""
        labels = self.labels[at] if at < len(self.labels) else ()
        return labels[level] if level < len(labels) else ""
