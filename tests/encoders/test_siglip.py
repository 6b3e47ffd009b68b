"""SigLIP's text tower: every text padded to the last position, padding attended to, the padding token, layouts."""

from pathlib import Path

import numpy as np
import pytest
from golden_variants import altered
from states import GOLDEN, encoder, expected, lowest_cosine
from tiny import TEXTS
from tokenizers import Tokenizer as Fast
from towers import for_transformers, unit

from mlx_metaembed import folder as folders
from mlx_metaembed.config import clip
from mlx_metaembed.convert import check, convert
from mlx_metaembed.embedder import load
from mlx_metaembed.errors import CallError
from mlx_metaembed.export import mlx as quantized
from mlx_metaembed.export import sentence_transformers as exported
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.inputs.tokenizer import Tokenizer
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

SIGLIP = GOLDEN / "siglip"
POOLED = unit(np.load(SIGLIP / "expected.npz")["pooled"])
END = 1


def golden_texts() -> list[str]:
    """The golden ids as words: the tokenizer puts the last id, the end, back."""
    words = Fast.from_file(str(SIGLIP / "tokenizer.json"))
    ids, mask, _ = expected("siglip")
    return [" ".join(map(words.id_to_token, row[real][:-1])) for row, real in zip(ids, mask, strict=True)]


def test_texts_have_the_references_features_alone_and_together(engine_name: str):
    embedder = load(SIGLIP, engine=engine_name)
    texts = golden_texts()
    assert texts[1] == ""
    np.testing.assert_allclose(embedder.encode(texts), POOLED, rtol=0, atol=1e-5)
    alone = np.concatenate([embedder.encode([text]) for text in texts])
    np.testing.assert_allclose(alone, POOLED, rtol=0, atol=1e-5)
    assert lowest_cosine(load(SIGLIP, engine=engine_name, dtype="float16").encode(texts), POOLED) > 0.9999


def test_a_mask_would_give_other_vectors(engine_name: str):
    """That padding is attended to is no detail: masked, the same ids give other vectors."""
    ids, mask, states = expected("siglip")
    found = unit(encoder(engine_name, SIGLIP)(ids, mask)[:, -1])
    short = mask.sum(axis=1) < 10
    assert ((found * POOLED).sum(axis=1)[short] < 0.99).all()
    assert states.shape[-1] == 32


def test_every_text_fills_all_positions(tmp_path: Path):
    made = Tokenizer(folders.read(SIGLIP))([*TEXTS, ""])
    assert {len(ids) for ids in made} == {32}
    assert made[-1] == [END] * 32
    # A shorter length cuts the text and leaves the padding.
    (cut,) = Tokenizer(folders.read(SIGLIP), max_seq_length=4)([TEXTS[0]])
    assert cut[3:] == [END] * 29
    assert END not in cut[:3]


@pytest.mark.parametrize("name", ["tokenizer_config.json", "special_tokens_map.json"])
@pytest.mark.parametrize("token", ["<unk>", {"__type": "AddedToken", "content": "<unk>"}])
def test_the_tokenizers_files_name_the_padding(tmp_path: Path, name: str, token: object):
    path = altered(tmp_path / "m", "siglip")
    disk.write_json(path / name, {"pad_token": token})
    tokenizer = Tokenizer(folders.read(path))
    assert tokenizer.pad_id == 0
    assert tokenizer(["sort"])[0][2:] == [0] * 30


def test_training_moves_the_texts_tower_alone(engine_name: str, pairs: Path, tmp_path: Path):
    settings = {"batch_size": 8, "learning_rate": 1e-2, "weight_decay": 0.1, "engine": engine_name, "iters": 2}
    train(Recipe(model=str(SIGLIP), data=str(pairs), out=str(tmp_path / "out"), **settings))
    before, after = (safetensors.read(path / "model.safetensors") for path in (SIGLIP, tmp_path / "out"))
    assert before.keys() == after.keys()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith(clip.TRUNK)}


def test_a_tower_that_transformers_5_saved_gets_the_hubs_names(engine_name: str, tmp_path: Path):
    def bare(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name.removeprefix("text_model."): array for name, array in arrays.items()}

    path = altered(tmp_path / "bare", "siglip_text_model", change=bare)
    heard: list[str] = []
    convert(path, tmp_path / "out", note=heard.append)
    assert heard == []
    names = [
        safetensors.header(each / "model.safetensors").keys() for each in (GOLDEN / path.name, tmp_path / "out")[1:]
    ]
    assert names == [safetensors.header(GOLDEN / "siglip_text_model/model.safetensors").keys()]
    vectors = [
        load(each, engine=engine_name).encode(TEXTS) for each in (GOLDEN / "siglip_text_model", tmp_path / "out")
    ]
    np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("family", ["siglip", "siglip_text_model", "clip_text_model"])
def test_the_check_holds(torch_engine: str, tmp_path: Path, family: str):
    source = for_transformers(GOLDEN / family, tmp_path / "source")
    if family.startswith("siglip"):
        said = disk.read_json(source / "tokenizer_config.json") | {"pad_token": "</s>", "eos_token": "</s>"}
        disk.write_json(source / "tokenizer_config.json", said)
    convert(source, tmp_path / "out")
    rows, _ = check.check(tmp_path / "out", reference=source, engine=torch_engine)
    check.require(rows)


@pytest.mark.parametrize("family", ["siglip", "siglip_text_model", "clip_text_model", "longformer"])
def test_a_quantized_export_loads(engine_name: str, tmp_path: Path, family: str):
    quantized.export(folders.read(GOLDEN / family), tmp_path / "q", bits=8, group_size=32)
    found = load(tmp_path / "q", engine=engine_name).encode(TEXTS)
    assert lowest_cosine(found, load(GOLDEN / family, engine=engine_name).encode(TEXTS)) > 0.999


@pytest.mark.filterwarnings("ignore")
def test_sentence_transformers_gives_the_same(sentence_transformers: str, engine_name: str, tmp_path: Path):
    from sentence_transformers import SentenceTransformer

    path = for_transformers(SIGLIP, tmp_path / "m")
    said = disk.read_json(path / "tokenizer_config.json")
    disk.write_json(
        path / "tokenizer_config.json",
        said | {"pad_token": "</s>", "eos_token": "</s>", "model_input_names": ["input_ids"]},
    )
    exported.export(folders.read(path), tmp_path / "out")
    model = SentenceTransformer(str(tmp_path / "out"), device="cpu", local_files_only=True)
    theirs = model.encode(TEXTS, normalize_embeddings=True)
    np.testing.assert_allclose(load(path, engine=engine_name).encode(TEXTS), theirs, rtol=0, atol=1e-5)


@pytest.mark.parametrize("family", ["siglip_text_model", "clip_text_model"])
def test_a_tower_alone_is_not_exported_to_where_nothing_reads_it(tmp_path: Path, family: str):
    with pytest.raises(CallError, match="is a text tower alone"):
        exported.export(folders.read(GOLDEN / family), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_images_are_not_computed(engine_name: str):
    with pytest.raises(CallError, match="has no image tower that the kit computes"):
        load(SIGLIP, engine=engine_name).encode_images(["a.png"])
