"""Families calibrated: layers' inputs are found by the checkpoint's names, scales compute as the folder does."""

from pathlib import Path

import numpy as np
import pytest
from tiny import TEXTS

from mlx_metaembed import folder as folders
from mlx_metaembed.embedder import load
from mlx_metaembed.engine import DENSE, choose
from mlx_metaembed.export.mlx import export
from mlx_metaembed.folder.parameters import behind_trunk
from mlx_metaembed.inputs import chunks, token_store
from mlx_metaembed.inputs.tokenizer import Tokenizer

GOLDEN = Path(__file__).parent.parent / "golden"
FAMILIES = (
    "distilbert",
    "gemma3_text",
    "jina_embeddings_v3",
    "modernbert",
    "mpnet",
    "new",
    "nomic_bert",
    "qwen3",
    "t5",
)


@pytest.mark.parametrize("family", FAMILIES)
def test_scales_compute_as_the_folder_does(family: str, tmp_path: Path, engine_name: str) -> None:
    source = folders.read(GOLDEN / family)
    packed = export(source, tmp_path / "packed", bits=4, group_size=32, dtype="float32")
    tokenizer = Tokenizer(packed)
    store = token_store.tokenize(tokenizer, TEXTS[:3])
    pieces, _ = chunks.chunks(store, range(3), pad_id=tokenizer.pad_id, chunk_tokens=512)
    engine = choose(engine_name)
    arrays = behind_trunk(packed, {})
    engine.load(packed, dtype="float32", heads={}, arrays=arrays, train=True, scales=True)
    found = engine.numpy(engine.embed(pieces[0])[DENSE])
    masters, _ = engine.save()
    assert any(name.endswith("scales") for name in masters)
    engine.load(packed, dtype="float32", heads={}, arrays=arrays)
    np.testing.assert_allclose(found, engine.numpy(engine.embed(pieces[0])[DENSE]), atol=2e-5)
    linear = {name.removesuffix(".scales") for name in packed.trunk() if name.endswith(".scales")}
    moments = load(str(GOLDEN / family), engine=engine_name, dtype="float32").engine.moments(pieces[0], linear)
    # All but the word table are linear layers.
    assert len(linear - moments.keys()) <= 1
    for module, each in moments.items():
        columns = packed.trunk()[f"{module}.scales"].shape[1] * 32
        assert each.shape == (columns, columns)
        assert (np.diag(each) >= 0).all()
