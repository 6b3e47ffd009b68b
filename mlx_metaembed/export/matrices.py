"""Which matrices of a model become quantized, and how each: bits, group size and mode, as config.json says them.

Linear layers and the word embedding are quantized; positions, token types, norms and the pooler are not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mlx_metaembed.config.spellings import is_word_table
from mlx_metaembed.convert import names
from mlx_metaembed.convert.sources import Note, Tensors
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder.quantized import AFFINE, BITS, FLOATS, GROUP_SIZES

DEFAULT_BITS, DEFAULT_GROUP = 8, 64
MODES = (AFFINE, *FLOATS)
WHOLE = (
    *("position_embedding", "token_type_embeddings", "relative_attention_bias"),
    *("LayerNorm", "norm", "pooler", "router"),
)
"""Parts of a name whose matrices stay as they are."""
UNDER_MODEL = ("gemma3_text", "llama", "mistral", "modernbert", "qwen2", "qwen3")
"""Families whose trunk mlx-lm and mlx-embeddings hold under `model.`: a module's own settings go by that name there."""
Settings = dict[str, dict[str, object]]
"""group_size, bits and mode by module."""


@dataclass(frozen=True)
class Rounding:
    """How matrices are to be rounded. None is the default of the mode; for the word embedding, as the others.

    With `bytes`, those of the weights file, or `mean_bits`, scales and biases counted, each matrix has bits of its own.
    """

    bits: int | None = None
    group_size: int | None = None
    mode: str = AFFINE
    embedding_bits: int | None = None
    bytes: int | None = None
    mean_bits: float | None = None

    def require(self) -> None:
        """Raise CallError that lists what MLX has not."""
        wrong = []
        if self.mode not in MODES:
            wrong.append(f"mode {self.mode!r}: MLX has {', '.join(MODES)}")
        elif self.mode in FLOATS:
            bits, group_size = FLOATS[self.mode]
            if self.bits not in (None, bits) or self.group_size not in (None, group_size):
                wrong.append(f"the mode {self.mode} has {bits} bits in groups of {group_size} alone")
        elif self.common["bits"] not in BITS or self.common["group_size"] not in GROUP_SIZES:
            wrong.append(
                f"{self.common['bits']} bits in groups of {self.common['group_size']}: MLX has "
                f"{', '.join(map(str, BITS))} bits, groups of {', '.join(map(str, GROUP_SIZES))}"
            )
        if self.embedding_bits is not None and self.embedding_bits not in BITS:
            wrong.append(f"{self.embedding_bits} bits for the word embedding: MLX has {', '.join(map(str, BITS))}")
        budgets = {"bytes": self.bytes, "mean_bits": self.mean_bits}
        if self.is_mixed and (
            given := [name for name in ("bits", "embedding_bits") if getattr(self, name) is not None]
        ):
            wrong.append(f"{' and '.join(given)} beside a budget: with bytes or mean_bits each matrix has its own bits")
        if self.is_mixed and self.mode in FLOATS:
            wrong.append(f"a budget in the mode {self.mode}: bits differ in the mode affine alone")
        if all(each is not None for each in budgets.values()):
            wrong.append("bytes and mean_bits: give one of them")
        wrong += [
            f"{name} = {each:g}: expected more than 0"
            for name, each in budgets.items()
            if each is not None and not 0 < each < math.inf
        ]
        if wrong:
            raise faults("These weights can't be:", wrong) if len(wrong) > 1 else CallError(wrong[0])

    @property
    def is_mixed(self) -> bool:
        """Whether matrices have bits of their own."""
        return self.bytes is not None or self.mean_bits is not None

    @property
    def common(self) -> dict[str, object]:
        """What a matrix gets, the word embedding aside."""
        bits, group_size = FLOATS.get(self.mode, (DEFAULT_BITS, DEFAULT_GROUP))
        return {"group_size": self.group_size or group_size, "bits": self.bits or bits, "mode": self.mode}

    @property
    def embedding(self) -> dict[str, object]:
        """What the word embedding gets: in a mode of floats, with other bits, the affine one."""
        if self.embedding_bits in (None, self.common["bits"]):
            return self.common
        group_size = DEFAULT_GROUP if self.mode in FLOATS else self.common["group_size"]
        return {"group_size": group_size, "bits": self.embedding_bits, "mode": AFFINE}


def chosen(tensors: Tensors, rounding: Rounding, note: Note, where: object) -> Settings:
    """The settings of each matrix that is quantized, by its module; `note` hears of those that do not divide.

    Raises CallError where none does.
    """
    found, left = divided(tensors, rounding)
    sizes = dict.fromkeys(each["group_size"] for each in (rounding.common, rounding.embedding))
    group_size = " or ".join(map(str, sizes))
    if left:
        note(f"Not quantized, their rows being no multiple of {group_size}: {names.summary(left)}; {_other(tensors)}")
    if not found:
        raise CallError(f"Nothing in {where} can be quantized in groups of {group_size}; {_other(tensors)}")
    return found


def divided(tensors: Tensors, rounding: Rounding) -> tuple[Settings, list[str]]:
    """The settings of each matrix by its module, and the names of those that could be quantized but for their shape."""
    found: Settings = {}
    left = []
    for name, tensor in tensors.items():
        if not name.endswith(".weight") or len(tensor.shape) != 2 or any(part in name for part in WHOLE):
            continue
        settings = rounding.embedding if is_word_table(name) else rounding.common
        # Peers' loaders skip a matrix whose size is no multiple of 64, whatever the group.
        if tensor.shape[1] % settings["group_size"] or np.prod(tensor.shape) % 64:
            left.append(name)
        else:
            found[name.removesuffix(".weight")] = settings
    return found, left


def configuration(settings: Settings, common: Mapping[str, object], model_type: str) -> dict[str, object]:
    """The `quantization` of config.json: the common settings, and under its name each module that has others."""
    own = {module: dict(each) for module, each in settings.items() if each != common}
    if model_type in UNDER_MODEL:
        own |= {f"model.{module}": each for module, each in own.items()}
    return dict(common) | own


def most_common(settings: Settings) -> dict[str, object]:
    """The settings that most matrices have."""
    every = [tuple(each.items()) for each in settings.values()]
    return dict(max(dict.fromkeys(every), key=every.count))


def bits_per_weight(tensors: Tensors, settings: Settings, dtype_bits: int) -> float:
    """The mean of bits a number of the quantized matrices takes, scales and biases counted."""
    sizes = {module: int(np.prod(tensors[f"{module}.weight"].shape)) for module in settings}
    return sum(sizes[module] * stored_bits(each, dtype_bits) for module, each in settings.items()) / sum(sizes.values())


def stored_bits(settings: Mapping[str, object], dtype_bits: int) -> float:
    """Bits a number takes with these settings, scales and biases counted, which have so many bits each."""
    beside = 2 * dtype_bits if settings["mode"] == AFFINE else 8
    return settings["bits"] + beside / settings["group_size"]


def _other(tensors: Tensors) -> str:
    """Which group sizes take every matrix."""
    fit = [str(size) for size in GROUP_SIZES if not divided(tensors, Rounding(group_size=size))[1]]
    return f"all are with --group-size {' or '.join(fit)}" if fit else "no group size takes all of them"
