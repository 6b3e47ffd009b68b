"""All kinds of codecs by name, and how one is fitted: what may be asked of which, and what a sample must have."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlx_metaembed.codes.binary import Binary, PcaBinary
from mlx_metaembed.codes.codec import Codec, Told, checked, has_unit_length, silent
from mlx_metaembed.codes.int8 import Int8, UInt8
from mlx_metaembed.codes.prefix import Prefix
from mlx_metaembed.codes.product import Optimized, Product
from mlx_metaembed.codes.rabitq import RaBitQ
from mlx_metaembed.codes.residual import Residual
from mlx_metaembed.codes.rotated import Rotated
from mlx_metaembed.codes.scalar import Scalar, Unscaled
from mlx_metaembed.errors import CallError, faults, nearest

FITTED = (Scalar, Unscaled, Residual, Product, Optimized)
FREE = (RaBitQ, Rotated, Int8, UInt8, Binary, PcaBinary, Prefix)
"""Those that cost no more than a pass over the sample: what the others are put beside."""
KINDS: dict[str, type[Codec]] = {each.kind: each for each in (*FITTED, *FREE)}
LONG = ("residual",)
"""Those whose fit takes a second or more a byte."""
TRIED = {"residual": 24, "opq": 48}
"""Bytes up to which auto tries what takes long to fit."""
AUTO = "auto"


def fit(kind: str, sample: np.ndarray, size: int, *, seed: int = 0, told: Told = silent, **work: Any) -> Codec:
    """The codec of a kind that suits a sample [n, D], of at most `size` bytes a vector.

    `work` is what a fit may keep: `stages` of a residual one. Raises CallError as `require` does, for NaN in the
    sample (with its rows), and for a sample too small, saying how many vectors are needed.
    """
    sample = checked(sample, None, "vectors to fit on")
    require(kind, size, sample.shape[1])
    codec = KINDS[kind].fit(sample, size, seed=seed, told=told, **work)
    return replace(codec, unit=not codec.has_length and has_unit_length(sample))


def require(kind: str, size: int, dimensions: int) -> None:
    """Raise CallError for a kind that is not known, or bytes that it can't have of D dimensions."""
    require_kinds([kind])
    require_bytes([size], dimensions)
    least, most = KINDS[kind].span(dimensions)
    if not least <= size <= most:
        taken = f"{least:,} to {most:,} bytes" if least != most else f"{least:,} bytes"
        fewest = "; that is one bit a dimension" if least >= dimensions // 8 and size < least else ""
        fits = ", ".join(others) if (others := fitting(size, dimensions)) else "none"
        raise CallError(
            f"{kind} takes {taken} of a vector of {dimensions} dimensions{fewest}; found {size:,}. Kinds that take "
            f"{size:,}: {fits}"
        )


def require_kinds(kinds: Sequence[str], *, auto: bool = False) -> None:
    """Raise CallError for a kind that is not known, with those that are."""
    known = [AUTO, *KINDS] if auto else list(KINDS)
    if wrong := [kind for kind in kinds if kind not in known]:
        listed = "\n".join(f"  {name:<16} {each.about}" for name, each in KINDS.items())
        raise CallError(f"There is no kind {wrong[0]!r}{nearest(wrong[0], known) or '.'} Kinds:\n{listed}")


def require_bytes(sizes: Sequence[int], dimensions: int) -> None:
    """Raise CallError for bytes that no code of D dimensions has: none, or those of the float32 vector and more."""
    whole = 4 * dimensions
    wrong = [f"{size:,} bytes" for size in sizes if not 1 <= size < whole]
    if wrong:
        raise faults(
            f"A code has 1 to {whole - 1:,} bytes: the float32 vector of {dimensions} dimensions has {whole:,}. Found:",
            wrong,
        )


def fitting(size: int, dimensions: int) -> list[str]:
    """The kinds that take so many bytes of D dimensions."""
    spans = {kind: each.span(dimensions) for kind, each in KINDS.items()}
    return [kind for kind, (least, most) in spans.items() if least <= size <= most]


def candidates(size: int, dimensions: int) -> list[str]:
    """The kinds worth trying for so many bytes, the expected best first; past 24 none that takes long to fit."""
    other = ("opq", "scalar-unscaled", "scalar", "pca-binary")
    order = ("residual", *other) if size <= 20 else (*other, "residual")
    wanted = [*order, "int8"] if size >= dimensions else order
    fits = fitting(size, dimensions)
    return [kind for kind in wanted if kind in fits and size <= TRIED.get(kind, size)]
