"""Which texts are one and the same: those that differ in white space alone."""

import hashlib


def plain(text: str) -> str:
    """A text with single spaces: what two texts have in common that are one."""
    return " ".join(text.split())


def number(text: str) -> int:
    """64 bits of a hash of a text, whatever its white space."""
    return int.from_bytes(hashlib.blake2b(plain(text).encode("utf-8", "surrogatepass"), digest_size=8).digest())
