"""What is asked of a source of code."""

from dataclasses import dataclass

from mlx_metaembed.data.code import languages
from mlx_metaembed.data.code.chunks import Lengths, estimated
from mlx_metaembed.errors import CallError, faults, nearest

KINDS = ("docstring", "name", "commit", "chunks")


@dataclass(frozen=True)
class Choices:
    """The kind of rows, of which languages (all where none is named), and what bounds them.

    `max_tokens` is the most that a chunk has, as `lengths` counts them; `max_commits` are read of a history.
    """

    kind: str = "docstring"
    languages: tuple[str, ...] = ()
    tests: bool = False
    max_tokens: int = 512
    lengths: Lengths = estimated
    max_commits: int = 10_000
    max_characters: int = 100_000

    @property
    def chosen(self) -> frozenset[str]:
        """The languages by name. Raises CallError for one that is not known."""
        wrong = [
            f"there is no language {name!r}{nearest(name, languages.NAMES)}"
            for name in self.languages
            if name not in languages.NAMES
        ]
        if wrong:
            raise faults("--languages:", wrong, f"Known: {', '.join(languages.NAMES)}")
        return frozenset(self.languages or languages.NAMES)


def require_kind(kind: str) -> None:
    """Raise CallError for a kind of rows that is not known."""
    if kind not in KINDS:
        raise CallError(f"There are no rows of the kind {kind!r}; known: {', '.join(KINDS)}{nearest(kind, KINDS)}")
