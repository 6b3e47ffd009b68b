"""The classes of a data set of Hugging Face by their names: it keeps their numbers in the rows and the names beside."""

from collections.abc import Mapping, Sequence

from mlx_metaembed.data.verdicts import NEITHER, WORDS

UNKNOWN = -1
"""The number of what has no class, as in SNLI."""
WITHOUT = next(word for word, said in WORDS.items() if said == NEITHER and not word.isalpha())


class ClassNames:
    """The names of the classes of each column that has any.

    Of two classes whose names are no words of NLI the numbers stay: 1 says that two texts belong together.
    """

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self._columns = {name: names for name, names in columns.items() if len(names) > 2 or _is_nli(names)}

    def named(self, row: dict[str, object]) -> dict[str, object]:
        """A row with the names of its classes; None, or NLI's "-", for what has none."""
        for name, names in self._columns.items():
            value = row.get(name)
            if value == UNKNOWN:
                row[name] = WITHOUT if _is_nli(names) else None
            elif isinstance(value, int) and 0 <= value < len(names):
                row[name] = names[value]
        return row


def _is_nli(names: Sequence[str]) -> bool:
    return all(name.isalpha() and name in WORDS for name in names)
