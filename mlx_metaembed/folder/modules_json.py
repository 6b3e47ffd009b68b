"""modules.json: the steps from the trunk's states to the final vector, as sentence-transformers lists them.

Both generations of the layout are read. Each class of module has its handler in HANDLERS.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlx_metaembed import dense_activations, forms
from mlx_metaembed.architecture import positions
from mlx_metaembed.disk import optional_json, read_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import keys, module_types
from mlx_metaembed.folder.key_table import TABLE
from mlx_metaembed.folder.model_folder import ModelFolder
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.folder.trunk_settings import TrunkSettings

POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""In the order in which the vectors of several modes stand side by side."""
TRUNKS = ("Transformer", "MLMTransformer", "CLIPModel")
"""sentence-transformers' modules that hold a trunk."""
LIBRARIES = ("sentence_transformers", "pylate")
"""Whose classes are known; a class of a folder's own may do anything."""


def trunk_folder(path: Path) -> str:
    """Where modules.json says that the trunk lies, in a folder whose config.json does not lie at the top."""
    listing = path / "modules.json"
    if (path / "config.json").is_file() or not listing.is_file():
        return ""
    listed = read_json(listing)
    modules = [module for module in listed if isinstance(module, dict)] if isinstance(listed, list) else []
    found = [module.get("path") for module in modules if str(module.get("type")).endswith(TRUNKS)]
    inner = found[0] if found and isinstance(found[0], str) else ""
    return "" if Path(inner).is_absolute() or ".." in Path(inner).parts else inner


@dataclass
class Steps:
    """What has been followed so far: `fields` of a ModelFolder, `seen` kinds of modules, faults and notes."""

    folder: ModelFolder
    trunk: TrunkSettings
    top: Mapping
    late: bool
    fields: dict[str, Any] = field(default_factory=lambda: {"dense": ()})
    seen: list[str] = field(default_factory=list)
    names: list[object] = field(default_factory=list)
    on_tokens: list[tuple[str, str, Mapping]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def take(self, found: tuple[list[str], list[str]]) -> None:
        """Add faults and notes."""
        self.wrong += found[0]
        self.notes += found[1]

    def inspect(self, file: str, where: str, settings: Mapping) -> None:
        """Hold the keys of a module's config.json against the table."""
        self.take(keys.inspect(file, settings, TABLE, f"{where}/config.json"))


def _trunk(steps: Steps, where: str, settings: Mapping) -> None:
    config = steps.folder.config
    if steps.seen[-1] == "CLIPModel" and config["model_type"] != "clip":
        steps.wrong.append(f"module CLIPModel with a config.json of the type {config['model_type']!r}; expected 'clip'")
    if where != steps.folder.trunk_folder:
        steps.wrong.append(
            f"the trunk lies in {where!r}, but {steps.folder.path} has a config.json of its own; remove one"
        )
    if len(steps.seen) > 1:
        steps.wrong.append(f"a trunk at {where!r} after {steps.seen[-2]}; expected one trunk, before all else")
    steps.take(steps.trunk.faults(config, mlm=steps.seen[-1] == "MLMTransformer", late=steps.late))


def _pooling(steps: Steps, where: str, settings: Mapping) -> None:
    if steps.folder.is_tower:
        steps.wrong.append(f"module Pooling at {where!r}, but {steps.folder.model_type} pools by itself")
        return
    if any(kind not in (*TRUNKS, "Dropout") for kind in steps.seen[:-1]):
        steps.wrong.append(f"module Pooling at {where!r} after {steps.seen[-2]}; expected it after the trunk, once")
    if not any(settings.get(name) for name in ("embedding_dimension", "word_embedding_dimension")):
        steps.wrong.append(f"{where}/config.json has no embedding_dimension; bring a whole Pooling module")
    steps.inspect(keys.POOLING, where, settings)
    modes = _pooling_modes(settings)
    if not modes or any(mode not in POOLING_FLAGS.values() for mode in modes):
        steps.wrong.append(f"{where}/config.json: pooling {modes}; expected {', '.join(POOLING_FLAGS.values())}")
    elif not isinstance(settings.get("include_prompt", True), bool):
        steps.wrong.append(f"{where}/config.json: include_prompt = {settings['include_prompt']!r:.80}; expected a bool")
    else:
        steps.fields |= {"pooling": "+".join(modes), "include_prompt": settings.get("include_prompt", True)}


def _splade(steps: Steps, where: str, settings: Mapping) -> None:
    steps.inspect(keys.SPLADE, where, settings)
    pooling = module_types.splade_pooling(where, settings)
    steps.wrong += pooling.faults()
    steps.fields |= {"splade": pooling, "similarity_fn_name": steps.top.get("similarity_fn_name") or "dot"}


def _dense(steps: Steps, where: str, settings: Mapping) -> None:
    steps.inspect(keys.DENSE, where, settings)
    dense = module_types.dense_module(where, settings)
    if dense is None:
        steps.wrong.append(f"{where}/config.json: in_features or out_features is missing")
    elif unfit := forms.unfit(DenseModule, {name: value for name, value in vars(dense).items() if name != "path"}):
        steps.wrong += [f"{where}/config.json: {line}" for line in unfit]
    elif not dense_activations.known(dense.activation_function):
        steps.wrong.append(
            f"{where}/config.json: activation {dense.activation_function!r:.80} is not supported; known are those of "
            f"torch.nn that work on each number by itself: Identity, {', '.join(dense_activations.ACTIVATIONS)}"
        )
    elif "normalize" in steps.fields:
        steps.wrong.append(f"{where}: Dense after Normalize is not supported; expected Normalize last")
    elif "Pooling" not in steps.seen and not steps.folder.is_tower:
        steps.wrong.append(f"{where}: Dense before Pooling is not supported; expected it on the pooled vector")
    else:
        steps.fields["dense"] += (dense,)


def _normalize(steps: Steps, where: str, settings: Mapping) -> None:
    steps.inspect(keys.NORMALIZE, where, settings)
    if "Pooling" not in steps.seen and not steps.folder.is_tower:
        steps.wrong.append(f"{where}: Normalize before Pooling is not supported; expected Normalize last")
    steps.fields["normalize"] = True


def _dropout(steps: Steps, where: str, settings: Mapping) -> None:
    """Nothing is dropped where vectors are made."""


HANDLERS: dict[str, Callable[[Steps, str, Mapping], None]] = {
    **dict.fromkeys(TRUNKS, _trunk),
    "Pooling": _pooling,
    "SpladePooling": _splade,
    "Dense": _dense,
    "Normalize": _normalize,
    "Dropout": _dropout,
}
"""By a class's last name."""


def follow(folder: ModelFolder, trunk: TrunkSettings, top: Mapping) -> dict[str, Any]:
    """What modules.json says, as fields of a ModelFolder.

    `folder` has what config.json and `trunk` say, `top` is config_sentence_transformers.json. Raises CallError that
    lists every module that can't be followed.
    """
    listing = folder.path / "modules.json"
    listed = read_json(listing)
    if not isinstance(listed, list):
        raise CallError(f"{listing}: expected a list of modules, found {listed!r:.80}")
    late = module_types.is_late(str(module.get("type")) for module in listed if isinstance(module, dict))
    steps = Steps(folder, trunk, top, late)
    for module in listed:
        _one(steps, module)
    (_late if late else _ending)(steps)
    if steps.wrong:
        raise faults(f"{listing} can't be followed:", dict.fromkeys(steps.wrong))
    return steps.fields | {"notes": tuple(dict.fromkeys(steps.notes))}


def _one(steps: Steps, module: object) -> None:
    """One entry of the list."""
    if not isinstance(module, dict) or not all(isinstance(module.get(key), str) for key in ("type", "path")):
        steps.wrong.append(f"expected modules with a type and a path, found {module!r:.80}")
        return
    steps.take(keys.inspect(keys.MODULES, module, TABLE, "modules.json"))
    kind, where = module["type"].rsplit(".", 1)[-1], module["path"]
    if Path(where).is_absolute() or ".." in Path(where).parts:
        steps.wrong.append(f"module {kind} at {where!r} lies outside the folder")
        return
    if module.get("name", len(steps.names)) in steps.names:
        steps.wrong.append(f"module {kind} at {where!r} has the name {module['name']!r:.80} of one before it")
    steps.names.append(module.get("name", len(steps.names)))
    settings = optional_json(steps.folder.path / where / "config.json") if where else {}
    steps.seen.append(kind)
    if steps.late and kind in module_types.LATE:
        steps.on_tokens.append((kind, where, settings))
    elif kind not in HANDLERS:
        steps.wrong.append(f"module {kind} at {where!r} is not supported; known: {', '.join(HANDLERS)}")
    elif kind not in TRUNKS and not module["type"].startswith(tuple(f"{library}." for library in LIBRARIES)):
        steps.wrong.append(f"module {module['type']!r} at {where!r} is a class of the folder's own, which is not run")
    else:
        HANDLERS[kind](steps, where, settings)


def _ending(steps: Steps) -> None:
    """What must hold once every module is followed, where one vector a text comes out, or SPLADE's weights."""
    splade = "splade" in steps.fields
    steps.take(keys.inspect(keys.TOP, steps.top, TABLE, keys.TOP))
    if not splade:
        steps.fields["truncate_dim"] = steps.top.get("truncate_dim")
    _require_widths(steps, replace(steps.folder, **steps.fields).pooled_width, steps.fields["dense"])
    if steps.wrong:
        return
    first = steps.seen[0] if steps.seen else "no module"
    if first not in TRUNKS:
        steps.wrong.append(f"found {first} first; expected a trunk ({', '.join(TRUNKS)})")
    elif not splade and not steps.folder.is_tower and "Pooling" not in steps.seen:
        steps.wrong.append("there is no Pooling module, so that nothing makes one vector of a text")
    task = steps.trunk.task(mlm="MLMTransformer" in steps.seen)
    expected = "fill-mask" if splade else "feature-extraction"
    if task != expected:
        steps.wrong.append(f"the trunk is loaded for {task}, and the modules after it take {expected}")
    kind, said = "SparseEncoder" if splade else "SentenceTransformer", steps.top.get("model_type")
    if said not in (None, kind):
        steps.wrong.append(f"{keys.TOP}: model_type = {said!r:.80}, but the modules are those of a {kind}")


def _late(steps: Steps) -> None:
    """A vector for every token: PyLate's settings, or sentence-transformers 6's."""
    found, faulty = module_types.late_interaction(
        steps.on_tokens, steps.top, steps.trunk.settings, steps.folder.max_seq_length
    )
    longest = positions(steps.folder.config)
    for name in () if faulty else ("query_length", "document_length"):
        if getattr(found, name) > longest:
            faulty.append(f"{name} = {getattr(found, name)}, but the model has {longest} positions")
    # The lengths of the two sides are the head's own.
    steps.fields |= {"late_interaction": found, "query_length": None, "document_length": None}
    if (said := steps.top.get("similarity_fn_name")) is not None:
        steps.fields["similarity_fn_name"] = said
    steps.wrong += faulty
    _require_widths(steps, steps.folder.hidden_size, found.dense)


def _require_widths(steps: Steps, width: int, modules: tuple[DenseModule, ...]) -> None:
    """Each Dense module takes what the step before gives."""
    for dense in modules:
        if dense.in_features != width:
            steps.wrong.append(f"{dense.path} expects {dense.in_features} features, the step before gives {width}")
        width = dense.out_features


def _pooling_modes(settings: Mapping) -> list[object]:
    """The modes in their order; the mean where every one is false, or none is said."""
    if "pooling_mode" in settings:
        mode = settings["pooling_mode"]
        return list(mode) if isinstance(mode, list) else [mode]
    return [mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag)] or ["mean"]
