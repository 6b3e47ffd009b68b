"""Writes the tiny checkpoints beside it, with the states that transformers computes for them.

    python tests/golden/make.py [FAMILY ...]     # all of FAMILIES, where none is named; needs torch and transformers

A folder FAMILY is a whole model folder (random weights, the kit's own tokenizer) and `expected.npz`: ids int32 [B, L]
padded on the right, mask bool [B, L], states float32 [B, L, hidden], zero on padding. The tests read only the folders.
"""

import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from families import FAMILIES, Family  # noqa: E402
from tiny import save, tokenizer  # noqa: E402

from mlx_metaembed import folder as folders  # noqa: E402
from mlx_metaembed.config.spellings import unified  # noqa: E402
from mlx_metaembed.files import safetensors  # noqa: E402
from mlx_metaembed.folder import ModelFolder  # noqa: E402


def main(names: list[str]) -> None:
    for name in names or FAMILIES:
        make(name, FAMILIES[name])
        size = sum(path.stat().st_size for path in (HERE / name).rglob("*") if path.is_file())
        print(f"{name}: {size:,} bytes")


def make(name: str, family: Family) -> None:
    """Write one folder anew."""
    random = np.random.default_rng(0)
    trunk = family.reference(family.config).eval()
    arrays = {key: draw(random, key, tuple(tensor.shape), family.norm) for key, tensor in trunk.named_parameters()}
    # Not strict: a second name of a tied tensor is not among them.
    trunk.load_state_dict({key: torch.from_numpy(np.asarray(array)) for key, array in arrays.items()}, strict=False)
    ids, mask = texts(random, family)
    inputs = [torch.from_numpy(each.astype(np.int64)) for each in (ids, mask)]
    out = HERE / name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with torch.inference_mode():
        states = trunk(input_ids=inputs[0], attention_mask=inputs[1])
    folders.write(ModelFolder(out, family.config, max_seq_length=24, pooling=family.pooling, normalize=True), out)
    found = stored(trunk, family.config["model_type"])
    with torch.inference_mode():
        more = family.more(trunk, found, out, *inputs)
    safetensors.write(out / "model.safetensors", found)
    save(tokenizer(family.specials, family.template), out)
    states = states.last_hidden_state.numpy() * mask[:, :, None]
    np.savez_compressed(out / "expected.npz", ids=ids, mask=mask, states=states, **more)


def stored(trunk: torch.nn.Module, model_type: str) -> dict[str, np.ndarray]:
    """A trunk's weights as transformers saves them: some families' files name and fuse them as the hub does.

    SigLIP's text tower alone is saved without the prefix that its files on the hub have.
    """
    if not hasattr(trunk, "save_pretrained"):
        return {name: tensor.numpy() for name, tensor in trunk.state_dict().items()}
    prefix = "text_model." if model_type == "siglip_text_model" else ""
    with tempfile.TemporaryDirectory() as scratch:
        trunk.save_pretrained(scratch)
        found = safetensors.read(Path(scratch) / "model.safetensors")
        return {prefix + name: array for name, array in found.items()}


def draw(random: np.random.Generator, name: str, shape: tuple[int, ...], norm: float) -> np.ndarray:
    """Random weights wide enough that every part of the encoder matters; vectors named weight are norms' scales."""
    values = np.asarray(random.standard_normal(shape), np.float32) * np.float32(0.1 if name.endswith("bias") else 0.15)
    return values + norm if len(shape) == 1 and name.endswith("weight") else values


def texts(random: np.random.Generator, family: Family) -> tuple[np.ndarray, np.ndarray]:
    """Random words inside the template; ids int32 and mask bool [B, L]."""
    before, after = ([family.specials.index(token) for token in part.split()] for part in family.template.split("$A"))
    mask = np.arange(max(family.lengths)) < np.array(family.lengths)[:, None]
    words = tokenizer(family.specials, family.template).get_vocab_size()
    pad = unified(family.config).get("pad_token_id") or 0
    ids = np.where(mask, random.integers(len(family.specials), words, mask.shape), pad)
    for row, length in zip(ids, family.lengths, strict=True):
        row[: len(before)] = before
        if length >= len(before) + len(after):
            row[length - len(after) : length] = after
    return ids.astype(np.int32), mask


if __name__ == "__main__":
    main(sys.argv[1:])
