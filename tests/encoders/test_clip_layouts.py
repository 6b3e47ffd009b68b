"""CLIP's folders: of transformers, of sentence-transformers before and since 5.4, of pickles, and quantized."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from pickled import save
from states import lowest_cosine
from tiny import TEXTS
from towers import CLIP, IMAGE_TENSORS, PICTURES, STORED, for_transformers, unit

from mlx_metaembed import folder as folders
from mlx_metaembed.convert import check, convert
from mlx_metaembed.embedder import load
from mlx_metaembed.export import mlx as quantized
from mlx_metaembed.export import sentence_transformers as exported
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train


def test_transformers_loads_what_is_converted_and_exported(torch_engine: str, tmp_path: Path):
    from transformers import CLIPModel

    convert(CLIP, tmp_path / "a")
    exported.export(folders.read(tmp_path / "a"), tmp_path / "b", dtype="float16")
    for name in ("a", "b"):
        _, loading = CLIPModel.from_pretrained(tmp_path / name, output_loading_info=True)
        assert not any(loading.values())
        assert set(safetensors.header(tmp_path / name / "model.safetensors")) > IMAGE_TENSORS


def test_a_quantized_export_keeps_both_towers(engine_name: str, tmp_path: Path):
    quantized.export(folders.read(CLIP), tmp_path / "q", bits=8, group_size=32)
    packed = {name for name in safetensors.header(tmp_path / "q/model.safetensors") if name.endswith(".scales")}
    assert {"text_model.embeddings.token_embedding.scales", "visual_projection.scales"} < packed
    assert not any("position_embedding" in name for name in packed)
    embedder = load(tmp_path / "q", engine=engine_name)
    assert lowest_cosine(embedder.encode(TEXTS), load(CLIP, engine=engine_name).encode(TEXTS)) > 0.999
    assert lowest_cosine(embedder.encode_images(PICTURES), STORED["images"]) > 0.999


def test_the_check_holds(torch_engine: str, tmp_path: Path):
    source = for_transformers(CLIP, tmp_path / "source")
    convert(source, tmp_path / "out")
    rows, _ = check.check(tmp_path / "out", reference=source, engine=torch_engine)
    check.require(rows)
    reference, *_ = check.reference_vectors(folders.read(source), source, TEXTS)
    np.testing.assert_allclose(
        load(source, engine=torch_engine).encode(TEXTS, normalize_embeddings=True), reference, rtol=0, atol=1e-5
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("layout", ["as written", "before", "since"])
def test_sentence_transformers_gives_the_same(
    sentence_transformers: str, engine_name: str, tmp_path: Path, layout: str
):
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    path = for_transformers(CLIP, tmp_path / "m")
    if layout == "before":
        (tmp_path / "old").mkdir()
        path = path.rename(tmp_path / "old/0_CLIPModel").parent
        module = {"idx": 0, "name": "0", "path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}
        disk.write_json(path / "modules.json", [module])
        (path / "0_CLIPModel/modules.json").unlink()
    model = SentenceTransformer(str(path), device="cpu", local_files_only=True)
    if layout == "since":
        path = tmp_path / "saved"
        model.save(str(path))
        assert "modules.clip_model.CLIPModel" in (path / "modules.json").read_text()
    convert(path, tmp_path / "converted")
    texts = model.encode(TEXTS, normalize_embeddings=True)
    pictures = model.encode([Image.open(each) for each in PICTURES], normalize_embeddings=True)
    embedder = load(tmp_path / "converted", engine=engine_name)
    np.testing.assert_allclose(embedder.encode(TEXTS, normalize_embeddings=True), texts, rtol=0, atol=1e-5)
    np.testing.assert_allclose(embedder.encode_images(PICTURES, normalize_embeddings=True), pictures, rtol=0, atol=1e-5)


def test_an_older_folder_is_read_where_it_lies_and_trained(engine_name: str, pairs: Path, tmp_path: Path):
    """The model in a folder of its own, `0_CLIPModel`; what the kit writes has it at the top."""
    old = tmp_path / "old"
    shutil.copytree(CLIP, old / "0_CLIPModel", ignore=shutil.ignore_patterns("modules.json", "1_Normalize"))
    disk.write_json(old / "modules.json", [{"type": "sentence_transformers.models.CLIPModel", "path": "0_CLIPModel"}])
    found = folders.read(old)
    assert (found.trunk_folder, found.dimensions, found.normalize) == ("0_CLIPModel", 16, False)
    vectors = load(old, engine=engine_name).encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(
        vectors, load(CLIP, engine=engine_name).encode(TEXTS, normalize_embeddings=True), rtol=0, atol=1e-6
    )
    settings = {"batch_size": 8, "iters": 4, "save_every": 1, "engine": engine_name}
    train(Recipe(model=str(old), data=str(pairs), out=str(tmp_path / "out"), **settings))
    assert folders.read(tmp_path / "out").trunk_folder == ""
    assert load(tmp_path / "out", engine=engine_name).encode_images(PICTURES).shape == (3, 16)


def test_an_older_folder_of_pickles_is_converted(engine_name: str, tmp_path: Path):
    old = tmp_path / "old"
    inner = old / "0_CLIPModel"
    shutil.copytree(CLIP, inner, ignore=shutil.ignore_patterns("modules.json", "model.safetensors"))
    disk.write_json(old / "modules.json", [{"type": "sentence_transformers.models.CLIPModel", "path": "0_CLIPModel"}])
    places = {f"{tower}.embeddings.position_ids": np.arange(10)[None] for tower in ("text_model", "vision_model")}
    save(inner / "pytorch_model.bin", safetensors.read(CLIP / "model.safetensors") | places)
    heard: list[str] = []
    convert(old, tmp_path / "out", note=heard.append)
    assert heard == ["Left out, being no weights of their own: " + ", ".join(places)]
    for name, array in safetensors.read(CLIP / "model.safetensors").items():
        np.testing.assert_array_equal(safetensors.read(tmp_path / "out/model.safetensors")[name], array)
    embedder = load(tmp_path / "out", engine=engine_name)
    np.testing.assert_allclose(
        embedder.encode_images(PICTURES, normalize_embeddings=True), unit(STORED["images"]), rtol=0, atol=1e-5
    )
