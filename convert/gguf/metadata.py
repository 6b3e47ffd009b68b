"""Values of a GGUF file's metadata by key, each of the type that is expected, and everything that is wrong at once."""

from collections.abc import Mapping

import numpy as np

from mlx_metaembed.convert.gguf.header import Value
from mlx_metaembed.errors import CallError, faults


class Metadata:
    """Metadata that is asked for; what is missing or of another type is kept for one error.

    `{arch}` in a key is the architecture's name.
    """

    def __init__(self, where: object, values: Mapping[str, Value]) -> None:
        self.where, self._values = where, values
        self._wrong: list[str] = []
        self.architecture = str(values.get("general.architecture", ""))

    def __contains__(self, key: str) -> bool:
        return self._key(key) in self._values

    def whole(self, key: str, default: int | None = None, *, least: int = 1, most: int = 2**31 - 1) -> int:
        """A whole number of the range; `default` where the key is absent, which is a fault without one."""
        found = self._get(key, default, "a whole number")
        if type(found) is not int or not least <= found <= most:
            return self._fault(key, found, f"a whole number from {least} to {most:,}", least)
        return found

    def number(self, key: str, default: float | None = None) -> float:
        """A number above 0, with as many digits as its float32 has."""
        found = self._get(key, default, "a number")
        if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < float("inf"):
            return self._fault(key, found, "a number above 0", 1.0)
        return float(str(np.float32(found)))

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        found = self._get(key, default, "a string")
        return found if isinstance(found, str) else self._fault(key, found, "a string", "")

    def flag(self, key: str, default: bool) -> bool:
        """Whether something is so."""
        found = self._get(key, default, "true or false")
        return found if isinstance(found, bool) else self._fault(key, found, "true or false", default)

    def texts(self, key: str) -> list[str]:
        """An array of strings."""
        found = self._get(key, None, "an array of strings")
        return found if isinstance(found, list) else self._fault(key, found, "an array of strings", [])

    def numbers(self, key: str, count: int) -> np.ndarray:
        """An array of so many numbers."""
        found = self._get(key, None, f"{count:,} numbers")
        if not isinstance(found, np.ndarray) or len(found) != count:
            return self._fault(key, found, f"{count:,} numbers", np.zeros(count))
        return found

    def bytes(self, key: str) -> bytes:
        """An array of bytes."""
        found = self._get(key, None, "an array of bytes")
        plain = isinstance(found, np.ndarray) and found.dtype.itemsize == 1
        return found.tobytes() if plain else self._fault(key, found, "an array of bytes", b"")

    def wrong(self, line: str) -> None:
        """Keep a fault for the error."""
        self._wrong.append(line)

    def require(self) -> None:
        """Raise CallError that lists what was wrong with what was asked for."""
        if self._wrong:
            raise faults(f"The metadata of {self.where} can't be used:", dict.fromkeys(self._wrong), "Fetch it again.")

    def error(self, text: str) -> CallError:
        """An error of this file."""
        return CallError(f"{self.where}: {text}")

    def _key(self, key: str) -> str:
        return key.format(arch=self.architecture) if "{" in key else key

    def _get(self, key: str, default: Value | None, expected: str) -> Value | None:
        found = self._values.get(self._key(key), default)
        if found is None:
            self._wrong.append(f"{self._key(key)}: missing; expected {expected}")
        return found

    def _fault(self, key: str, found: object, expected: str, instead: object) -> object:
        if found is not None:
            said = f"{len(found):,} values" if isinstance(found, (list, np.ndarray)) else f"{found!r:.80}"
            self._wrong.append(f"{self._key(key)}: found {said}, expected {expected}")
        return instead
