"""The kit's two errors: a wrong call (exit status 2) and a failed job (exit status 1).

A message says what was found, what was expected and what to do next; all the faults of a file come in one error.
"""

import difflib
from collections.abc import Iterable

LONGEST_FAULT = 500
"""Characters of one fault that are shown: a name or a value in it can be a whole file."""


class MetaembedError(Exception):
    """Anything the kit says to its user on purpose; the command line prints it without a traceback."""

    exit_status = 1


class CallError(MetaembedError):
    """The call was wrong: an option, a file, a folder. Nothing was written."""

    exit_status = 2


class JobError(MetaembedError):
    """The call was right and the job failed on the way: no space, NaN, out of memory."""


class StoppedError(JobError):
    """The caller ended the job between two steps; what was done by then is kept."""


def faults(heading: str, found: Iterable[str], advice: str = "", shown: int = 20) -> CallError:
    """One `CallError` that lists every fault under a heading; past `shown` of them it counts the rest."""
    listed = list(found)
    lines = [f"  - {_cut(fault)}" for fault in listed[:shown]]
    if len(listed) > shown:
        lines.append(f"  - and {len(listed) - shown} more")
    return CallError("\n".join([heading, *lines, *([advice] if advice else [])]))


def _cut(fault: str) -> str:
    left = len(fault) - LONGEST_FAULT
    return f"{fault[:LONGEST_FAULT]} ... and {left:,} more characters" if left > 0 else fault


def nearest(word: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known word closest to `word`, or nothing where none is close."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def missing_extra(package: str, extra: str, purpose: str) -> CallError:
    """The error for an optional dependency that is not installed, with the command that installs it."""
    # Not at the top: --help reads this file.
    from mlx_metaembed.files.installation import command

    return CallError(f"{purpose} needs {package}, which is not installed. Install it with: {command(extra)}")
