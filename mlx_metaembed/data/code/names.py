"""Identifiers as words, and as the words of a name that says something."""

import re

RUN = re.compile(r"[^\W\d_]+|\d+")
FEWEST = 2
SAYS_NOTHING = re.compile(r"__\w+__|(?:test|main|init|setup|teardown|todo|foo|bar|baz|tmp)(?:_\w+|[A-Z0-9]\w*)?", re.I)


def words(name: str) -> list[str]:
    """The words of an identifier in lower case: parseHTTP_response2 gives parse, http, response, 2."""
    return [word.lower() for run in RUN.findall(name) for word in _by_case(run)]


def spoken(name: str) -> str:
    """A function's name as words; empty where it has fewer than two, or says nothing of what the function does."""
    found = words(name)
    if sum(word.isalpha() and len(word) > 1 for word in found) < FEWEST or SAYS_NOTHING.fullmatch(name):
        return ""
    return " ".join(found)


def _by_case(run: str) -> list[str]:
    """A run of letters cut before each capital that begins a word: HTTPServer gives HTTP and Server."""
    starts = [
        at
        for at in range(1, len(run))
        if run[at].isupper() and (not run[at - 1].isupper() or run[at + 1 : at + 2].islower())
    ]
    return [run[first:last] for first, last in zip([0, *starts], [*starts, len(run)], strict=True)]
