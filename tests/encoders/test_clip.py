"""CLIP: both towers against transformers' features, where a text ends, training the texts' tower, layouts in, out."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected, lowest_cosine
from tiny import TEXTS
from tokenizers import Tokenizer as Fast
from towers import CLIP, PICTURES, STORED, unit

from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.cli.embed import command
from mlx_metaembed.config import clip
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train


def test_the_state_where_a_text_ends_is_the_references_feature(engine_name: str):
    ids, mask, _ = expected("clip")
    states = encoder(engine_name, CLIP)(ids, mask)
    found = states[np.arange(len(ids)), mask.sum(axis=1) - 1]
    np.testing.assert_allclose(found, STORED["pooled"], rtol=0, atol=1e-5)


def test_texts_are_encoded_alike_alone_and_padded(engine_name: str):
    embedder = load(CLIP, engine=engine_name)
    words = Fast.from_file(str(CLIP / "tokenizer.json"))
    ids, mask, _ = expected("clip")
    rows = [row[real] for row, real in zip(ids, mask, strict=True) if real.sum() > 1]
    texts = [" ".join(words.id_to_token(each) for each in row[1:-1]) for row in rows]
    assert texts[1] == ""
    pooled = unit(STORED["pooled"][mask.sum(axis=1) > 1])
    np.testing.assert_allclose(embedder.encode(texts, normalize_embeddings=True), pooled, rtol=0, atol=1e-5)
    alone = np.stack([embedder.encode(text, normalize_embeddings=True) for text in texts])
    np.testing.assert_allclose(alone, pooled, rtol=0, atol=1e-5)
    assert embedder.dimensions == pooled.shape[1] == 16


def test_images_have_the_references_features(engine_name: str):
    embedder = load(CLIP, engine=engine_name)
    features = embedder.engine.numpy(embedder.engine.images(STORED["pixels"]))
    np.testing.assert_allclose(features, unit(STORED["images"]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        embedder.encode_images(PICTURES, normalize_embeddings=True), unit(STORED["images"]), rtol=0, atol=1e-5
    )
    one = embedder.encode_images(PICTURES[1:2], truncate_dim=4, normalize_embeddings=True)
    np.testing.assert_allclose(one, unit(STORED["images"][1:2, :4]), rtol=0, atol=1e-5)
    half = load(CLIP, engine=engine_name, dtype="float16").encode_images(PICTURES)
    assert lowest_cosine(half, STORED["images"]) > 0.9999


def test_what_no_patch_covers_is_not_seen(engine_name: str, tmp_path: Path):
    """Of 14 pixels, patches of 4 see 12, as the reference's convolution does."""
    vision = disk.read_json(CLIP / "config.json")["vision_config"]
    model = load(altered(tmp_path / "m", "clip", {"vision_config": vision | {"image_size": 14}}), engine=engine_name)
    wider = np.pad(STORED["pixels"], [(0, 0), (0, 0), (0, 2), (0, 2)], constant_values=7)
    found = model.engine.numpy(model.engine.images(wider))
    np.testing.assert_allclose(found, unit(STORED["images"]), rtol=0, atol=1e-5)
    narrow = altered(tmp_path / "n", "clip", {"vision_config": vision | {"patch_size": 13}})
    with pytest.raises(CallError, match="patches of 13 pixels in images of 12"):
        load(narrow, engine=engine_name).encode_images(PICTURES)


def test_a_task_models_prefix_is_taken_off_both_towers(engine_name: str, tmp_path: Path):
    out = shutil.copytree(CLIP, tmp_path / "m")
    arrays = safetensors.read(out / "model.safetensors")
    safetensors.write(out / "model.safetensors", {f"clip.{name}": array for name, array in arrays.items()})
    found, plain = load(out, engine=engine_name), load(CLIP, engine=engine_name)
    np.testing.assert_array_equal(found.encode_images(PICTURES), plain.encode_images(PICTURES))
    np.testing.assert_array_equal(found.encode(["a red cat"]), plain.encode(["a red cat"]))


def test_dense_modules_stand_behind_both_towers(engine_name: str, tmp_path: Path):
    dense = DenseModule("1_Dense", 16, 5, activation_function="torch.nn.modules.linear.Identity")
    path = Path(shutil.copytree(CLIP, tmp_path / "m"))
    folders.write(folders.ModelFolder(path, folders.read(CLIP).config, max_seq_length=24, dense=(dense,)), path)
    random = np.random.default_rng(0)
    linear = {"linear.weight": random.standard_normal((5, 16)), "linear.bias": random.standard_normal(5)}
    safetensors.write(path / "1_Dense/model.safetensors", {name: x.astype(np.float32) for name, x in linear.items()})
    embedder = load(path, engine=engine_name)
    expected_images = STORED["images"] @ linear["linear.weight"].T + linear["linear.bias"]
    np.testing.assert_allclose(np.linalg.norm(embedder.encode_images(PICTURES), axis=1), 1, rtol=0, atol=1e-6)
    found = embedder.encode_images(PICTURES, normalize_embeddings=False)
    np.testing.assert_allclose(found, expected_images, rtol=0, atol=1e-4)
    assert embedder.encode(TEXTS).shape == (6, 5)


@pytest.mark.parametrize("end", [3, clip.LEGACY_END])
def test_a_text_is_pooled_where_it_first_ends(torch_engine: str, tmp_path: Path, end: int):
    """In words, and as the reference pools the same ids: the legacy value means the largest id of the text."""
    import torch
    from transformers import CLIPModel

    config = folders.read(CLIP).config
    path = altered(tmp_path / "m", "clip", {"text_config": config["text_config"] | {"eos_token_id": end}})
    words = Fast.from_file(str(path / "tokenizer.json"))
    words.add_special_tokens(["<|endoftext|>"])
    words.save(str(path / "tokenizer.json"))
    text = "sort a <|endoftext|> list of numbers"
    whole = words.encode(text).ids
    place = whole.index(3 if end == 3 else max(whole))
    assert 0 < place < len(whole) - 1
    assert Tokenizer(folders.read(path))([text]) == [whole[: place + 1]]
    with torch.inference_mode():
        model = CLIPModel.from_pretrained(path)
        reference = model.get_text_features(input_ids=torch.tensor([whole])).pooler_output.numpy()
    np.testing.assert_allclose(
        load(path, engine="torch").encode([text], normalize_embeddings=True), unit(reference), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "clip"},
        {"model_type": "clip", "text_config": {"eos_token_id": 2}, "projection_dim": 768},
        {"model_type": "clip", "text_config": {"eos_token_id": 2}, "text_config_dict": {"hidden_size": 768}},
        {"model_type": "clip", "vision_config": {"patch_size": 16}, "vision_config_dict": {"image_size": 336}},
        {"model_type": "siglip", "text_config": {"model_type": "siglip_text_model", "vocab_size": 256000}},
    ],
)
def test_what_a_file_does_not_say_is_transformers_default(torch_engine: str, config: dict):
    from transformers import AutoConfig

    parts = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items()}
    theirs = AutoConfig.for_model(parts.pop("model_type"), **parts)
    mine = clip.text(config)
    width = mine.pop("projection_dim")
    assert width == (theirs.projection_dim if config["model_type"] == "clip" else theirs.text_config.projection_size)
    assert mine | {"model_type": theirs.text_config.model_type} == {
        name: getattr(theirs.text_config, name) for name in mine
    }
    for name in clip.CLIP_IMAGE if config["model_type"] == "clip" else ():
        assert clip.image(config)[name] == getattr(theirs.vision_config, name)


def test_training_moves_the_texts_tower_and_keeps_the_images(engine_name: str, pairs: Path, tmp_path: Path):
    out = tmp_path / "out"
    settings = {"batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.1, "engine": engine_name, "iters": 2}
    train(Recipe(model=str(CLIP), data=str(pairs), out=str(out), **settings))
    before, after = (safetensors.read(path / "model.safetensors") for path in (CLIP, out))
    assert before.keys() == after.keys()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith(clip.TRUNK)}
    embedder = load(out, engine=engine_name)
    np.testing.assert_allclose(
        embedder.encode_images(PICTURES, normalize_embeddings=True), unit(STORED["images"]), rtol=0, atol=1e-5
    )
    assert (out / "preprocessor_config.json").is_file()
    assert not (out / "1_Pooling").exists()


def test_the_command_takes_images(engine_name: str, tmp_path: Path):
    from click.testing import CliRunner

    words = [str(CLIP), "--image", *map(str, PICTURES), "--engine", engine_name, "--dims", "4", "--normalize", "--json"]
    found = json.loads(CliRunner().invoke(command, words, catch_exceptions=False).stdout)
    assert (found["images"], found["dimensions"]) == (3, 4)
    assert [row["image"] for row in found["rows"]] == list(map(str, PICTURES))
    np.testing.assert_allclose([row["embedding"] for row in found["rows"]], unit(STORED["images"][:, :4]), atol=1e-5)
    (tmp_path / "list.txt").write_text("\n".join(map(str, PICTURES[:2])) + "\n")
    words = [str(CLIP), "--image", "--input", str(tmp_path / "list.txt"), "--engine", engine_name]
    assert len(CliRunner().invoke(command, words, catch_exceptions=False).stdout.splitlines()) == 2


@pytest.mark.parametrize(("family", "pooled"), [("clip", "end-of-text token"), ("siglip", "last position")])
def test_what_is_pooled_is_said(tmp_path: Path, family: str, pooled: str):
    from click.testing import CliRunner

    from mlx_metaembed.cli import convert as verb

    said = CliRunner().invoke(verb.command, [str(GOLDEN / family), str(tmp_path / "m")], catch_exceptions=False)
    assert f" dimensions, {pooled} pooling, float32" in said.stdout
    assert f"| Pooling | {pooled} |" in card.facts(folders.read(tmp_path / "m"))


def test_faults_are_named(engine_name: str, tiny: Path, tmp_path: Path):
    with pytest.raises(CallError, match="has no image tower that the kit computes"):
        load(tiny, engine=engine_name).encode_images(PICTURES)
    vision = folders.read(CLIP).config["vision_config"]
    path = altered(tmp_path / "vision", "clip", {"vision_config": vision | {"hidden_act": "swish9"}})
    with pytest.raises(CallError, match="swish9"):
        load(path, engine=engine_name).encode_images(PICTURES)
    path = altered(tmp_path / "heads", "clip", {"vision_config": vision | {"num_attention_heads": 5}})
    with pytest.raises(
        CallError, match=r"(hidden_size = 32 is no multiple of num_attention_heads = 5|transformers ref)"
    ):
        load(path, engine=engine_name).encode_images(PICTURES)
    with pytest.raises(CallError, match=r"has 5 as its text_config; expected an object"):
        folders.read(altered(tmp_path / "number", "clip", {"text_config": 5}))
    path = altered(tmp_path / "pooled", "clip")
    listed = disk.read_json(path / "modules.json")
    disk.write_json(path / "modules.json", [*listed, {"type": "sentence_transformers.models.Pooling", "path": "1_P"}])
    with pytest.raises(CallError, match="module Pooling at '1_P', but clip pools by itself"):
        folders.read(path)

    def without(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        del arrays["text_projection.weight"], arrays["visual_projection.weight"]
        return arrays

    path = altered(tmp_path / "without", "clip", change=without)
    with pytest.raises(CallError, match=r"text_projection\.weight \(16, 32\): missing"):
        load(path, engine=engine_name)
