"""Gradients are added to their sums one by one: those of a chunk are never held together."""

from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from benchmarks.memory.counted import counted
from mlx_metaembed import engine as engines
from mlx_metaembed import folder as folders
from mlx_metaembed.inputs.chunks import Chunk


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_small_chunk_holds_a_part_of_the_gradients(engine_name: str, tmp_path: Path, dtype: str):
    wide = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 8}
    folder = folders.read(tiny_folder(tmp_path / "wide", config=wide))
    engine = engines.choose(engine_name)
    engine.load(folder, dtype=dtype, heads={}, arrays={}, train=True, checkpointing=True)
    ids, mask = np.ones((8, 4), np.int32), np.ones((8, 4), np.bool_)
    cotangents = {"dense": engine.array(np.ones((8, folder.dimensions), np.float32))}
    chunk = Chunk(ids, mask, mask, 8)
    # The sums are there from a first chunk on.
    engine.backward(chunk, cotangents, seed=0)
    held = counted(engine_name, lambda: engine.backward(chunk, cotangents, seed=0))
    assert held < 0.3 * sum(tensor.stop - tensor.start for tensor in folder.trunk().values())
