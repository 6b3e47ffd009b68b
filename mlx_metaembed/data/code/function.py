"""A function as every language gives it, and which ones are too small to be searched for."""

import re
from dataclasses import dataclass

TOKEN = re.compile(r"\w+|[^\w\s{}]")
FEWEST_TOKENS = 12
"""`{ return this.name; }` has 5, a call of a method with two arguments 11."""
RAISES = re.compile(r"\{?\s*(?:throw|raise|panic!?|todo!|unimplemented!)\b[^;]*;?\s*\}?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Function:
    """A named function: what documents it, its text without that, and its body; lines are counted from 1.

    `name` has the classes around it ("Shop.total"), `doc` no marks of comments, `text` and `body` no margin.
    """

    name: str
    doc: str
    text: str
    body: str
    first_line: int
    last_line: int
    is_trivial: bool

    @property
    def own_name(self) -> str:
        """The name without what it stands in."""
        return re.split(r"\.|::", self.name)[-1]


def is_trivial(body: str) -> bool:
    """Whether a body has nothing to search for: it is empty, or as short as `return this.name`, or only fails."""
    return len(TOKEN.findall(body)) < FEWEST_TOKENS or RAISES.fullmatch(body.strip()) is not None


def dedented(lines: list[str], margin: str) -> str:
    """Lines without the margin of the first, and without spaces at their ends.

    Not textwrap.dedent: a string over several lines may start in the first column.
    """
    return "\n".join(line.removeprefix(margin).rstrip() for line in lines)
