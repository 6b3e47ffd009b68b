"""A model's weights averaged with those of the model that it began from.

A fine-tuned model that is moved part of the way back keeps more of what the base knew (WiSE-FT, arXiv:2109.01903;
LM-Cocktail, arXiv:2311.13534). Arrays are computed when they are asked for, so that one is held at a time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed import adapters, folder, heads
from mlx_metaembed.config.spellings import prefix, unused
from mlx_metaembed.convert import checkpoint, sources
from mlx_metaembed.errors import faults
from mlx_metaembed.files import safetensors
from mlx_metaembed.files.safetensors import FLOATING, Tensor
from mlx_metaembed.folder import SIDE, ModelFolder

Source = Tensor | np.ndarray
WEIGHTS, HEADS = "model.safetensors", f"{SIDE}/heads.safetensors"


@dataclass(frozen=True)
class Averages(Mapping[str, Source]):
    """The tensors of one file: `(1 - share) * own + share * base` in float32 where both are there, else their own."""

    own: Mapping[str, Tensor]
    base: Mapping[str, Source]
    share: float

    def __getitem__(self, name: str) -> Source:
        if name not in self.base or self.own[name].dtype not in FLOATING.values():
            return self.own[name]
        return ((1 - self.share) * _array(self.own[name]) + self.share * _array(self.base[name])).astype(np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self.own)

    def __len__(self) -> int:
        return len(self.own)


def of_files(
    model: Path, base: str | Path, share: float, note: Callable[[str], None] = lambda text: None
) -> dict[Path, Averages]:
    """The averaged tensors of each weights file of the folder `model`, by its path inside; `share` is the base's.

    An adapter's change is multiplied by 1 - share, which is the same of its fused matrices. Raises CallError where the
    base has other tensors, or lacks what was trained for the vectors before they are averaged.
    """
    adapter = model / adapters.FILE
    if adapter.is_file():
        own = safetensors.header(adapter)
        none = {name: np.zeros(each.shape, np.float32) for name, each in own.items() if ".lora_B." in name}
        return {Path(adapters.FILE): Averages(own, none, share)}
    read = folder.read(model)
    source, tensors = checkpoint.read(base, note)
    files, wrong = {}, []
    for path, theirs, needed in (
        (Path(WEIGHTS), _spelled(read, tensors), lambda name: not unused(name, read.model_type)),
        *((Path(each.path) / WEIGHTS, _dense(source, each.path, note), None) for each in read.dense),
        (Path(HEADS), heads.read(source)[1], None),
    ):
        if (model / path).is_file():
            own = safetensors.header(model / path)
            wrong += [f"{path}: {line}" for line in _unfit(own, theirs, needed)]
            files[path] = Averages(own, {name: theirs[name] for name in own if name in theirs}, share)
    if wrong:
        raise faults(f"{model} can't be averaged with {base}, which is no base of it:", wrong, _ADVICE)
    return files


_ADVICE = (
    "Name the model that it was trained from. What a run added was fitted to vectors that averaging moves: average a "
    "run without it, then train it on the averaged model (--train heads)."
)


def _spelled(read: ModelFolder, tensors: Mapping[str, Source]) -> dict[str, Source]:
    """Tensors by the trunk's names as the file of the model that was read has them."""
    before = prefix(read.model_type, safetensors.headers(read.weights()))
    return {**tensors, **{before + name: tensor for name, tensor in tensors.items()}} if before else dict(tensors)


def _dense(source: ModelFolder, path: str, note: Callable[[str], None]) -> dict[str, Source]:
    module = next((each for each in source.dense if each.path == path), None)
    return dict(sources.dense(source, module, note)) if module else {}


def _unfit(
    own: Mapping[str, Tensor], theirs: Mapping[str, Source], needed: Callable[[str], bool] | None
) -> Iterator[str]:
    """What the base lacks, or has in another shape."""
    for name, tensor in own.items():
        if name not in theirs:
            if needed is None or needed(name):
                yield f"{name} {tensor.shape}: the base has none"
        elif tuple(theirs[name].shape) != tuple(tensor.shape):
            yield f"{name} {tensor.shape}: the base has {tuple(theirs[name].shape)}"


def _array(tensor: Source) -> np.ndarray:
    """A tensor's numbers as float32."""
    array = safetensors.read_tensor(tensor) if isinstance(tensor, Tensor) else tensor
    return array.astype(np.float32)
