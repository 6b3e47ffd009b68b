"""A GGUF file as a folder, from beginning to end: what it declares, its words, its weights, and whether they hold.

A language model becomes an ordinary Hugging Face folder, which transformers and mlx-lm load. An encoder, or what the
file gives a pooling, becomes a model folder of the kit; its vectors have length 1, as llama.cpp gives them.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import usage
from mlx_metaembed.convert import loadable
from mlx_metaembed.convert.gguf import architectures, encoders, file, tokenizer
from mlx_metaembed.convert.gguf.file import Gguf
from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.convert.gguf.packed import Packed
from mlx_metaembed.convert.names import summary
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.files.disk import write_json
from mlx_metaembed.files.safetensors import FLOATING
from mlx_metaembed.folder import ModelFolder, finite
from mlx_metaembed.inputs import tokenizer_files

POOLINGS = {0: None, 1: "mean", 2: "cls", 3: "lasttoken"}
"""llama.cpp's numbers for poolings; the fourth is a reranker's."""
LONGEST_LINE = 100


@dataclass(frozen=True)
class LanguageModel:
    """A written folder of a language model, and its config.json."""

    path: Path
    config: dict


@dataclass(frozen=True)
class Model:
    """A file's configuration and its tensors under their own names; `pooling` where it is an embedder."""

    config: dict
    tensors: Mapping[str, Packed]
    pooling: str | None


def convert(
    path: Path,
    out: Path,
    *,
    dtype: str | None = None,
    engine: str = "auto",
    note: Note = lambda text: None,
    inspect: Callable[[Path], None] = lambda written: None,
) -> ModelFolder | LanguageModel:
    """The new folder `out`, made of a GGUF file; all its numbers get one `dtype`, by default that of most.

    Raises CallError where it can't be read whole, JobError where `out` can't be written.
    """
    read = file.read(path)
    said = Metadata(path, read.metadata)
    model = _model(read, said, note)
    words = tokenizer.words(said, model.config["vocab_size"])
    dtype = dtype or _dtype(model.tensors)
    config = model.config | _numbers(words.roles) | {"dtype": dtype, "torch_dtype": dtype}
    longest = said.whole("{arch}.context_length")
    with disk.replacing(out) as partial:
        tokenizer.write(words, partial, longest=longest)
        _require_rows(path, partial, config)
        write_json(partial / "config.json", config)
        if model.pooling is None:
            write_json(
                partial / "generation_config.json", _numbers(words.roles) | {"eos_token_id": tokenizer.ends(words)}
            )
            (partial / card.README).write_text(_card(said, out.name), encoding="utf-8")
        else:
            folder = ModelFolder(partial, config, longest, pooling=model.pooling, normalize=True)
            folders.write(folder, partial)
            (partial / card.README).write_text(_embedders_card(said, folder, out.name), encoding="utf-8")
        safetensors.write(partial / "model.safetensors", model.tensors, dtype=dtype)
        if model.pooling:
            loadable.require(partial, path, done="converted", engine=engine, note=note)
        elif wrong := list(finite.not_finite([partial / "model.safetensors"])):
            raise faults(f"The weights of {path} can't be used:", wrong, "Fetch them again.")
        inspect(partial)
    return folders.read(out) if model.pooling else LanguageModel(out, config)


def _model(read: Gguf, said: Metadata, note: Note) -> Model:
    """The model of a file. Raises CallError for an architecture that is not known, or tensors that are not its own."""
    name = said.text("general.architecture")
    said.require()
    known = [*architectures.ARCHITECTURES, *encoders.ENCODERS]
    if name not in known:
        raise said.error(
            f"the architecture {name!r:.40} is not read{nearest(name, known) or '.'} Those that are: {', '.join(known)}"
        )
    pooling = _pooling(said)
    if name in encoders.ENCODERS:
        config, tensors, expected = encoders.model(name, said, read.tensors)
        pooling = pooling or "mean"
    else:
        known = architectures.ARCHITECTURES[name]
        config = architectures.config(known, said, read.tensors)
        tensors = architectures.named(known, config, read.tensors)
        expected = architectures.shapes(known, config)
    _compare(read.path, expected, tensors)
    if left := [key for key in read.metadata if key.startswith("adapter.")]:
        raise said.error(f"it is an adapter ({summary(left)}); convert the model with the adapter in it")
    return Model(config, tensors, pooling)


def _pooling(said: Metadata) -> str | None:
    number = said.whole("{arch}.pooling_type", 0, least=0, most=4)
    said.require()
    if number not in POOLINGS:
        raise said.error("its pooling is that of a reranker, which gives a score and no vector")
    return POOLINGS[number]


def _compare(path: Path, expected: Mapping[str, tuple[int, ...]], tensors: Mapping[str, Packed]) -> None:
    """Raise CallError that lists every tensor that is missing, has another shape or is none of the model's."""
    wrong = [f"{name} {shape}: missing" for name, shape in expected.items() if name not in tensors]
    wrong += [
        f"{name}: shape {tensor.shape}, the metadata says {expected[name]}"
        for name, tensor in tensors.items()
        if name in expected and tensor.shape != expected[name]
    ]
    wrong += [f"{name:.80} {tensor.shape}: not known" for name, tensor in tensors.items() if name not in expected]
    if wrong:
        raise faults(f"The tensors of {path} do not fit its metadata:", wrong, "Fetch it again.")


def _dtype(tensors: Mapping[str, Packed]) -> str:
    """The dtype that keeps most of the numbers; float16 for quantized ones."""
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + math.prod(tensor.shape)
    most = max(sizes, key=sizes.__getitem__)
    return next(name for name, word in FLOATING.items() if word == most)


def _numbers(roles: Mapping[str, int]) -> dict:
    return {f"{role}_token_id": roles[role] for role in ("bos", "eos", "pad") if role in roles}


def _require_rows(path: Path, partial: Path, config: dict) -> None:
    """Raise CallError where the tokenizer gives a number that has no row in the word embedding."""
    token, largest = tokenizer_files.read(partial, config).largest
    if largest >= config["vocab_size"]:
        raise CallError(
            f"The tokenizer of {path} gives {largest} for {token!r}, but there are {config['vocab_size']} rows"
        )


def _embedders_card(said: Metadata, folder: ModelFolder, title: str) -> str:
    body = f"{_name(said)}, converted from GGUF by mlx-metaembed. It maps texts to vectors.\n\n{usage(folder, title)}"
    return card.card(folder, title=title, body=body, base=None, carried=_carried(said))


def _card(said: Metadata, title: str) -> str:
    front = {"library_name": "transformers", "pipeline_tag": "text-generation", "tags": [card.KIT]} | _carried(said)
    body = f"{_name(said)}, converted from GGUF by mlx-metaembed.\n\n```python\nfrom mlx_lm import load\n"
    return card.text(front, title, f'{body}model, tokenizer = load("{title}")\n```')


def _name(said: Metadata) -> str:
    return _line(said.text("general.name", "")) or said.where.stem


def _line(text: str) -> str:
    """What of a file's words goes into a card: one line, not too long."""
    return " ".join(text.split())[:LONGEST_LINE]


def _carried(said: Metadata) -> dict[str, object]:
    license = _line(said.text("general.license", ""))
    return {"license": license} if license else {}
