"""modules.json: the steps from the trunk's states to the final vector, as sentence-transformers lists them.

Both generations of the layout are read. Each class of module has its handler in module_handlers.py.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlx_metaembed.config.spellings import positions
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files.disk import optional_json, read_json
from mlx_metaembed.folder import keys, module_types
from mlx_metaembed.folder.key_table import TABLE
from mlx_metaembed.folder.model_folder import ModelFolder
from mlx_metaembed.folder.module_handlers import HANDLERS, TRUNKS, Steps
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.folder.trunk_settings import TrunkSettings

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
