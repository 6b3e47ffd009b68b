"""Vectors on a Redis server, which forgets them by itself. Needs the extra `redis`."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import installation
from mlx_metaembed.vector_cache.store import StoreError

SCHEMES = ("redis", "rediss", "unix")
PREFIX = b"metaembed:vector:"
AT_ONCE = 500
SECONDS = 5.0
"""A server that does not answer for so long is given up."""


class RedisStore:
    """The server at an address like redis://localhost:6379/0."""

    def __init__(self, address: str):
        """Raises CallError where the client is not installed, or the server does not answer."""
        try:
            import redis
        except ImportError:
            raise CallError(f"A cache on Redis needs its client: {installation.command('redis')}") from None
        self.name, self._errors = _without_password(address), redis.RedisError
        self._full = (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)
        try:
            self._client = redis.Redis.from_url(address, socket_timeout=SECONDS, socket_connect_timeout=SECONDS)
            self._client.ping()
        except (redis.RedisError, ValueError) as error:
            said = str(error).replace(address, self.name)
            raise CallError(
                f"No Redis server answers at {self.name} ({said}); start one, or name a file for the cache"
            ) from None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """What is there of the keys. Raises StoreError."""
        found: dict[bytes, bytes] = {}
        try:
            for first in range(0, len(keys), AT_ONCE):
                part = keys[first : first + AT_ONCE]
                rows = self._client.mget([PREFIX + key for key in part])
                found |= {key: row for key, row in zip(part, rows, strict=True) if row is not None}
        except self._errors as error:
            raise StoreError(str(error)) from None
        return found

    def put(self, rows: Mapping[bytes, bytes], hours: float) -> None:
        """Keep the rows for so many hours. Raises StoreError, `full` where the server's memory is."""
        items = list(rows.items())
        try:
            for first in range(0, len(items), AT_ONCE):
                with self._client.pipeline(transaction=False) as pipeline:
                    for key, row in items[first : first + AT_ONCE]:
                        pipeline.set(PREFIX + key, row, px=max(1, round(hours * 3_600_000)))
                    pipeline.execute()
        except self._errors as error:
            raise StoreError(str(error), full=isinstance(error, self._full)) from None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _without_password(address: str) -> str:
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
