"""Where files come from: the repository that each lies in, and its latest commit where the file is as that has it."""

import hashlib
from pathlib import Path

from mlx_metaembed.data.code.git import Repository
from mlx_metaembed.data.code.tree import File
from mlx_metaembed.errors import CallError

ALGORITHMS = {40: "sha1", 64: "sha256"}
"""By the length of a commit's name."""


class Origins:
    """The repositories of a source's files; `faults` has what git could not tell, by root."""

    def __init__(self, source: Path) -> None:
        self._source = source
        self._known: dict[Path, Repository | None] = {}
        self.faults: dict[Path, str] = {}

    def repository(self, root: Path) -> Repository | None:
        """The repository at a root; None where git can't read it."""
        if root not in self._known:
            try:
                self._known[root] = Repository(root)
            except CallError as error:
                self._known[root] = None
                self.faults[root] = str(error)
        return self._known[root]

    def of(self, file: File) -> dict[str, str | None]:
        """The columns `commit`, None where the file is not as the latest commit has it, and `repo`."""
        found = self.repository(file.root) if file.root else None
        if found is None:
            folder = file.root or (self._source if self._source.is_dir() else self._source.parent)
            return {"commit": None, "repo": folder.resolve().name}
        place = file.place.resolve().relative_to(found.root.resolve()).as_posix()
        committed = found.blobs.get(place) == _object(file.content, ALGORITHMS.get(len(found.head), "sha1"))
        return {"commit": found.head if committed else None, "repo": found.name}


def _object(content: bytes, algorithm: str) -> str:
    """The name that git gives a file's content."""
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
