"""A folder's files as one ModelFolder, of either generation of the layout, an adapter's with its base.

Everything that is wrong with them comes in one error.
"""

from dataclasses import replace
from pathlib import Path

from mlx_metaembed import forms, locate, towers
from mlx_metaembed.architecture import ENDLESS, positions, renamed, unified
from mlx_metaembed.disk import optional_json, read_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import modules_json
from mlx_metaembed.folder.model_folder import ADAPTER, QUANTIZATION, ModelFolder


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
    return named


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
    inner = modules_json.trunk_folder(path)
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
    return replace(found, **modules_json.follow(path, inner, config, found.max_seq_length, top))


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint in the folder of a run; whatever has the name is complete."""
    found = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


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
    said = min(settings.get("max_seq_length") or tokenizer.get("model_max_length") or longest, longest)
    # Undeclared, an endless trunk is cut where it was trained.
    return int(said if said < ENDLESS else unified(config).get("max_position_embeddings") or 512)
