"""Code in, rows out: a file or a commit at a time."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlx_metaembed.data import writers
from mlx_metaembed.data.code import choices as asked
from mlx_metaembed.data.code import languages, program
from mlx_metaembed.data.code.choices import Choices
from mlx_metaembed.data.code.git import Repository
from mlx_metaembed.data.code.history import History
from mlx_metaembed.data.code.origins import Origins
from mlx_metaembed.data.code.rows import Row, Taken
from mlx_metaembed.data.code.tree import Tree, root_of
from mlx_metaembed.errors import CallError

Told = Callable[[], None]


@dataclass
class Made:
    """What was read and written; files and functions by language, what was passed over by its reason."""

    rows: int = 0
    commits: int = 0
    files: Counter = field(default_factory=Counter)
    functions: Counter = field(default_factory=Counter)
    by_language: Counter = field(default_factory=Counter)
    broken: int = 0
    skipped: Counter = field(default_factory=Counter)
    left_out: Counter = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def make(source: Path, out: Path, choices: Choices, told: Told = lambda: None) -> Made:
    """Write the rows of a tree's or a repository's code to `out`; `told` hears of every file or commit.

    Raises CallError where nothing is there to read, a grammar or git is not installed, or there is no row.
    """
    asked.require_kind(choices.kind)
    chosen = choices.chosen
    if not source.exists():
        raise CallError(f"There is no file or folder {source}")
    writers.require_name(out, source)
    made, taken = Made(left_out=Counter()), Taken(choices)
    made.left_out = taken.left_out
    found = _history(source, choices, taken, made, told) if choices.kind == "commit" else None
    with writers.json_lines(out) as write:
        for row in found or _tree(source, chosen, choices, taken, made, told):
            write(row)
            made.rows += 1
            made.by_language[row["language"]] += 1
        if not made.rows:
            raise CallError(_nothing(source, choices, made))
    made.skipped = +made.skipped
    return made


def _tree(
    source: Path, chosen: frozenset[str], choices: Choices, taken: Taken, made: Made, told: Told
) -> Iterator[Row]:
    origins = Origins(source)
    tree = Tree(source, chosen, tests=choices.tests)
    made.skipped = tree.skipped
    root = root_of(source)
    if root and (repository := origins.repository(root)):
        tree.ignored = repository.ignored()
    for file in tree:
        told()
        text = program.text_of(file.language, file.content)
        if text is None:
            tree.skipped["not UTF-8"] += 1
            continue
        read = program.parsed(file.language, text, tests=choices.tests)
        name = languages.shown(file.language)
        made.files[name] += 1
        made.functions[name] += len(read.functions)
        made.broken += read.is_broken
        yield from taken.of(read, file.path, origins.of(file))
    made.notes += [f"{fault}; its rows say no commit" for fault in origins.faults.values()]
    if not made.files:
        raise CallError(_no_files(source, tree))


def _history(source: Path, choices: Choices, taken: Taken, made: Made, told: Told) -> Iterator[Row]:
    is_bare = (source / "HEAD").is_file() and (source / "objects").is_dir()
    root = source if is_bare else root_of(source)
    if root is None:
        raise CallError(
            f"{source} is in no git repository, and has no commits; expected one, or another --kind: docstring, name, "
            "chunks"
        )
    repository = Repository(root)
    below = source.resolve().relative_to(root.resolve()).as_posix() if source.resolve() != root.resolve() else ""
    history = History(repository, choices, below and (below if source.is_file() else f"{below}/"))
    made.functions, made.skipped = history.functions, history.left_out
    yield from history.rows(taken, told)
    made.commits = history.commits


def _no_files(source: Path, tree: Tree) -> str:
    found = [f"{count:,} {suffix}" for suffix, count in sorted(tree.suffixes.items(), key=_most_first)[:8]]
    found += [f"{count:,} passed over ({reason})" for reason, count in sorted((+tree.skipped).items(), key=_most_first)]
    known = ", ".join(suffix for each in languages.LANGUAGES for suffix in each.suffixes[:1])
    return f"{source} has no file to read; found: {', '.join(found) or 'nothing'}. Expected source code ({known}, ...)"


def _nothing(source: Path, choices: Choices, made: Made) -> str:
    of = f"{made.commits:,} commits" if choices.kind == "commit" else f"{made.files.total():,} files"
    why = [f"{count:,} {reason}" for reason, count in (made.left_out + made.skipped).most_common()]
    return (
        f"{of} of {source}, {made.functions.total():,} functions, give no row of the kind {choices.kind}; "
        f"left out: {', '.join(why) or 'nothing'}"
    )


def _most_first(counted: tuple[str, int]) -> tuple[int, str]:
    return -counted[1], counted[0]
