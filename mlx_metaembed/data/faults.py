"""The faults of one source, gathered while it is read and raised as one error.

Identical faults of rows that have the same columns can be grouped: a wrong header is one fault, not a million.
"""

import math

from mlx_metaembed.errors import faults

SHOWN = 20
"""Names of columns in a note."""
MOST = 1_000
"""So many faults end the reading: a file of another kind has one in every line."""


class Faults:
    """What is wrong with `source`; `max_characters` is the length from which a text is a fault."""

    def __init__(self, source: object, max_characters: int) -> None:
        self.source = str(source)
        self.max_characters = max_characters
        self.advice: dict[str, None] = {}
        self.unused: dict[str, None] = {}
        self._notes: dict[str, None] = {}
        self._found: list[list] = []
        self._groups: dict[object, list] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, where: str, column: str | None, what: str, *, group: object = None) -> None:
        """Note a fault; a second one of the same group is only counted. Raises CallError where there are too many."""
        if group is not None and group in self._groups:
            self._groups[group][1] += 1
            return
        entry = [f"{where}, column {column!r}: {what}" if column else f"{where}: {what}", 1]
        self._found.append(entry)
        if group is not None:
            self._groups[group] = entry
        if len(self._found) >= MOST:
            self.advice[f"Reading stopped after {MOST:,} faults."] = None
            self.raise_any()

    def note(self, text: str) -> None:
        """Keep what the caller should hear though nothing is wrong."""
        self._notes[text] = None

    def notes(self) -> tuple[str, ...]:
        """What was noted, and the columns that nothing read."""
        names = ", ".join(repr(name[:40]) for name in list(self.unused)[:SHOWN])
        if len(self.unused) > SHOWN:
            names += f" and {len(self.unused) - SHOWN:,} more"
        return (*self._notes, *([f"Columns that nothing reads: {names}"] if names else []))

    def raise_any(self) -> None:
        """Raise CallError with every fault and the advice, where there is a fault."""
        if not self._found:
            return
        listed = [text if count == 1 else f"{text} ({count:,} rows like this)" for text, count in self._found]
        heading = f"{self.source} has {'a fault' if len(listed) == 1 else f'{len(listed):,} faults'}:"
        raise faults(heading, listed, "\n".join(self.advice) or "Mend these rows or leave them out; nothing was done.")

    def text(self, where: str, column: str | None, value: object) -> bool:
        """Whether a value is a text to learn from; what is wrong with it is noted."""
        what = ""
        if not isinstance(value, str):
            what = f"{kind(value)}; expected text"
        elif len(value) >= self.max_characters:
            what = (
                f"{len(value):,} characters; expected fewer than {self.max_characters:,}. "
                f"Cut the text, or raise the limit with --max-characters"
            )
        elif not value or value.isspace():
            what = "empty; expected text" if not value else "only white space; expected text"
        elif not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            what = "not valid Unicode (half of a surrogate pair, or bytes that are not UTF-8)"
        if what:
            self.add(where, column, what)
        return not what

    def label(self, where: str, column: str | None, value: object) -> str | None:
        """The name of a class, or None with its fault noted; true, false and whole numbers, also as 1.0, are names."""
        name = _class(value)
        if not isinstance(name, str):
            self.add(where, column, f"{kind(value)}; expected a class: a text or a whole number")
            return None
        return name if self.text(where, column, name) else None

    def number(self, where: str, column: str | None, value: object, *, as_text: bool = False) -> float | None:
        """A finite number, or None with its fault noted; `as_text` where the source has only texts (CSV)."""
        wrong = isinstance(value, bool) or not isinstance(value, (int, float, str) if as_text else (int, float))
        try:
            number = math.nan if wrong else float(value)
        except ValueError:
            wrong = True
        except OverflowError:
            number = math.inf
        if wrong:
            shown = (
                (repr(value[:40]) if value.strip() else "empty") if as_text and isinstance(value, str) else kind(value)
            )
            self.add(where, column, f"{shown}; expected a number")
            return None
        if not math.isfinite(number):
            self.add(where, column, f"{number}; expected a finite number")
            return None
        return number


def _class(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**15:
        return str(int(value))
    return str(value) if isinstance(value, int) and abs(value) < 10**40 else value


def kind(value: object) -> str:
    """A value of the wrong type, in words: `null`, `the number 5`, `a list`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        # Python refuses to print an integer of more than 4,300 digits.
        return f"the number {value}" if isinstance(value, float) or abs(value) < 10**40 else "a huge number"
    if isinstance(value, str):
        return "a text"
    names = {list: "a list", tuple: "a list", dict: "an object", bytes: "bytes"}
    return names.get(type(value), f"a {type(value).__name__}")
