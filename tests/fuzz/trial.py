"""One try: a subject copied and changed, a call on it in a child with limits, and what is wrong with how it ended."""

import contextlib
import faulthandler
import json
import math
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fuzz import file_changes, format_changes, json_changes
from fuzz.subject import GOLDEN, MODEL, PAIRS, Subject

CPU_SECONDS, WALL_SECONDS, BLOCKED_SECONDS = 30, 120, 5
MORE_MEMORY_BYTES = 512 * 2**20
"""How much more than the server a try may hold; past three times that it gets no more."""
COMPUTING = ("embed", "convert", "train", "eval", "index", "search")
MESSAGE = re.compile(r"^(metaembed: .|Error: |Usage: )", re.M)
# After a quote, None is a value that is quoted and cut there, not a reason that is missing.
WRONG = re.compile(
    r"Traceback \(most recent|panicked at|Fatal Python error|^metaembed: (None|\[Errno)|[^']: None$", re.M
)
LONGEST_MESSAGE = 20_000


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


@dataclass(frozen=True)
class Ended:
    """How a child ended: its exit status or minus its signal, memory in bytes beside the server's, what it wrote."""

    status: int
    memory: int
    out: str
    err: str


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
    ended = _child(words, work)
    tried.status, tried.said = ended.status, ended.err[-3000:]
    tried.wrong += _faults(ended)
    after = _listing(work)
    changed = sorted({name for name in before.keys() | after.keys() if before.get(name) != after.get(name)})
    # Where a run goes, its recipe says.
    first = {name.split("/")[0] for name in changed if not name.startswith("..")} if words[1] == "m.toml" else set()
    allowed = {"m"} if "--resume" in words else {"out", "out.npy"} & {*words} | first
    kept = [name for name in changed if name.split("/")[0] not in allowed]
    if kept:
        tried.wrong.append(f"changed {', '.join(kept[:5])}")
    if left := [name for name in after if ".partial" in name]:
        tried.wrong.append(f"left {left[0]} behind")
    if ended.status and words[0] != "train" and any(name.split("/")[0] in ("out", "out.npy") for name in after):
        tried.wrong.append("failed and left its out folder")
    if tried.wrong:
        return
    if ended.status == 0 and words[0] in ("convert", "export"):
        again = _child(["embed", "out", "open a socket", "--json", "--engine", engine], work)
        if again.status or _faults(again):
            tried.wrong.append(f"what {words[0]} wrote can't be loaded: {again.err[-1500:]}")
    if harmless and words[0] == "embed":
        shutil.rmtree(work / "m")
        shutil.copytree(subject.path, work / "m")
        without = _child(words, work)
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


def _child(words: list[str], work: Path) -> Ended:
    """Run the command line on `words` in a child of this process, with limits on its time and memory."""
    held = _resident()
    child = os.fork()
    if child == 0:
        _call(words, work)
    limit, pause, waits = time.monotonic() + WALL_SECONDS, 0.002, ("", time.monotonic())
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            break
        if (state := _waiting(child)) != waits[0] or not state:
            waits = (state, time.monotonic())
        if time.monotonic() > limit or time.monotonic() > waits[1] + BLOCKED_SECONDS:
            os.kill(child, signal.SIGALRM)
            limit, waits = math.inf, (None, math.inf)
        time.sleep(pause)
        pause = min(pause * 1.3, 0.05)
    texts = [(work.with_suffix(end)).read_bytes().decode("utf-8", "replace") for end in (".out", ".err")]
    for end in (".out", ".err"):
        work.with_suffix(end).unlink()
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ended(os.waitstatus_to_exitcode(status), max(peak - held, 0), *texts)


def _waiting(child: int) -> str:
    """The processor time of a child that sleeps; nothing where it computes or the system does not say."""
    try:
        state, *numbers = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return " ".join(numbers[10:12]) if state == "S" else ""


def _call(words: list[str], work: Path) -> None:
    """The child: never returns."""
    status = 70
    try:
        for number, end in ((1, ".out"), (2, ".err")):
            opened = os.open(work.with_suffix(end), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(opened, number)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
        faulthandler.enable(sys.stderr)
        os.chdir(work)
        os.environ["TMPDIR"] = str(work / "tmp")
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        if size := _address_space():
            most = size + 3 * MORE_MEMORY_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
        from mlx_metaembed.cli import main

        main(words)
        status = 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


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


def _resident() -> int:
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * resource.getpagesize() if status.is_file() else 0


def _address_space() -> int:
    """Bytes of addresses in use; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.is_file() else 0
