"""What a place for vectors has to do, and the error by which it says that it can't."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class StoreError(Exception):
    """A store that can't read or write any more; `full`: it has no room, and can still be read."""

    def __init__(self, said: str, *, full: bool = False):
        super().__init__(said)
        self.full = full


class Store(Protocol):
    """Bytes by key, each for so many hours. Both calls raise StoreError."""

    name: str
    """Where it is, without a password."""

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is there of the keys, and not expired."""
        ...

    def put(self, rows: Mapping[bytes, bytes], hours: float) -> None:
        """Keep the rows, in place of others of their keys."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
