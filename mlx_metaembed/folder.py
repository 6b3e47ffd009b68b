"""The model folder: which files it has and what they say. No engine.

A model is a sentence-transformers folder in the layout written before 5.4, which every release loads; the layout
written since is read too. What other tools do not know lies in `metaembed/`.
"""

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlx_metaembed import declared, forms, locate, mlm, modules, towers
from mlx_metaembed.architecture import ENDLESS, kept, positions, prefix, renamed, states_width, unified, unused
from mlx_metaembed.declared import DenseModule, LateInteraction, SpladePooling
from mlx_metaembed.disk import optional_json, read_json, write_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.weights import Tensor, headers, shards

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
    pooling: str = "mean"
    include_prompt: bool = True
    dense: tuple[DenseModule, ...] = ()
    normalize: bool = False
    splade: SpladePooling | None = None
    late_interaction: LateInteraction | None = None
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt_name: str | None = None
    similarity_fn_name: str = "cosine"
    base: Path | None = None
    """The folder of the trunk's weights, where they are not in `path`: an adapter's base."""
    adapter: Path | None = None
    """The folder of an adapter's files."""
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
    def pooled(self) -> str:
        """What a text's vector is pooled from, in words: the mode, or what a tower takes by itself."""
        return towers.pooled(self.config) if self.is_tower else self.pooling

    @property
    def trunk_path(self) -> Path:
        """The folder of config.json, weights and tokenizer."""
        return self.path / self.trunk_folder

    @property
    def head(self) -> str | None:
        """The head that the folder's modules end in; None where they end in one vector a text."""
        if self.splade:
            return declared.SPLADE
        return declared.MULTI_VECTOR if self.late_interaction else None

    @property
    def dense_modules(self) -> tuple[DenseModule, ...]:
        """The Dense modules, be they on the pooled vector or on every token."""
        return self.late_interaction.dense if self.late_interaction else self.dense

    @property
    def dimensions(self) -> int:
        """Width of the vector that the folder gives, for a text or for every token; of SPLADE, the vocabulary's."""
        if self.splade:
            return self.config["vocab_size"]
        if self.late_interaction:
            return self.late_interaction.dense[-1].out_features
        return self.dense[-1].out_features if self.dense else self.hidden_size

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
        found = {name: tensor for name, tensor in self.carried().items() if name.startswith(towers.IMAGE)}
        if not found or towers.image(self.config) is None:
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
                f"Bring it in with: metaembed convert {path} OUT"
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


def read(path: str | Path, *, base: str | Path | None = None) -> ModelFolder:
    """Read what a folder declares, of either generation of the layout, all faults at once.

    `base` is the model of an adapter's folder, instead of the one that it names. Raises CallError where the folder,
    its config.json or its base is missing, or its files contradict each other.
    """
    path = Path(path)
    if not path.is_dir():
        raise CallError(f"There is no model folder {path}; expected a folder with config.json and weights")
    if (path / ADAPTER).is_file():
        return _adapted(path, base)
    if base is not None:
        raise CallError(f"{path} is no adapter: it has no {ADAPTER}, so that there is nothing to put on a base")
    return _declared(path)


def base_name(adapter: Path) -> str:
    """The model that an adapter's folder names as its base. Raises CallError where it names none."""
    settings = read_json(adapter / ADAPTER)
    settings = settings if isinstance(settings, dict) else {}
    # mlx-lm calls it `model`.
    named = settings.get("base_model_name_or_path") or settings.get("model")
    if not isinstance(named, str):
        raise CallError(
            f"{adapter / ADAPTER} names no base_model_name_or_path. Say which model it changes (a folder, a hub id or "
            f"a wheel): metaembed convert {adapter} OUT --base BASE"
        )
    return locate.base_of(adapter, named)


def _adapted(path: Path, other: str | Path | None) -> ModelFolder:
    """An adapter's folder: what a run leaves declares all but the trunk's weights, what PEFT leaves nothing else."""
    named = other or base_name(path)
    try:
        found = locate.resolve(named)
        # Before it is read: its base may be this one.
        base = None if (found / ADAPTER).is_file() else _declared(found)
    except CallError as error:
        raise CallError(
            f"{path} is an adapter, and its base {str(named)!r} can't be read. If it lies elsewhere: metaembed convert "
            f"{path} OUT --base BASE\n{error}"
        ) from None
    if base is None:
        raise CallError(f"{path} is an adapter of {found}, which is an adapter itself; export that one first")
    if not (path / "modules.json").is_file():
        return replace(base, adapter=path)
    found = _declared(path, base)
    # The weights are the base's, quantized or not.
    config = {key: value for key, value in found.config.items() if key not in QUANTIZATION}
    config |= {key: base.config[key] for key in QUANTIZATION if key in base.config}
    return replace(found, config=config, base=base.trunk_path, adapter=path)


def _declared(path: Path, base: ModelFolder | None = None) -> ModelFolder:
    """What the files of a folder declare; an adapter's leaves the configuration with its `base`."""
    inner = modules.trunk_folder(path)
    where = path / inner
    trunk = base.trunk_path if base and not (where / "config.json").is_file() else where
    if not (trunk / "config.json").is_file():
        newest = newest_checkpoint(path)
        hint = f". The run has not finished; its newest checkpoint is {newest}" if newest else ""
        raise CallError(f"{path} is no model folder: it has no config.json{hint}")
    config = read_json(trunk / "config.json")
    for name, kind in (("model_type", str), ("hidden_size", int)):
        if not isinstance(config, dict) or not isinstance(unified(config).get(name), kind):
            raise CallError(f"{trunk / 'config.json'} has no {name!r}; expected a Hugging Face encoder's configuration")
    config = renamed(config)
    settings = optional_json(where / "sentence_bert_config.json")
    tokenizer = optional_json(where / "tokenizer_config.json")
    top = optional_json(path / "config_sentence_transformers.json")
    if wrong := _wrong_forms(config, settings, tokenizer, top):
        raise faults(f"{path} says what it can't mean:", wrong)
    prompts = top.get("prompts") or config.get("task_instructions") or {}
    found = ModelFolder(
        path=path,
        config=config,
        max_seq_length=_max_seq_length(config, settings, tokenizer),
        do_lower_case=bool(settings.get("do_lower_case", False)),
        prompts={name: text for name, text in prompts.items() if text is not None},
        default_prompt_name=top.get("default_prompt_name"),
        similarity_fn_name=top.get("similarity_fn_name") or "cosine",
        pooling="lasttoken" if config["model_type"] in towers.TEXT else "mean",
        trunk_folder=inner,
    )
    return replace(found, **modules.follow(path, inner, config, found.max_seq_length, top))


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint in the folder of a run; whatever has the name is complete."""
    found = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def write(folder: ModelFolder, out: Path) -> None:
    """Write the declaring files of a folder, in the pre-5.4 layout; weights and tokenizer are the caller's."""
    if folder.head:
        listing = declared.modules(folder.splade, folder.late_interaction)
    else:
        # sentence-transformers has a module for a whole CLIP; a tower pools by itself.
        kind = "CLIPModel" if folder.model_type == "clip" else "Transformer"
        listing = [("", kind)] if folder.is_tower else [("", kind), ("1_Pooling", "Pooling")]
        listing += [(dense.path, "Dense") for dense in folder.dense]
        if folder.normalize:
            listing.append((f"{len(listing)}_Normalize", "Normalize"))
        listing = [(path, f"sentence_transformers.models.{kind}") for path, kind in listing]
    listed = [{"idx": idx, "name": str(idx), "path": name, "type": kind} for idx, (name, kind) in enumerate(listing)]
    write_json(out / "config.json", folder.config)
    write_json(
        out / "sentence_bert_config.json",
        {"max_seq_length": folder.max_seq_length, "do_lower_case": folder.do_lower_case} | towers.module(folder.config),
    )
    top = declared.top(folder.splade, folder.late_interaction)
    write_json(
        out / "config_sentence_transformers.json",
        {
            "__version__": {"sentence_transformers": "5.3.0"},
            "prompts": folder.prompts,
            "default_prompt_name": folder.default_prompt_name,
            "similarity_fn_name": folder.similarity_fn_name,
        }
        | top,
    )
    if folder.splade:
        width = {"word_embedding_dimension": folder.config.get("vocab_size")}
        write_json(out / folder.splade.path / "config.json", folder.splade.settings() | width)
    elif not folder.late_interaction and not folder.is_tower:
        pooling = {flag: mode == folder.pooling for flag, mode in modules.POOLING_FLAGS.items()}
        width = {"word_embedding_dimension": folder.hidden_size}
        write_json(out / "1_Pooling" / "config.json", width | pooling | {"include_prompt": folder.include_prompt})
    for dense in folder.dense_modules:
        write_json(out / dense.path / "config.json", dense.settings())
    if folder.normalize:
        (out / listed[-1]["path"]).mkdir(exist_ok=True)
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


def _wrong_forms(config: dict, settings: dict, tokenizer: dict, top: dict) -> list[str]:
    """Entries of a form that none of them has, one line each."""
    lengths = {
        "sentence_bert_config.json: max_seq_length": settings.get("max_seq_length"),
        "tokenizer_config.json: model_max_length": tokenizer.get("model_max_length"),
    }
    wrong = [
        f"{name} = {value!r:.80}, expected a number of tokens"
        for name, value in lengths.items()
        if value is not None and (not forms.fits(value, float) or value < 1)
    ]
    wrong += [f"config.json: {line}" for line in forms.wrong(config)]
    prompts = top.get("prompts") or config.get("task_instructions") or {}
    if not isinstance(prompts, dict) or not all(text is None or isinstance(text, str) for text in prompts.values()):
        wrong.append(f"config_sentence_transformers.json: prompts = {prompts!r:.80}, expected texts by name")
    elif not isinstance(top.get("default_prompt_name"), str | None):
        name = top["default_prompt_name"]
        wrong.append(f"config_sentence_transformers.json: default_prompt_name = {name!r:.80}, expected a name")
    return wrong


def _max_seq_length(config: dict, settings: dict, tokenizer: dict) -> int:
    """The declared length; the older layout has it with the module, the newer with the tokenizer."""
    longest = positions(config)
    declared = min(settings.get("max_seq_length") or tokenizer.get("model_max_length") or longest, longest)
    # Undeclared, an endless trunk is cut where it was trained.
    return int(declared if declared < ENDLESS else unified(config).get("max_position_embeddings") or 512)
