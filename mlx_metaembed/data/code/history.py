"""Rows out of a history: what a commit's message says, and each function that the commit wrote or changed."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from mlx_metaembed.data.code import languages, messages, program, skips
from mlx_metaembed.data.code.choices import Choices
from mlx_metaembed.data.code.git import Objects, Repository
from mlx_metaembed.data.code.program import Program
from mlx_metaembed.data.code.rows import Row, Taken, about
from mlx_metaembed.data.code.tree import as_text
from mlx_metaembed.data.same_text import number

MOST_FILES, MOST_FUNCTIONS = 20, 10
"""A commit that changes more says of none what it did there."""
HELD = 200
"""Programs that are held: the one before a commit is the one after an older one."""
MOST_MESSAGE = 1 << 20
"""Bytes of a commit's object."""
Changes = list[tuple[str, str, str]]


class History:
    """The commits of a repository that are no merges, the latest first; `left_out` counts those that give no row."""

    def __init__(self, repository: Repository, choices: Choices, below: str = "") -> None:
        self.repository, self.choices, self.below = repository, choices, below
        self.left_out: Counter = Counter()
        self.commits = 0
        self.functions: Counter = Counter()
        self._programs: OrderedDict[tuple[str, str], Program | None] = OrderedDict()

    def rows(self, taken: Taken, told: Callable[[], None]) -> Iterator[Row]:
        """A row for each function that a commit wrote or changed; `told` hears of every commit."""
        listed = self.repository.commits(self.choices.max_commits)
        self.commits = len(listed)
        self.left_out["merges"] = self.repository.merges()
        with self.repository.objects() as objects:
            for commit, changes in self.repository.changes(listed):
                told()
                said = messages.said(*messages.parsed(objects.content(commit, MOST_MESSAGE) or b""))
                if not said:
                    self.left_out["no content"] += 1
                    continue
                yield from self._of(commit, said, changes, objects, taken)

    def _of(self, commit: str, said: str, changes: Changes, objects: Objects, taken: Taken) -> Iterator[Row]:
        known = [change for change in changes if self._language(change[2])]
        if not known or len(known) > MOST_FILES:
            self.left_out["too many files" if known else "no code of these languages"] += 1
            return
        before, changed = set(), []
        for old, new, path in known:
            was, now = self._program(old, path, objects), self._program(new, path, objects)
            before |= {number(each.text) for each in was.functions} if was else set()
            changed += [(each, now, path) for each in now.functions] if now else []
        changed = [each for each in changed if each[0].text and number(each[0].text) not in before]
        if not changed or len(changed) > MOST_FUNCTIONS:
            self.left_out["too many functions" if changed else "no function changed"] += 1
            return
        for function, now, path in changed:
            self.functions[languages.shown(now.language)] += 1
            if row := taken.kept(said, function.text, "too small" if function.is_trivial else ""):
                where = about(function, now, as_text(path))
                yield row | where | {"commit": commit, "repo": self.repository.name}

    def _language(self, path: str) -> languages.Language | None:
        if not path.startswith(self.below) or skips.of_path(path, tests=self.choices.tests):
            return None
        found = languages.of_suffix(PurePosixPath(path).suffix)
        # A header may be C or C++.
        names = {"c", "cpp"} if found and path.endswith(".h") else {found and languages.shown(found)}
        return found if names & self.choices.chosen else None

    def _program(self, name: str, path: str, objects: Objects) -> Program | None:
        """The program that an object is; None where there is none, or it is passed over."""
        suffix = PurePosixPath(path).suffix
        if not name.strip("0"):
            return None
        if (name, suffix) in self._programs:
            self._programs.move_to_end((name, suffix))
            return self._programs[name, suffix]
        content = objects.content(name, skips.MOST_BYTES)
        found = None
        if content is not None and not skips.of_content(content):
            language = languages.of_content(languages.of_suffix(suffix), suffix, content)
            text = program.text_of(language, content)
            if text is not None and languages.shown(language) in self.choices.chosen:
                found = program.parsed(language, text, tests=self.choices.tests)
        self._programs[name, suffix] = found
        if len(self._programs) > HELD:
            self._programs.popitem(last=False)
        return found
