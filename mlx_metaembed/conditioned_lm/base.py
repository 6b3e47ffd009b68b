"""The language model that is conditioned: which folder it is, and whether it is one."""

from dataclasses import dataclass
from pathlib import Path

from mlx_metaembed.errors import CallError
from mlx_metaembed.files import checksums, disk, safetensors
from mlx_metaembed.folder import locate

CAUSAL = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
HEAD = "lm_head.weight"


@dataclass(frozen=True)
class Base:
    """A folder of a causal language model, with its config.json."""

    name: str
    path: Path
    config: dict

    @property
    def positions(self) -> int | None:
        """The most tokens that a text may have; None where the configuration does not say."""
        found = self.config.get("max_position_embeddings")
        return found if isinstance(found, int) else None

    def fingerprint(self) -> dict[str, dict[str, int]]:
        """The checksums of its weights, configuration and tokenizer, by file."""
        names = ["config.json", "tokenizer.json", *(path.name for path in weights_of(self.path))]
        return {name: checksums.of_file(self.path / name) for name in names if (self.path / name).is_file()}


def find(name: str) -> Base:
    """The base of a name: a folder, an installed package, or a hub id.

    Raises CallError where it is no language model, would run code of its own, or has no weights that are read.
    """
    path = locate.resolve(name)
    config = disk.read_object(path / "config.json") if (path / "config.json").is_file() else None
    if config is None:
        raise CallError(f"{path} has no config.json; expected the folder of a language model, as mlx-lm loads it")
    kinds = config.get("architectures")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    kinds = [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []
    encoder = (path / "modules.json").is_file() or (kinds and not any(kind.endswith(CAUSAL) for kind in kinds))
    if encoder or not isinstance(config.get("model_type"), str):
        what = ", ".join(kinds) or ("a text embedder" if encoder else "without a model_type")
        raise CallError(
            f"{path} is no language model ({what}); expected one that foretells tokens, like "
            "HuggingFaceTB/SmolLM2-135M or Qwen/Qwen2.5-0.5B"
        )
    for key in ("model_file", "auto_map"):
        if config.get(key):
            raise CallError(f"{path / 'config.json'}: {key} asks to run code of the folder, which is never done")
    files = weights_of(path)
    if not files:
        raise CallError(f"{path} has no model*.safetensors; expected a language model's weights as safetensors")
    # Where nothing is said, transformers and mlx-lm take different things for granted.
    tied = HEAD not in safetensors.headers(files)
    return Base(name, path, {"tie_word_embeddings": tied} | _rope(config) | config)


def _rope(config: dict) -> dict:
    """The rotary positions that `rope_parameters` says, under the words that mlx-lm reads: it passes over the nested
    ones, and would compute with other positions without a word."""
    said = config.get("rope_parameters")
    if not isinstance(said, dict) or not isinstance(said.get("rope_theta"), int | float):
        return {}
    scaled = said.get("rope_type", "default") != "default"
    return {"rope_theta": said["rope_theta"]} | ({"rope_scaling": said} if scaled else {})


def weights_of(path: Path) -> list[Path]:
    """The files of a folder's weights, in order."""
    return sorted(path.glob("model*.safetensors"))
