"""The model folder: which files it has and what they say. No engine.

A model is a sentence-transformers folder in the layout written before 5.4, which every release loads; the layout
written since is read too. What other tools do not know lies in `metaembed/`.
"""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlx_metaembed import towers
from mlx_metaembed.architecture import ENDLESS, kept, positions, states_width, unified, unused
from mlx_metaembed.disk import read_json, write_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.weights import Tensor, headers

POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
TRUNKS = ("Transformer", "CLIPModel")
"""sentence-transformers' modules that hold a trunk."""
SIDE = "metaembed"
"""The side folder for heads and for what a run leaves."""


@dataclass(frozen=True)
class DenseModule:
    """A `2_Dense` module: its folder's name and its configuration."""

    path: str
    in_features: int
    out_features: int
    bias: bool = True
    activation_function: str = "torch.nn.modules.linear.Identity"


@dataclass(frozen=True)
class ModelFolder:
    """What a folder declares: configuration of the trunk, then every step from tokens to the final vector."""

    path: Path
    config: dict
    max_seq_length: int
    do_lower_case: bool = False
    pooling: str = "mean"
    include_prompt: bool = True
    dense: tuple[DenseModule, ...] = ()
    normalize: bool = False
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    similarity_fn_name: str = "cosine"
    trunk_folder: str = ""
    """Where the trunk's files lie; a folder of its own in old layouts, never in what the kit writes."""

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
    def is_tower(self) -> bool:
        """Whether the trunk is the text tower of a model of texts and images, which pools and projects by itself."""
        return self.model_type in towers.TEXT

    @property
    def trunk_path(self) -> Path:
        """The folder of config.json, weights and tokenizer."""
        return self.path / self.trunk_folder

    @property
    def dimensions(self) -> int:
        """Width of the vector that the folder gives."""
        return self.dense[-1].out_features if self.dense else self.hidden_size

    @property
    def quantization(self) -> dict | None:
        """MLX's `{"group_size", "bits", "mode"}` where the weights are quantized."""
        return self.config.get("quantization")

    def trunk(self) -> dict[str, Tensor]:
        """The trunk's tensors by name, without buffers and what is carried."""
        found = headers(self.weights()).items()
        return {name: tensor for name, tensor in found if not unused(name, self.model_type)}

    def carried(self) -> dict[str, Tensor]:
        """Tensors that stay as they are: the pooler, for other tools, and the image tower."""
        return {name: tensor for name, tensor in headers(self.weights()).items() if kept(name, self.model_type)}

    def image_tower(self) -> dict[str, Tensor]:
        """The tensors of the tower for images, as stored. Raises CallError where the model has none."""
        found = {name: tensor for name, tensor in self.carried().items() if name.startswith(towers.IMAGE)}
        if not found or towers.image(self.config) is None:
            raise CallError(f"{self.path} has no image tower that the kit computes; a model of the type clip has one")
        return found

    def weights(self) -> list[Path]:
        """The trunk's safetensors files. Raises CallError where there are none, or one of the index is missing."""
        where = self.trunk_path
        single = where / "model.safetensors"
        index = where / "model.safetensors.index.json"
        if single.is_file():
            return [single]
        if index.is_file():
            shards = sorted(set(read_json(index).get("weight_map", {}).values()))
            missing = [name for name in shards if not (where / name).is_file()]
            if missing:
                raise faults(f"{where} lacks weights that {index.name} names:", missing, "Fetch the folder again.")
            return [where / name for name in shards]
        others = [name for name in PICKLED if (where / name).is_file()]
        if others:
            raise CallError(
                f"{self.path} has its weights as {others[0]}, not as safetensors; a pickle is never loaded as weights. "
                f"Bring it in with: metaembed convert {self.path} OUT"
            )
        raise CallError(f"{self.path} has no weights: expected model.safetensors; fetch the folder again")

    def tokenizer(self) -> Path:
        """The path of `tokenizer.json`. Raises CallError where it is missing."""
        path = self.trunk_path / "tokenizer.json"
        if not path.is_file():
            raise CallError(
                f"{self.path} has no tokenizer.json. If it has another tokenizer file, write one with: "
                f"metaembed convert {self.path} OUT"
            )
        return path


def read(path: str | Path) -> ModelFolder:
    """Read what a folder declares, of either generation of the layout, all faults at once.

    Raises CallError where the folder or its config.json is missing, or its files contradict each other.
    """
    path = Path(path)
    if not path.is_dir():
        raise CallError(f"There is no model folder {path}; expected a folder with config.json and weights")
    inner = _trunk_folder(path)
    where = path / inner
    if not (where / "config.json").is_file():
        newest = newest_checkpoint(path)
        hint = f". The run has not finished; its newest checkpoint is {newest}" if newest else ""
        raise CallError(f"{path} is no model folder: it has no config.json{hint}")
    config = read_json(where / "config.json")
    for name, kind in (("model_type", str), ("hidden_size", int)):
        if not isinstance(config, dict) or not isinstance(unified(config).get(name), kind):
            raise CallError(f"{where / 'config.json'} has no {name!r}; expected a Hugging Face encoder's configuration")
    settings = _optional(where / "sentence_bert_config.json")
    tokenizer = _optional(where / "tokenizer_config.json")
    top = _optional(path / "config_sentence_transformers.json")
    found = ModelFolder(
        path=path,
        config=config,
        max_seq_length=_max_seq_length(config, settings, tokenizer),
        do_lower_case=bool(settings.get("do_lower_case", False)),
        prompts={name: text for name, text in (top.get("prompts") or {}).items() if text is not None},
        default_prompt_name=top.get("default_prompt_name"),
        similarity_fn_name=top.get("similarity_fn_name") or "cosine",
        pooling="lasttoken" if config["model_type"] in towers.TEXT else "mean",
        trunk_folder=inner,
    )
    return _with_modules(found)


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint in the folder of a run; whatever has the name is complete."""
    found = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def write(folder: ModelFolder, out: Path) -> None:
    """Write the declaring files of a folder, in the pre-5.4 layout; weights and tokenizer are the caller's."""
    # sentence-transformers has a module for a whole CLIP; a tower pools by itself.
    kind = "CLIPModel" if folder.model_type == "clip" else "Transformer"
    modules = [("", kind)] if folder.is_tower else [("", kind), ("1_Pooling", "Pooling")]
    modules += [(dense.path, "Dense") for dense in folder.dense]
    if folder.normalize:
        modules.append((f"{len(modules)}_Normalize", "Normalize"))
    listed = [
        {"idx": idx, "name": str(idx), "path": name, "type": f"sentence_transformers.models.{kind}"}
        for idx, (name, kind) in enumerate(modules)
    ]
    write_json(out / "config.json", folder.config)
    write_json(
        out / "sentence_bert_config.json",
        {"max_seq_length": folder.max_seq_length, "do_lower_case": folder.do_lower_case} | towers.module(folder.config),
    )
    write_json(
        out / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "5.3.0"},
            "prompts": folder.prompts,
            "default_prompt_name": folder.default_prompt_name,
            "similarity_fn_name": folder.similarity_fn_name,
        },
    )
    if not folder.is_tower:
        pooling = {flag: mode == folder.pooling for flag, mode in POOLING_FLAGS.items()}
        size = {"word_embedding_dimension": folder.hidden_size}
        write_json(out / "1_Pooling" / "config.json", size | pooling | {"include_prompt": folder.include_prompt})
    for dense in folder.dense:
        fields = {name: getattr(dense, name) for name in ("in_features", "out_features", "bias", "activation_function")}
        write_json(out / dense.path / "config.json", fields)
    if folder.normalize:
        (out / modules[-1][0]).mkdir(exist_ok=True)
    write_json(out / "modules.json", listed)


TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
    "added_tokens.json",
    "sentencepiece.bpe.model",
    "spiece.model",
    "tokenizer.model",
    "chat_template.jinja",
    "preprocessor_config.json",
    "processor_config.json",
)
"""What makes a model's inputs: ids of texts, pixels of images."""


def copy_tokenizer(source: Path, out: Path) -> None:
    """Copy the files of the tokenizer, and of what prepares images, as they are."""
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, out / name)


def _optional(path: Path) -> dict:
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _trunk_folder(path: Path) -> str:
    """Where modules.json says that the trunk lies, in a folder whose config.json does not lie at the top."""
    listing = path / "modules.json"
    if (path / "config.json").is_file() or not listing.is_file():
        return ""
    modules = [module for module in read_json(listing) if isinstance(module, dict)]
    found = [module.get("path") for module in modules if str(module.get("type")).endswith(TRUNKS)]
    inner = found[0] if found and isinstance(found[0], str) else ""
    return "" if Path(inner).is_absolute() or ".." in Path(inner).parts else inner


def _max_seq_length(config: dict, settings: dict, tokenizer: dict) -> int:
    """The declared length; the older layout has it with the module, the newer with the tokenizer."""
    longest = positions(config)
    declared = min(settings.get("max_seq_length") or tokenizer.get("model_max_length") or longest, longest)
    # Undeclared, an endless trunk is cut where it was trained.
    return int(declared if declared < ENDLESS else unified(config).get("max_position_embeddings", 512))


def _with_modules(found: ModelFolder) -> ModelFolder:
    """Follow modules.json; a folder without one is a bare trunk, pooled by the mean as sentence-transformers does."""
    listing = found.path / "modules.json"
    if not listing.is_file():
        return found
    wrong: list[str] = []
    for module in read_json(listing):
        if not isinstance(module, dict) or not all(isinstance(module.get(key), str) for key in ("type", "path")):
            wrong.append(f"expected modules with a type and a path, found {module!r:.80}")
            continue
        kind, where = module["type"].rsplit(".", 1)[-1], module["path"]
        if Path(where).is_absolute() or ".." in Path(where).parts:
            wrong.append(f"module {kind} at {where!r} lies outside the folder")
            continue
        settings = _optional(found.path / where / "config.json") if where else {}
        if kind == "CLIPModel" and found.model_type != "clip":
            wrong.append(f"module CLIPModel with a config.json of the type {found.model_type!r}; expected 'clip'")
        elif kind in TRUNKS:
            if where != found.trunk_folder:
                wrong.append(f"the trunk lies in {where!r}, but {found.path} has a config.json of its own; remove one")
        elif kind == "Pooling" and found.is_tower:
            wrong.append(f"module Pooling at {where!r}, but {found.model_type} pools by itself")
        elif kind == "Pooling":
            modes = _pooling_modes(settings)
            if len(modes) != 1 or modes[0] not in POOLING_FLAGS.values():
                wrong.append(
                    f"{where}/config.json: pooling {modes or 'none'}; one of {', '.join(POOLING_FLAGS.values())}"
                )
            else:
                found = replace(found, pooling=modes[0], include_prompt=settings.get("include_prompt", True))
        elif kind == "Dense":
            names = ("in_features", "out_features", "bias", "activation_function")
            # What sentence-transformers takes where the file names no activation.
            settings.setdefault("activation_function", "torch.nn.modules.activation.Tanh")
            fields = {name: settings[name] for name in names if name in settings}
            if {"in_features", "out_features"} - fields.keys():
                wrong.append(f"{where}/config.json: in_features or out_features is missing")
            elif settings.get("module_input_name", "sentence_embedding") != "sentence_embedding":
                wrong.append(f"{where}: Dense on {settings['module_input_name']}; known on the pooled vector only")
            elif settings.get("use_residual") or found.normalize:
                wrong.append(f"{where}: Dense with a residual, or after Normalize, is not supported")
            else:
                found = replace(found, dense=(*found.dense, DenseModule(where, **fields)))
        elif kind == "Normalize":
            found = replace(found, normalize=True)
        elif kind != "Dropout":
            wrong.append(f"module {kind} at {where!r} is not supported; known: Transformer, Pooling, Dense, Normalize")
    widths = [found.hidden_size, *(dense.in_features for dense in found.dense)]
    outputs = [found.hidden_size, *(dense.out_features for dense in found.dense)]
    for dense, width, given in zip(found.dense, widths[1:], outputs, strict=False):
        if width != given:
            wrong.append(f"{dense.path} expects {width} features, the step before gives {given}")
    if wrong:
        raise faults(f"{listing} can't be followed:", wrong)
    return found


def _pooling_modes(settings: dict) -> list[str]:
    if "pooling_mode" in settings:
        mode = settings["pooling_mode"]
        return [mode] if isinstance(mode, str) else list(mode)
    return [mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag)]
