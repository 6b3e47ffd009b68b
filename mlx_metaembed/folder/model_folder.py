"""What a model folder declares, as one object: the trunk's configuration, then every step to the final vector."""

from dataclasses import dataclass, field
from pathlib import Path

from mlx_metaembed.config import clip
from mlx_metaembed.config.spellings import kept, prefix, states_width, unified, unused
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.safetensors import Tensor, headers, shards
from mlx_metaembed.folder import mlm, module_types
from mlx_metaembed.folder.module_types import DenseModule, LateInteraction, SpladePooling

PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
ADAPTER = "adapter_config.json"
QUANTIZATION = ("quantization", "quantization_config")
OTHER_WEIGHTS = (*PICKLED, "onnx/model.onnx", "model.onnx")
"""What `convert` reads and no engine loads."""
SIDE = "metaembed"
"""The side folder for heads and for what a run leaves."""


@dataclass(frozen=True)
class ModelFolder:
    """What a folder declares: configuration of the trunk, then every step from tokens to the final vector."""

    path: Path
    config: dict
    max_seq_length: int
    do_lower_case: bool = False
    query_length: int | None = None
    """Tokens at which a text with the prompt `query` is cut; None: `max_seq_length`."""
    document_length: int | None = None
    pooling: str = "mean"
    """A mode, or several whose vectors stand side by side: `cls+mean`."""
    include_prompt: bool = True
    dense: tuple[DenseModule, ...] = ()
    normalize: bool = False
    splade: SpladePooling | None = None
    late_interaction: LateInteraction | None = None
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    similarity_fn_name: str = "cosine"
    truncate_dim: int | None = None
    """The width to which the final vectors are cut; None: their own."""
    base: Path | None = None
    """The folder of the trunk's weights, where they are not in `path`: an adapter's base."""
    adapter: Path | None = None
    """The folder of an adapter's files."""
    trunk_folder: str = ""
    """Where the trunk's files lie; a folder of its own in old layouts, never in what the kit writes."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What the files say and no vector depends on, in words, where the keys are not known."""

    @property
    def model_type(self) -> str:
        return self.config["model_type"]

    @property
    def architecture(self) -> dict:
        """The configuration with BERT's names beside the family's own."""
        return unified(self.config)

    @property
    def hidden_size(self) -> int:
        """Width of the states that the trunk gives."""
        return states_width(self.config)

    @property
    def pooled_width(self) -> int:
        """Features of the pooled vector, before any Dense module."""
        return self.hidden_size * len(self.pooling.split("+"))

    @property
    def is_tower(self) -> bool:
        """Whether the trunk is the text tower of a model of texts and images, which pools and projects by itself."""
        return self.model_type in clip.TEXT

    @property
    def pooled(self) -> str:
        """What a text's vector is pooled from, in words: the mode, or what a tower takes by itself."""
        return clip.pooled(self.config) if self.is_tower else self.pooling

    @property
    def trunk_path(self) -> Path:
        """The folder of config.json, weights and tokenizer."""
        return self.path / self.trunk_folder

    @property
    def head(self) -> str | None:
        """The head that the folder's modules end in; None where they end in one vector a text."""
        if self.splade:
            return module_types.SPLADE
        return module_types.MULTI_VECTOR if self.late_interaction else None

    @property
    def dense_modules(self) -> tuple[DenseModule, ...]:
        """The Dense modules, be they on the pooled vector or on every token."""
        return self.late_interaction.dense if self.late_interaction else self.dense

    @property
    def dimensions(self) -> int:
        """Width of the vector that the modules give, for a text or for every token; of SPLADE, the vocabulary's."""
        if self.splade:
            return self.config["vocab_size"]
        if self.late_interaction:
            return self.late_interaction.dense[-1].out_features
        return self.dense[-1].out_features if self.dense else self.pooled_width

    @property
    def output_dimensions(self) -> int:
        """Width of the vectors that come out: `dimensions`, cut at `truncate_dim` where the folder says one."""
        return min(self.dimensions, self.truncate_dim or self.dimensions)

    @property
    def compares_by_cosine(self) -> bool:
        """True if compared by cosine: the length of a vector does not matter."""
        return self.normalize or self.similarity_fn_name == "cosine"

    @property
    def quantization(self) -> dict | None:
        """MLX's `{"group_size", "bits", "mode"}` where the weights are quantized."""
        return self.config.get("quantization")

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the weights' files, without the prefix that task models give their trunk."""
        found = headers(self.weights())
        before = prefix(self.model_type, found)
        return {name.removeprefix(before): tensor for name, tensor in found.items()}

    def trunk(self) -> dict[str, Tensor]:
        """The trunk's tensors by name, without buffers, heads and poolers, which are no part of it (see `carried`)."""
        others = mlm.known(self.model_type)
        found = self.tensors().items()
        return {name: tensor for name, tensor in found if not unused(name, self.model_type) and name not in others}

    def carried(self) -> dict[str, Tensor]:
        """Tensors that stay as they are: the pooler, for other tools, an image tower, a masked-language-model head."""
        found = self.tensors()
        others = {name: tensor for name, tensor in found.items() if kept(name, self.model_type)}
        return others | mlm.kept(self.config, found)

    def image_tower(self) -> dict[str, Tensor]:
        """The tensors of the tower for images, as stored. Raises CallError where the model has none."""
        found = {name: tensor for name, tensor in self.carried().items() if name.startswith(clip.IMAGE)}
        if not found or clip.image(self.config) is None:
            raise CallError(f"{self.path} has no image tower that the kit computes; a model of the type clip has one")
        return found

    def weights(self) -> list[Path]:
        """The trunk's safetensors files. Raises CallError where there are none, or one of the index is missing."""
        path = self.base or self.trunk_path
        single, index = path / "model.safetensors", path / "model.safetensors.index.json"
        if single.is_file():
            return [single]
        if index.is_file():
            return shards(index)
        others = [name for name in OTHER_WEIGHTS if (path / name).is_file()]
        if others:
            raise CallError(
                f"{path} has its weights as {others[0]}, not as safetensors, which alone are loaded. "
                f"Bring it in with: metaembed convert {self.path} OUT"
            )
        raise CallError(f"{path} has no weights: expected model.safetensors; fetch the folder again")

    def tokenizer(self) -> Path:
        """The path of `tokenizer.json`. Raises CallError where it is missing."""
        path = self.trunk_path / "tokenizer.json"
        if not path.is_file():
            raise CallError(
                f"{self.path} has no tokenizer.json. If it has another tokenizer file, write one with: "
                f"metaembed convert {self.path} OUT"
            )
        return path
