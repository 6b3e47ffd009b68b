"""Adapters in folders of their own (PEFT, as jinaai/jina-embeddings-v3-hf has them) come in as the kit's tensors."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from jina_folder import JINA, NAMES

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder import task_adapters

ARRAYS = safetensors.read(JINA / "model.safetensors")


def peft(name: str, task: int) -> dict[str, np.ndarray]:
    """One of the golden folder's adapter tensors under PEFT's names, which are those of transformers' modules."""
    matrix, letter = name.split("_lora.")
    array, base = ARRAYS[name][task], "base_model.model."
    if matrix.endswith("_embeddings"):
        return {f"{base}{matrix}.lora_embedding_{letter}": array.T.copy()}
    own = matrix.removeprefix("encoder.").replace(".mixer.out_proj", ".self_attn.o_proj")
    if "Wqkv" not in own:
        return {f"{base}{own}.lora_{letter}.weight": array}
    parts = [array] * 3 if letter == "A" else np.split(array, 3)
    names = [own.replace("mixer.Wqkv", f"self_attn.{part}_proj") for part in "qkv"]
    return {f"{base}{each}.lora_{letter}.weight": part.copy() for each, part in zip(names, parts, strict=True)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The golden folder with each task's adapter in a folder of its own."""
    path = altered(
        tmp_path / "hf", "jina_embeddings_v3", change=lambda a: {k: v for k, v in a.items() if "_lora" not in k}
    )
    for task, name in enumerate(NAMES):
        folder = path / name.replace(".", "_").replace("-", "_")
        folder.mkdir()
        disk.write_json(folder / "adapter_config.json", {"r": 3, "lora_alpha": 2, "use_dora": False})
        # Sorted, so that keys come before queries, as the file may have them.
        found = {key: array for full in ARRAYS if "_lora." in full for key, array in sorted(peft(full, task).items())}
        safetensors.write(folder / "adapter_model.safetensors", found)
    return path


def test_they_are_stacked_in_the_order_of_the_tasks(source: Path, tmp_path: Path):
    heard: list[str] = []
    found = convert(source, tmp_path / "out", note=heard.append)
    assert heard == ["Took the task adapters from their own folders"]
    assert task_adapters.names(found.config) == list(NAMES)
    stored = safetensors.read(tmp_path / "out/model.safetensors")
    assert stored.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(stored[name], array, err_msg=name)


def test_all_that_is_wrong_is_told_at_once(source: Path, tmp_path: Path):
    (source / "retrieval_query" / "adapter_config.json").unlink()
    disk.write_json(source / "separation" / "adapter_config.json", {"r": 4, "lora_alpha": 2, "use_dora": True})
    file = source / "text_matching" / "adapter_model.safetensors"
    arrays = safetensors.read(file)
    key = "base_model.model.layers.1.self_attn.k_proj.lora_A.weight"
    safetensors.write(file, arrays | {key: arrays[key] + 1, "spare": np.ones(2, np.float32)})
    with pytest.raises(CallError) as caught:
        convert(source, tmp_path / "out")
    for message in (
        "retrieval.query: no adapter_config.json and adapter_model.safetensors in retrieval_query",
        "separation: r = 4, config.json says 3",
        "separation: use_dora is not supported",
        "text-matching: spare is no adapter's tensor",
        "text-matching: encoder.layers.1.mixer.Wqkv_lora.A: queries, keys and values have different ones",
    ):
        assert message in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_tasks_that_adapt_different_matrices_are_refused(source: Path, tmp_path: Path):
    file = source / "separation" / "adapter_model.safetensors"
    safetensors.write(file, {name: array for name, array in safetensors.read(file).items() if "pooler" not in name})
    with pytest.raises(CallError, match="the tasks adapt different matrices"):
        convert(source, tmp_path / "out")
    assert folders.read(source).model_type == "jina_embeddings_v3"
