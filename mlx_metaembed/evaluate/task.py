"""What a task has: rows, the texts of both sides, names of figures, and a judge of the sides' vectors."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mlx_metaembed.evaluate.coded import Coded
from mlx_metaembed.evaluate.judgement import Judgement

K = 10
"""Where lists are cut unless told, and how many neighbours `kept_r10` compares."""
Side = tuple[list[str], str | None]
"""Texts, which may be the same more than once, and the name of their prompt."""


@dataclass(frozen=True)
class Task(ABC):
    """Rows and how they are judged; `ks` are where ranked lists are cut, `seed` is of all that is drawn."""

    rows: Any
    ks: tuple[int, ...] = (K,)
    seed: int = 0
    name: ClassVar[str]
    takes: ClassVar[str]
    """The columns that give such rows, in words."""

    @classmethod
    @abstractmethod
    def names_of(cls, ks: Sequence[int]) -> tuple[str, ...]:
        """The names of the figures with such cuts; of all of them more is better."""

    @property
    @abstractmethod
    def counts(self) -> dict[str, int]:
        """How much the rows hold, in the task's own words."""

    @property
    @abstractmethod
    def sides(self) -> tuple[Side, Side]:
        """What asks and what is stored."""

    @abstractmethod
    def judge(self, coded: Coded, wanted: Collection[str]) -> Judgement:
        """The judgement of both sides' vectors, by the figures in `wanted` at least."""

    @abstractmethod
    def require_measurable(self) -> None:
        """Raise CallError for rows that no model can be measured on."""

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures."""
        return self.names_of(self.ks)

    @property
    def main(self) -> str:
        """The figure that people report."""
        return self.figures[0]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the reader of the rows had to say, and what the task leaves out."""
        return self.rows.notes

    @property
    def shared(self) -> Collection[str]:
        """Texts that training may have seen: those of a corpus that every split searches."""
        return ()

    def beside(self, figure: str) -> tuple[str, ...]:
        """The figures that come at no cost with one of them."""
        return self.figures
