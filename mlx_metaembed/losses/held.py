"""What losses over tiles of rows by candidates hold, for the plan."""

from mlx_metaembed.losses.maxsim import block_bytes, token_bytes
from mlx_metaembed.losses.sample import Sizes
from mlx_metaembed.losses.tiles import held_bytes


def tiles_bytes(sizes: Sizes, scorers: int = 1) -> int:
    """Bytes that so many scorers of a batch hold with their gradients, of vectors, words or tokens.

    Texts that are candidates of each other have no `candidates` beside them in `sizes`.
    """
    tokens = token_bytes(sizes) + block_bytes(sizes) if sizes.tokens > 1 else 0
    wide = 0 if tokens else sizes.words or sizes.features
    return scorers * (held_bytes(sizes.rows, sizes.candidates or sizes.rows, wide, sizes.widths) + tokens)
