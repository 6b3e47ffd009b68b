"""Texts that stand twice: in a file and in one that is held out, equal or nearly, and nearly in one file.

The texts of the file that is held out are held, and so are those of one file that are compared with one another.
"""

from collections.abc import Mapping

from mlx_metaembed.data.joined import Joined
from mlx_metaembed.data.minhash import NearDuplicates
from mlx_metaembed.data.same_text import number

EXAMPLES, CHARACTERS = 5, 200
HELD = 40_000_000
"""Characters that are held of a file's own texts; their shingles take eight bytes each."""


class Near:
    """The near-duplicates among a file's own texts, by column; the first `most` different ones are compared."""

    def __init__(self, most: int) -> None:
        self._most, self._held, self._characters, self._left = most, 0, 0, 0
        self._columns: dict[str, dict[int, tuple[str, str]]] = {}

    def shown(self, where: str, texts: Mapping[str, list[str]]) -> None:
        """Take the texts of a row."""
        for name, each in texts.items():
            column = self._columns.setdefault(name, {})
            for text in filter(str.strip, each):
                if (own := number(text)) in column:
                    continue
                if self._held < self._most and self._characters + len(text) <= HELD:
                    column[own] = where, text
                    self._held += 1
                    self._characters += len(text)
                else:
                    self._left += 1

    def result(self) -> dict[str, object]:
        """By column how many texts were compared, how many are near to another one, in how many groups, and examples.

        `left` texts were not compared; one that stands in several rows counts for each.
        """
        answer: dict[str, object] = {"left": self._left, "columns": {}}
        for name, column in self._columns.items():
            texts = list(column.values())
            joined, examples = Joined(len(texts)), []
            for first, second in NearDuplicates([text for _, text in texts]).pairs():
                joined.join(first, second)
                if len(examples) < EXAMPLES:
                    examples.append(_near(texts[second], texts[first]))
            _, sizes = joined.numbers()
            found = {"texts": len(texts), "near": int(sizes[sizes > 1].sum()), "groups": int((sizes > 1).sum())}
            answer["columns"][name] = found | {"examples": examples}
        return answer


class Leaks:
    """The texts of one file that another one shows too: `held` takes those of the one, `shown` those of the other."""

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}
        self._columns: dict[str, dict[int, str]] = {}
        self._near: NearDuplicates | None = None
        self._seen: set[int] = set()
        self._examples: dict[int, tuple[str, str]] = {}

    def held(self, where: str, texts: Mapping[str, list[str]]) -> None:
        """Take the texts of a row that is to stand in this file alone."""
        for name, each in texts.items():
            for text in filter(str.strip, each):
                own = number(text)
                self._texts.setdefault(own, text)
                self._columns.setdefault(name, {})[own] = where

    def shown(self, where: str, texts: Mapping[str, list[str]]) -> None:
        """Compare the texts of a row of the other file."""
        if self._near is None:
            self._keys = list(self._texts)
            self._near = NearDuplicates(list(self._texts.values()))
        for text in filter(str.strip, (text for each in texts.values() for text in each)):
            if (own := number(text)) not in self._seen:
                self._seen.add(own)
                for row in [] if own in self._texts else self._near.show(text):
                    self._examples[self._keys[row]] = (where, text)

    def result(self) -> dict[str, dict]:
        """By column: distinct texts, those equal to one of the other file, those only near to one, and examples."""
        answer = {}
        for name, places in self._columns.items():
            equal = [own for own in places if own in self._seen]
            near = [own for own in places if own in self._examples and own not in self._seen]
            answer[name] = {
                "texts": len(places),
                "equal": len(equal),
                "near": len(near),
                "equal_examples": [
                    {"where": places[own], "text": self._texts[own][:CHARACTERS]} for own in equal[:EXAMPLES]
                ],
                "near_examples": [
                    _near((places[own], self._texts[own]), self._examples[own]) for own in near[:EXAMPLES]
                ],
            }
        return answer


def _near(text: tuple[str, str], other: tuple[str, str]) -> dict[str, str]:
    """An example of a text, with where it stands, and one of the file that it is near to."""
    return {
        "where": text[0],
        "text": text[1][:CHARACTERS],
        "in_file": other[0],
        "near_to": other[1][:CHARACTERS],
    }
