"""Keys of vectors: 16 bytes of how a vector is made and of its text."""

import hashlib
import json
from collections.abc import Mapping, Sequence

FORMAT = 1
"""Of keys and rows together: another one finds no row of this."""


def of(about: Mapping[str, object], texts: Sequence[str]) -> list[bytes]:
    """A key of 16 bytes for each text; the same text made in another way has another one."""
    how = hashlib.blake2b(json.dumps([FORMAT, about], sort_keys=True).encode(), digest_size=32).digest()
    return [hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=how).digest() for text in texts]
