"""A folder's files as one ModelFolder, of either generation of the layout, an adapter's with its base.

Everything that is wrong with them comes in one error.
"""

from dataclasses import replace
from pathlib import Path

from mlx_metaembed.config import checks, clip
from mlx_metaembed.config.spellings import DECODERS, renamed, unified
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files.disk import optional_json, read_json
from mlx_metaembed.folder import keys, locate, modules_json, trunk_settings
from mlx_metaembed.folder.model_folder import ADAPTER, QUANTIZATION, ModelFolder
from mlx_metaembed.folder.trunk_settings import TrunkSettings

SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


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
    # Without modules.json sentence-transformers reads neither of its own files.
    listed = (path / "modules.json").is_file()
    settings = trunk_settings.read(where) if listed else TrunkSettings("", {})
    tokenizer = optional_json(where / "tokenizer_config.json")
    top = optional_json(path / keys.TOP) if listed else {}
    wrong = settings.length_faults() + _wrong_forms(config, tokenizer, top)
    if not listed and not config.get("quantization") and (template := _chat_template(trunk, tokenizer)):
        wrong.append(
            f"{template}: where there is no modules.json, sentence-transformers puts every text into the chat "
            "template, which is not supported. For vectors of the plain texts, take the template out of a copy"
        )
    if wrong:
        raise faults(f"{path} says what it can't mean:", wrong)
    prompts = top.get("prompts") or config.get("task_instructions") or {}
    found = ModelFolder(
        path=path,
        config=config,
        max_seq_length=settings.max_seq_length(config, tokenizer),
        do_lower_case=bool(settings.settings.get("do_lower_case", False)),
        prompts={name: text or "" for name, text in prompts.items()},
        default_prompt_name=top.get("default_prompt_name"),
        similarity_fn_name=_similarity(top),
        pooling="lasttoken" if config["model_type"] in clip.TEXT or _is_causal(config) else "mean",
        trunk_folder=inner,
        **settings.side_lengths(config),
    )
    return replace(found, **modules_json.follow(found, settings, top)) if listed else found


def _is_causal(config: dict) -> bool:
    """Whether a bare trunk is pooled by its last token: a causal language model, as sentence-transformers tells one."""
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else ""
    return isinstance(first, str) and first.endswith("ForCausalLM") and bool(config.get("is_causal", True))


def _chat_template(trunk: Path, tokenizer: dict) -> str | None:
    """The file that holds a chat template; None where there is none."""
    if tokenizer.get("chat_template") is not None:
        return "tokenizer_config.json"
    found = [name for name in ("chat_template.jinja", "chat_template.json") if (trunk / name).is_file()]
    return found[0] if found else None


def _similarity(top: dict) -> str:
    """How vectors are compared; what sentence-transformers does not know is cosine to it."""
    said = top.get("similarity_fn_name")
    return said if said in SIMILARITIES else "cosine"


def newest_checkpoint(run: Path) -> Path | None:
    """The newest checkpoint in the folder of a run; whatever has the name is complete."""
    found = [path for path in run.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return max(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), default=None)


def _wrong_forms(config: dict, tokenizer: dict, top: dict) -> list[str]:
    """Entries of a form that none of them has, one line each."""
    wrong = []
    for name in ("model_max_length", "max_len"):
        longest = tokenizer.get(name)
        if longest is not None and (not checks.fits(longest, float) or longest < 1):
            wrong.append(f"tokenizer_config.json: {name} = {longest!r:.80}, expected a number of tokens")
    wrong += [f"config.json: {line}" for line in checks.invalid_entries(config)]
    if not isinstance(config.get("is_causal", False), bool):
        # transformers would take null for either, by the padding of a batch.
        wrong.append(f"config.json: is_causal = {config['is_causal']!r:.80}, expected true or false, or no such entry")
    elif config.get("is_causal") and config["model_type"] not in DECODERS:
        wrong.append("config.json: is_causal = true is not supported for an encoder; expected false, or no such entry")
    prompts, default = top.get("prompts") or config.get("task_instructions") or {}, top.get("default_prompt_name")
    if not isinstance(prompts, dict) or not all(text is None or isinstance(text, str) for text in prompts.values()):
        wrong.append(f"{keys.TOP}: prompts = {prompts!r:.80}, expected texts by name")
    elif not isinstance(default, str | None):
        wrong.append(f"{keys.TOP}: default_prompt_name = {default!r:.80}, expected a name")
    elif default and default not in {*prompts, "query", "document"}:
        wrong.append(f"{keys.TOP}: default_prompt_name = {default!r:.80}, but prompts has {list(prompts)!r:.80}")
    width = top.get("truncate_dim")
    if width is not None and not (checks.fits(width, int) and width >= 1):
        wrong.append(f"{keys.TOP}: truncate_dim = {width!r:.80}, expected a number of features")
    return wrong
