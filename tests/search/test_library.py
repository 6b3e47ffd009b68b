"""usearch and MLX in one process, each in a fresh one: what is loaded first stays for good."""

import subprocess
import sys

import pytest

LOAD = {"usearch": "from mlx_metaembed.search.library import usearch; usearch()", "mlx": "import mlx.core as mx"}
COMPUTE = """
import mlx.core as mx
print(mx.array([12, 7]))
a, b = mx.ones((64, 384)), mx.ones((384, 100))
print(mx.max(a @ b).item(), mx.max(mx.addmm(mx.ones(100), a, b)).item())
"""


@pytest.mark.parametrize("order", [("usearch", "mlx"), ("mlx", "usearch")], ids=" then ".join)
def test_mlx_prints_and_multiplies_beside_usearch(order):
    lines = ["from mlx_metaembed.on_mlx import blas; blas.preload()", *(LOAD[name] for name in order), COMPUTE]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("array([12, 7], dtype=int32)\n384.0 385.0\n", "")


def test_mlx_works_where_its_blas_comes_after_usearch():
    lines = [LOAD["usearch"], "from mlx_metaembed.on_mlx import blas; blas.preload()", COMPUTE]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("array([12, 7], dtype=int32)\n384.0 385.0\n", "")
