"""A subject: what is changed, and the calls that read it.

Its path in a call is `m`, what the call writes is `out`; {pairs}, {model}, {clip} and {photo} are never changed.
"""

from dataclasses import dataclass
from pathlib import Path

from tiny import TEXTS

GOLDEN = Path(__file__).parent.parent / "golden"
TRAIN = ("--batch-size", "4", "--iters", "2", "--max-seq-length", "16", "--json")
PAIRS, MODEL = "pairs.jsonl", "tiny"
"""Where {pairs} and {model} lie in the folder of what was built."""


@dataclass(frozen=True)
class Subject:
    """Something that is changed, and the calls that read it, after the verb with the engine where it computes."""

    name: str
    path: Path
    calls: tuple[tuple[str, ...], ...]


def pairs(path: Path) -> None:
    """Twelve pairs of texts."""
    lines = [f'{{"anchor": "{TEXTS[row % 6]} {row}", "positive": "{TEXTS[(row + 1) % 6]} {row}"}}' for row in range(12)]
    path.write_text("\n".join(lines) + "\n")
