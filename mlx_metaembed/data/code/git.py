"""A git repository, read by the `git` program: nothing of the repository's own configuration can run a program.

Only git's plumbing is called, with no hooks, filters, pagers, monitors or fetches, and without its environment.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from mlx_metaembed.errors import CallError

SETTINGS = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.untrackedCache": "false",
    "protocol.allow": "never",
    "submodule.recurse": "false",
}
DIFF = ("diff-tree", "--stdin", "-z", "-r", "--raw", "--no-abbrev", "--no-renames", "--no-ext-diff", "--no-textconv")
PIECE = 1 << 16


class Repository:
    """A repository by its root. Raises CallError where git is not installed, or can't read it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.head = self._line("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    @cached_property
    def name(self) -> str:
        """Where it is from ("github.com/owner/name", without a user's name), else its folder's name."""
        return remote_name(self._line("config", "--get", "remote.origin.url", empty=True)) or self.root.name

    @cached_property
    def blobs(self) -> dict[str, str]:
        """The object of every file of the latest commit, by its path below the root."""
        listed = self._run("ls-tree", "-r", "-z", "--full-tree", self.head).split(b"\0")
        entries = (entry.partition(b"\t") for entry in listed if entry)
        return {os.fsdecode(path): about.split()[2].decode() for about, _, path in entries}

    def ignored(self) -> frozenset[Path]:
        """The files and folders that the repository is told to ignore."""
        listed = self._run("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
        return frozenset(self.root / os.fsdecode(path.rstrip(b"/")) for path in listed.split(b"\0") if path)

    def commits(self, most: int) -> list[str]:
        """The latest commits that are no merges, the latest first."""
        listed = self._run("rev-list", "--no-merges", f"--max-count={most}", self.head)
        return listed.decode().split()

    def merges(self) -> int:
        """How many commits are merges."""
        return int(self._line("rev-list", "--merges", "--count", self.head))

    def changes(self, commits: Sequence[str]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
        """Each commit that changes files, with the objects before and after and the path of each.

        An object that is not there has a name of zeros. Nothing is given of a commit without a parent.
        """
        with tempfile.TemporaryFile() as given:
            given.write("".join(f"{commit}\n" for commit in commits).encode())
            given.seek(0)
            with self._process(*DIFF, stdin=given) as process:
                yield from _changes(_tokens(process.stdout))

    @contextmanager
    def objects(self) -> Iterator["Objects"]:
        """What gives the content of objects."""
        with self._process("cat-file", "--batch", stdin=subprocess.PIPE) as process:
            yield Objects(process)

    def _line(self, *words: str, empty: bool = False) -> str:
        return self._run(*words, empty=empty).decode("utf-8", "replace").strip()

    def _run(self, *words: str, empty: bool = False) -> bytes:
        try:
            done = subprocess.run([*_program(self.root), *words], capture_output=True, env=_environment(), check=False)
        except FileNotFoundError:
            raise CallError(
                f"Reading the history of {self.root} needs the program git, which is not installed"
            ) from None
        if done.returncode and not empty:
            said = done.stderr.decode("utf-8", "replace").strip().split("\n")[0]
            raise CallError(
                f"git can't read the repository {self.root}: {said or 'it has no commit'}; expected one with a commit"
            )
        return done.stdout

    @contextmanager
    def _process(self, *words: str, stdin: object) -> Iterator[subprocess.Popen]:
        process = subprocess.Popen(
            [*_program(self.root), *words],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
        )
        try:
            yield process
        finally:
            process.kill()
            for pipe in filter(None, (process.stdin, process.stdout)):
                pipe.close()
            process.wait()


class Objects:
    """The content of a repository's objects, one after another."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def content(self, name: str, most: int) -> bytes | None:
        """An object's bytes; None where it is not there or has more than `most`."""
        self._process.stdin.write(name.encode() + b"\n")
        self._process.stdin.flush()
        about = self._process.stdout.readline().split()
        if len(about) != 3:
            return None
        size = left = int(about[2])
        kept = bytearray()
        while left:
            piece = self._process.stdout.read(min(left, PIECE))
            if not piece:
                return None
            left -= len(piece)
            if size <= most:
                kept += piece
        self._process.stdout.read(1)
        return bytes(kept) if size <= most else None


def remote_name(url: str) -> str:
    """A remote's host and path, without a user's name, password or choices; empty where it is a folder."""
    if "://" not in url and ":" in url and "/" not in url.split(":")[0]:
        # user@host:owner/name
        host, _, path = url.rpartition("@")[2].partition(":")
    else:
        parts = urlsplit(url)
        host, path = (parts.hostname or "", parts.path) if parts.scheme in ("http", "https", "ssh", "git") else ("", "")
    return f"{host}/{path.strip('/').removesuffix('.git')}" if host else ""


def _program(root: Path) -> list[str]:
    settings = (word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}"))
    return ["git", "-C", os.fspath(root), "--no-pager", "--no-optional-locks", "--literal-pathspecs", *settings]


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1"}


def _tokens(stream: object) -> Iterator[bytes]:
    """The pieces of a stream between NULs."""
    held = b""
    while piece := stream.read1(PIECE):
        *whole, held = (held + piece).split(b"\0")
        yield from whole


def _changes(tokens: Iterator[bytes]) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    commit, found = "", []
    for token in tokens:
        if token.startswith(b":"):
            _, _, before, after, _ = token.decode().split(" ")
            found.append((before, after, os.fsdecode(next(tokens, b""))))
        else:
            if found:
                yield commit, found
            commit, found = token.decode().strip(), []
    if found:
        yield commit, found
