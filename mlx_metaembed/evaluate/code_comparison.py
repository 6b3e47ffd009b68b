"""Codes of every kind at given bytes, fitted on texts that are neither queries nor searched, beside the free ones."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mlx_metaembed.codes import kinds
from mlx_metaembed.errors import CallError
from mlx_metaembed.evaluate.code_data import Advance, Parts, unheard
from mlx_metaembed.evaluate.code_kept import Reference, kept

if TYPE_CHECKING:
    from mlx_metaembed.embedder import Embedder

LONGEST = 32
"""Bytes up to which kinds that take minutes are fitted where no kind is named."""
Asked = list[tuple[str, int]]


def asked(sizes: Sequence[int], names: Sequence[str], dimensions: int) -> tuple[Asked, list[str]]:
    """The kinds and their bytes, and what is left out; each kind at each size, or at the most bytes it takes.

    Raises CallError for a kind or a size that can't be.
    """
    kinds.require_bytes(sizes, dimensions)
    kinds.require_kinds(names)
    wanted, notes = {}, []
    for size in sizes:
        for kind in names or [each for each in kinds.KINDS if each != "uint8"]:
            least, most = kinds.KINDS[kind].span(dimensions)
            if size < least:
                if names:
                    notes.append(f"{kind} takes {least:,} bytes at least; it is left out at {size:,}")
            elif kind in kinds.LONG and size > LONGEST and not names:
                notes.append(f"{kind} takes minutes to fit at {size:,} bytes; it is left out unless --kinds names it")
            else:
                wanted[kind, min(size, most)] = None
    return list(wanted), notes


def require_inner_product(similarity: str) -> None:
    """Raise CallError for a model whose vectors are compared by a distance: the score of a code is a product."""
    if similarity not in ("cosine", "dot"):
        raise CallError(f"The model compares by {similarity}; codes are scored by cosine or dot product")


def compare(
    parts: Parts,
    vectors: tuple[np.ndarray, np.ndarray, np.ndarray],
    wanted: Asked,
    *,
    seed: int = 0,
    draws: int = 1_000,
    note: Callable[[str], object] = lambda text: None,
    advance: Advance = unheard,
) -> list[dict]:
    """A row a code: name, kind, bytes_per_vector, kept_*, seconds of its fit and microseconds a vector of encoding.

    The first row is the float vectors'. `vectors` are those of the parts: fitted on, asking, searched.
    """
    sample, queries, searched = vectors
    reference = Reference(queries, searched, parts.relevant, parts.itself, seed)
    whole = {"name": "float32", "kind": "float32", "bytes_per_vector": 4 * queries.shape[1]}
    rows, made = [whole | kept(reference, reference.scores, draws=0)], set()
    if reference.ndcg is not None:
        rows[0]["ndcg@10"] = float(reference.ndcg.mean())
    for kind, size in wanted:
        try:
            row = _row(reference, sample, kind, size, seed, draws)
        except CallError as error:
            note(f"{kind} at {size:,} bytes is left out: {error}")
            row = None
        if row and row["name"] not in made:
            made.add(row["name"])
            rows.append(row)
        advance("comparing", 1, len(wanted), "codes")
    return rows


def _row(reference: Reference, sample: np.ndarray, kind: str, size: int, seed: int, draws: int) -> dict:
    began = time.perf_counter()
    codec = kinds.fit(kind, sample, size, seed=seed)
    fitted = time.perf_counter()
    codes = codec.encode(reference.searched)
    encoded = time.perf_counter()
    row = {"name": f"{kind}@{codec.bytes_per_vector}", "kind": kind, "bytes_per_vector": codec.bytes_per_vector}
    row |= kept(reference, lambda queries: codec.score(queries, codes), draws=draws)
    return row | {"seconds": fitted - began, "encode_us": 1e6 * (encoded - fitted) / len(codes)}


def vectors_of(
    embedder: "Embedder", parts: Parts, advance: Advance = unheard
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The vectors of the texts to fit on, of the queries and of what is searched."""
    sides = (parts.fit, parts.queries, parts.searched)
    total = sum(map(len, sides))
    fit, queries, searched = (
        side.encoded(embedder, lambda n: advance("encoding", n, total, "texts")) for side in sides
    )
    return fit, queries, searched
