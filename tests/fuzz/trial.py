"""One try: a subject copied and changed, a call on it, and what is wrong with how it ended."""

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fuzz import file_changes, format_changes, json_changes
from fuzz.child import MORE_MEMORY_BYTES, Ended, called
from fuzz.subject import GOLDEN, MODEL, PAIRS, Subject

COMPUTING = ("embed", "convert", "train", "eval", "index", "search")
MESSAGE = re.compile(r"^(metaembed: .|Error: |Usage: )", re.M)
# After a quote, None is a value that is quoted and cut there, not a reason that is missing.
WRONG = re.compile(
    r"Traceback \(most recent|panicked at|Fatal Python error|^metaembed: (None|\[Errno)|[^']: None$", re.M
)
LONGEST_MESSAGE = 20_000
OUT = {"out": ("out",), "out.npy": ("out.npy", "out.npy.json")}
OUT |= {name: (name,) for name in ("out.jsonl", "held.jsonl")}
"""What a call may write, by the word that names it."""
LEFT = {name for names in OUT.values() for name in names}


@dataclass
class Try:
    """What one try was and how it ended; `wrong` is empty where it ended well."""

    number: int
    subject: str
    change: str
    call: str
    wrong: list[str] = field(default_factory=list)
    status: int = 0
    seconds: float = 0.0
    said: str = ""


def run(seed: int, number: int, subjects: Mapping[str, Subject], engines: Sequence[str], root: Path) -> Try:
    """Try `number` of a seed, in a folder of its own under `root`, which is removed."""
    random = np.random.default_rng([seed, number])
    began = time.monotonic()
    subject = subjects[sorted(subjects)[random.integers(len(subjects))]]
    call = list(subject.calls[random.integers(len(subject.calls))])
    engine = engines[int(random.integers(2)) % len(engines)]
    if call[0] in COMPUTING and "--resume" not in call and "--engine" not in call:
        call += ["--engine", engine]
    given = {"{pairs}": str(root / PAIRS), "{model}": str(root / MODEL)}
    given |= {"{clip}": str(GOLDEN / "clip"), "{photo}": str(GOLDEN / "clip" / "wide.png")}
    box = root / "tries" / f"{seed}-{number}"
    work = box / "work"
    shutil.rmtree(box, ignore_errors=True)
    (work / "tmp").mkdir(parents=True)
    target = work / f"m{subject.path.suffix if subject.path.is_file() else ''}"
    _copy(subject.path, target, given)
    harmless = random.random() < 0.06 and target.is_dir()
    change = _harmless(target, random) if harmless else _changed(target, random)
    if random.random() < 0.03 and "embed" in call and "--input" not in call:
        call.append(["\udcff lone", "é" * 5000, "\x1b[2J \u202e", "𝄞 " * 900][random.integers(4)])
    words = [given.get(word, word) for word in call]
    tried = Try(number, subject.name, change, " ".join(words).encode("utf-8", "backslashreplace").decode())
    try:
        _judge(tried, words, work, subject, harmless, engine)
    finally:
        _remove(box)
    tried.seconds = time.monotonic() - began
    return tried


def _copy(source: Path, target: Path, given: Mapping[str, str]) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copyfile(source, target)
    if source.suffix == ".toml":
        text = target.read_text()
        for word, path in given.items():
            text = text.replace(word, path)
        target.write_text(text)


def _changed(target: Path, random: np.random.Generator) -> str:
    """Change one file, sometimes two or three; a folder's small files are as likely as its large."""
    said = []
    for _ in range(int(random.choice([1, 1, 1, 1, 2, 3]))):
        for _ in range(20):
            files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
            files = [
                path for path in files if path.is_file() and path.suffix not in (".npz",) and not path.is_symlink()
            ]
            if not files:
                break
            path = files[random.integers(len(files))]
            # Which file a single one is, the caller said: only what is in it changes.
            byte_wise = file_changes.changed if target.is_dir() else file_changes.changed_inside
            change = byte_wise if random.random() < 0.35 else format_changes.changed
            what = None
            # A file that was changed before need not have what a change looks for.
            with contextlib.suppress(Exception):
                what = change(path, random)
            if what:
                said.append(f"{path.relative_to(target.parent)}: {what}")
                break
    return "; ".join(said).encode("utf-8", "backslashreplace").decode()


def _harmless(target: Path, random: np.random.Generator) -> str:
    """A change that means nothing."""
    files = sorted(path for path in target.rglob("*.json") if path.is_file())
    if files and random.random() < 0.7:
        path = files[random.integers(len(files))]
        if (text := json_changes.respelled(path.read_text(), random)) is not None:
            path.write_text(text)
            return f"{path.relative_to(target.parent)}: the same in other words"
    return file_changes.unrelated(target, random)


def _judge(tried: Try, words: list[str], work: Path, subject: Subject, harmless: bool, engine: str) -> None:
    before = _listing(work)
    ended = called(words, work)
    tried.status, tried.said = ended.status, ended.err[-3000:]
    tried.wrong += _faults(ended)
    after = _listing(work)
    changed = sorted({name for name in before.keys() | after.keys() if before.get(name) != after.get(name)})
    # Where a run goes, its recipe says.
    first = {name.split("/")[0] for name in changed if not name.startswith("..")} if words[1] == "m.toml" else set()
    own = {name for word in words for name in OUT.get(word, ())}
    allowed = {"m"} if "--resume" in words else own | first
    kept = [name for name in changed if name.split("/")[0] not in allowed]
    if kept:
        tried.wrong.append(f"changed {', '.join(kept[:5])}")
    if left := [name for name in after if ".partial" in name]:
        tried.wrong.append(f"left {left[0]} behind")
    if ended.status and words[0] != "train" and any(name.split("/")[0] in LEFT for name in after):
        tried.wrong.append("failed and left its out folder")
    if tried.wrong:
        return
    if ended.status == 0 and words[0] in ("convert", "export"):
        again = called(["embed", "out", "open a socket", "--json", "--engine", engine], work)
        if again.status or _faults(again):
            tried.wrong.append(f"what {words[0]} wrote can't be loaded: {again.err[-1500:]}")
    if harmless and words[0] == "embed":
        shutil.rmtree(work / "m")
        shutil.copytree(subject.path, work / "m")
        without = called(words, work)
        if ended.status != without.status:
            tried.wrong.append("a change that means nothing was refused")
        elif ended.status == 0 and not _same(json.loads(ended.out), json.loads(without.out)):
            tried.wrong.append("a change that means nothing gave other vectors")


def _faults(ended: Ended) -> list[str]:
    """What is wrong with an end by itself."""
    found = []
    if ended.status < 0:
        found.append(f"ended by signal {signal.Signals(-ended.status).name}")
    elif ended.status not in (0, 1, 2):
        found.append(f"ended with status {ended.status}")
    elif ended.status and not MESSAGE.search(ended.err):
        found.append(f"status {ended.status} without a message")
    if WRONG.search(ended.err):
        found.append("said: " + next(line for line in ended.err.splitlines() if WRONG.search(line)))
    if len(ended.err) > LONGEST_MESSAGE:
        found.append(f"said {len(ended.err):,} characters")
    if ended.memory > MORE_MEMORY_BYTES:
        found.append(f"held {ended.memory / 2**20:,.0f} MB more than the server")
    if ended.status == 0 and re.search(r"\b(NaN|-?Infinity)\b", ended.out):
        found.append("gave numbers that are none")
    return found


def _listing(work: Path) -> dict[str, tuple]:
    """Every path in a folder and beside it with its kind, size and time."""
    found = {}
    for folder, folders, files in os.walk(work.parent):
        for name in (*folders, *files):
            path = Path(folder) / name
            said = path.lstat()
            # A folder's size and time change with what is in it.
            kept = (said.st_mode, said.st_ino) + (() if path.is_dir() else (said.st_size, said.st_mtime_ns))
            found[os.path.relpath(path, work)] = kept
    return found


def _same(left: object, right: object) -> bool:
    """Whether two answers say the same, numbers to 1e-5."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, float) and isinstance(right, float):
        return abs(left - right) <= 1e-5
    return left == right


def _remove(work: Path) -> None:
    for folder, _, files in os.walk(work):
        Path(folder).chmod(0o700)
        for name in files:
            with contextlib.suppress(OSError):
                (Path(folder) / name).unlink()
    shutil.rmtree(work, ignore_errors=True)
