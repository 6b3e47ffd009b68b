"""`python -m fuzz`: so many tries of a seed, forked from a process that imported the kit; status 1 on failures."""

import os

# Before any engine is imported: no compiler runs for tiny models, and a process without threads can be forked.
os.environ["MLX_ENABLE_TF32"] = "0"
os.environ["MLX_DISABLE_COMPILE"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse
import importlib
import importlib.util
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fuzz import subject, subjects, trial
from fuzz.trial import Try

READERS = ("jsonl", "csv", "sqlite", "parquet", "beir", "python_source", "arrow_folder")
GRAMMARS = ("c", "cpp", "elixir", "go", "java", "javascript", "rust", "typescript")
KIT = ("cli.embed", "cli.convert", "cli.export", "cli.train", "cli.eval", "cli.index", "cli.search", "cli.plan")
KIT += (
    "embedder",
    "convert.checkpoint",
    "convert.pickles",
    "convert.onnx",
    "convert.gguf.make",
    "training.run",
    "training.prepare",
    "on_mlx.engine",
)
KIT += ("search.index", *(f"data.readers.{name}" for name in READERS))
KIT += ("data.messages.make", "data.code.make", "data.check", "data.leaks", "data.part", "data.flat_rows")
KIT += tuple(f"cli.data.{name}" for name in ("check", "code", "messages", "split", "table"))
OTHERS = (
    "tokenizers",
    "pyarrow.parquet",
    "onnx",
    "usearch.index",
    "PIL.Image",
    "sqlite3",
    "mlx_metaembed.on_mlx.trunk",
    "tree_sitter",
    *(f"tree_sitter_{name}" for name in GRAMMARS),
)


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    options.add_argument("--tries", type=int, default=10_000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--first", type=int, default=0, help="number of the first try")
    options.add_argument("--only", type=int, help="run this try alone and show all that it says")
    options.add_argument("--subjects", default="", help="change these alone, as in bert,data:pairs.jsonl")
    options.add_argument("--engines", default=",".join(_engines()))
    options.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = options.parse_args()
    engines = given.engines.split(",")
    _warm(engines)
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
        root = Path(folder).resolve()
        made = subjects.build(root, partial(_alone, root / "build.log"))
        if given.subjects:
            made = {name: made[name] for name in given.subjects.split(",")}
        one = partial(trial.run, given.seed, subjects=made, engines=engines, root=root)
        if given.only is not None:
            found = one(given.only)
            _show(given.seed, found)
            print(f"status {found.status}, {found.seconds:.1f} s; it said:\n{found.said}")
            sys.exit(bool(found.wrong))
        numbers = range(given.first, given.first + given.tries)
        sys.exit(_all(one, numbers, given.seed, given.jobs))


def _all(one: Callable[[int], Try], numbers: range, seed: int, jobs: int) -> int:
    """Run all tries; 1 where any ended badly."""
    began, failed, ends = time.monotonic(), [], {0: 0, 1: 0, 2: 0}
    for done, found in enumerate(_tried(one, numbers, jobs), start=1):
        ends[found.status] = ends.get(found.status, 0) + 1
        if found.wrong:
            failed.append(found)
            _show(seed, found)
        left = (time.monotonic() - began) / done * (len(numbers) - done)
        if sys.stderr.isatty() or done % 500 == 0:
            end = "\r" if sys.stderr.isatty() else "\n"
            print(
                f"{done:,} of {len(numbers):,}, {len(failed)} failed, {left / 60:.1f} min left ",
                end=end,
                file=sys.stderr,
            )
    print(
        f"{len(numbers):,} tries of seed {seed} in {time.monotonic() - began:.0f} s: {ends[0]:,} gave an answer, "
        f"{ends[1] + ends[2]:,} a message, {len(failed)} ended badly"
    )
    if failed:
        print("Failed: " + " ".join(str(found.number) for found in failed))
    return int(bool(failed))


def _tried(one: Callable[[int], Try], numbers: range, jobs: int) -> Iterator[Try]:
    if jobs == 1:
        yield from map(one, numbers)
        return
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(one, numbers, chunksize=4)


def _show(seed: int, found: Try) -> None:
    print(
        f"--only {found.number} --seed {seed}: {found.subject}: {found.change}\n    metaembed {found.call}\n"
        + "".join(f"    WRONG: {line}\n" for line in found.wrong)
        + "".join(f"      | {line[:300]}\n" for line in found.said.strip().splitlines()[-6:] if found.wrong),
        flush=True,
    )


def _engines() -> list[str]:
    return [name for name in ("mlx", "torch") if importlib.util.find_spec(name)]


def _warm(engines: list[str]) -> None:
    """Import what tries need, and let torch load a model once; MLX starts threads, so that it only is imported."""
    for name in (*(f"mlx_metaembed.{name}" for name in KIT), *OTHERS):
        if importlib.util.find_spec(name.split(".")[0]):
            importlib.import_module(name)
    for path in (Path(trial.__file__).parent.parent.parent / "mlx_metaembed" / "on_mlx" / "encoders").glob("*.py"):
        importlib.import_module(f"mlx_metaembed.on_mlx.encoders.{path.stem}")
    if "torch" in engines:
        import torch

        from mlx_metaembed import embedder

        torch.set_num_threads(1)
        for family in ("bert", "xlm-roberta", "modernbert", "qwen3", "t5", "nomic_bert"):
            embedder.load(subject.GOLDEN / family, engine="torch").encode(["a list"])


def _alone(log: Path, work: Callable[[], None]) -> None:
    """Run something in a child; a child's threads end with it."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(opened, 1)
            os.dup2(opened, 2)
            work()
            status = 0
        except SystemExit as error:
            status = int(bool(error.code))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("a subject could not be made:\n" + log.read_text())


if __name__ == "__main__":
    main()
