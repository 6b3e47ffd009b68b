"""A scheme of IDs: its digits in order, vectors to IDs and back.

n vectors of D features, d digits. What the digits stand for adds up: an ID's vector is the sum of its levels'.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.codes.codec import checked
from mlx_metaembed.errors import CallError
from mlx_metaembed.semantic_ids.digit import Digit

BLOCK = 16_384


@dataclass(frozen=True, eq=False)
class Scheme:
    """The digits, named axes before code digits; `mean` [D] is what an ID without digits stands for."""

    mean: np.ndarray
    digits: tuple[Digit, ...]

    @property
    def dimensions(self) -> int:
        return len(self.mean)

    @property
    def levels(self) -> tuple[int, ...]:
        return tuple(digit.levels for digit in self.digits)

    @property
    def axes(self) -> list[Digit]:
        """The digits with names."""
        return [digit for digit in self.digits if digit.is_axis]

    def encode(self, vectors: np.ndarray) -> np.ndarray:
        """IDs uint16 [n, d] of vectors [n, D]. Raises CallError for another width, or vectors that are not finite."""
        vectors = require(vectors, self.dimensions)
        found = np.empty((len(vectors), len(self.digits)), np.uint16)
        for first in range(0, len(vectors), BLOCK):
            part = vectors[first : first + BLOCK]
            left = part - self.mean
            for at, digit in enumerate(self.digits):
                levels = digit.of(part if digit.is_axis else left)
                left = left - digit.centroids[levels]
                found[first : first + BLOCK, at] = levels
        return found

    def decode(self, ids: np.ndarray) -> np.ndarray:
        """What IDs [n, d] stand for, float32 [n, D]; with fewer digits than d, what their prefix does."""
        found = np.repeat(self.mean[None], len(ids), axis=0)
        for digit, levels in zip(self.digits, np.asarray(ids).T, strict=False):
            found += digit.centroids[levels]
        return found

    def parse(self, text: str, *, prefix: bool = False) -> tuple[int, ...]:
        """`"3.5.2.1"` as digits; with `prefix` fewer do. Raises CallError for what is no ID of this scheme."""
        return parsed(text, [digit.name for digit in self.digits], self.levels, prefix=prefix)


def parsed(text: str, names: Sequence[str], levels: Sequence[int], *, prefix: bool = False) -> tuple[int, ...]:
    """`"3.5.2.1"` as digits, of names ("" for none) and numbers of levels; with `prefix` fewer do.

    Raises CallError for what is no ID of these digits, with the range of each that is out of it.
    """
    parts = text.strip().split(".")
    whole = [part.isascii() and part.isdigit() and len(part) < 6 for part in parts]
    most = len(levels)
    if not all(whole) or not (1 <= len(parts) <= most if prefix else len(parts) == most):
        least, last = ".".join("0" * most), spelled([count - 1 for count in levels])
        raise CallError(f"{text!r:.80} is no ID of this scheme; expected {most} digits like {least}, up to {last}")
    digits = tuple(map(int, parts))
    wrong = [
        f"{name or f'digit {at}'} is {level}, and has 0 to {count - 1}"
        for at, (name, count, level) in enumerate(zip(names, levels, digits, strict=False), start=1)
        if level >= count
    ]
    if wrong:
        raise CallError(f"The ID {text} is out of range: {'; '.join(wrong)}")
    return digits


def spelled(digits: Sequence[int]) -> str:
    """Digits as an ID is written: `3.5.2.1`."""
    return ".".join(str(int(digit)) for digit in digits)


def require(vectors: np.ndarray, width: int | None = None) -> np.ndarray:
    """The vectors [n, D] as float32. Raises CallError for another width, or with the rows that are not finite."""
    return checked(np.asarray(vectors, np.float32), width)
