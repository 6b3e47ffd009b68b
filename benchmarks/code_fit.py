"""`python -m benchmarks.code_fit`: seconds and memory of `codes fit` on ever more vectors of one file.

The vectors are synthetic, 384 features of falling variance around some thousand centres, written in blocks; a fit draws
its sample from the file, so that its memory must not grow with the file.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import machine, program, rows
from mlx_metaembed import folder as folders
from mlx_metaembed.files import npy
from mlx_metaembed.folder import locate

RESULT = Path(__file__).parent / "results" / "code_fit.json"
WIDTH, BLOCK, CENTRES = 384, 50_000, 4_000


def write(path: Path, count: int) -> None:
    """A file of so many vectors at length 1."""
    # Not mapped: the pages would count as those of the process that is measured, which begins as a copy of this one.
    npy.save_rows(path, blocks(count), count)


def blocks(count: int) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    scale = (1 / np.sqrt(np.arange(1, WIDTH + 1))).astype(np.float32)
    centres = random.standard_normal((CENTRES, WIDTH), np.float32) * scale
    for first in range(0, count, BLOCK):
        size = min(BLOCK, count - first)
        block = centres[random.integers(0, CENTRES, size)]
        block = block + random.standard_normal((size, WIDTH), np.float32) * (0.7 * scale)
        yield block / np.linalg.norm(block, axis=1, keepdims=True)


def fitted(model: Path, path: Path, kind: str, size: int) -> dict:
    """The row of one fit, in a process of its own: seconds, and the most memory that it held."""
    words = ["codes", "fit", str(model), str(path), "--bytes", str(size), "--kind", kind, "--name", "new", "--json"]
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen([sys.executable, "-m", "mlx_metaembed", *words], stdout=out, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"metaembed {' '.join(words)} ended with status {child.returncode}")
        out.seek(0)
        said = json.loads(out.read())
    shutil.rmtree(said["code"])
    kept = {key: said[key] for key in ("kind", "bytes_per_vector", "kept_r10", "kept_spearman")}
    unit = 1 if sys.platform == "darwin" else 1024
    return kept | {
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mb": round(usage.ru_maxrss * unit / 1e6),
    }


def main() -> None:
    given = program.settings(counts="50000,250000,1000000", kinds="scalar", bytes=32, work="runs/code_fit")
    work = Path(given.work)
    model = work / "model"
    if not model.is_dir():
        shutil.copytree(folders.read(locate.resolve(rows.MODEL)).path, model)
    made = []
    for count in map(int, given.counts.split(",")):
        path = work / "vectors.npy"
        write(path, count)
        for kind in given.kinds.split(","):
            about = {"vectors": count, "file_mb": round(path.stat().st_size / 1e6)}
            made.append(about | fitted(model, path, kind, given.bytes))
            print(json.dumps(made[-1]))
            result = machine.about(None) | {"width": WIDTH, "sample": 40_000, "rows": made}
            RESULT.write_text(json.dumps(result, indent=2) + "\n")
        path.unlink()


if __name__ == "__main__":
    main()
