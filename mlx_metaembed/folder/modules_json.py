"""modules.json: the steps from the trunk's states to the final vector, as sentence-transformers lists them.

Both generations of the layout are read. A folder without modules.json is a bare trunk, pooled by the mean.
"""

from pathlib import Path
from typing import Any

from mlx_metaembed import towers
from mlx_metaembed.architecture import positions, states_width
from mlx_metaembed.disk import optional_json, read_json
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.folder import module_types

POOLING_FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


TRUNKS = ("Transformer", "MLMTransformer", "CLIPModel")
"""sentence-transformers' modules that hold a trunk."""


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


def follow(path: Path, inner: str, config: dict, max_seq_length: int, top: dict) -> dict[str, Any]:
    """What modules.json says, as fields of a ModelFolder; nothing where there is no such file.

    `inner` is the trunk's folder in `path`, `config` its config.json, `top` config_sentence_transformers.json. Raises
    CallError that lists every module that can't be followed.
    """
    listing = path / "modules.json"
    if not listing.is_file():
        return {}
    listed = read_json(listing)
    if not isinstance(listed, list):
        raise CallError(f"{listing}: expected a list of modules, found {listed!r:.80}")
    late = module_types.is_late(str(module.get("type")) for module in listed if isinstance(module, dict))
    found: dict[str, Any] = {"dense": ()}
    wrong: list[str] = []
    on_tokens: list[tuple[str, str, dict]] = []
    for module in listed:
        if not isinstance(module, dict) or not all(isinstance(module.get(key), str) for key in ("type", "path")):
            wrong.append(f"expected modules with a type and a path, found {module!r:.80}")
            continue
        kind, where = module["type"].rsplit(".", 1)[-1], module["path"]
        if Path(where).is_absolute() or ".." in Path(where).parts:
            wrong.append(f"module {kind} at {where!r} lies outside the folder")
            continue
        settings = optional_json(path / where / "config.json") if where else {}
        if kind == "CLIPModel" and config["model_type"] != "clip":
            wrong.append(f"module CLIPModel with a config.json of the type {config['model_type']!r}; expected 'clip'")
        elif kind in TRUNKS:
            if where != inner:
                wrong.append(f"the trunk lies in {where!r}, but {path} has a config.json of its own; remove one")
        elif kind == "Pooling" and config["model_type"] in towers.TEXT:
            wrong.append(f"module Pooling at {where!r}, but {config['model_type']} pools by itself")
        elif kind == "Pooling":
            modes = _pooling_modes(settings)
            if len(modes) != 1 or modes[0] not in POOLING_FLAGS.values():
                wrong.append(
                    f"{where}/config.json: pooling {modes or 'none'}; one of {', '.join(POOLING_FLAGS.values())}"
                )
            else:
                found |= {"pooling": modes[0], "include_prompt": settings.get("include_prompt", True)}
        elif kind == "SpladePooling":
            pooling = module_types.splade_pooling(where, settings)
            wrong += pooling.faults()
            found |= {"splade": pooling, "similarity_fn_name": top.get("similarity_fn_name") or "dot"}
        elif late and kind in module_types.LATE:
            on_tokens.append((kind, where, settings))
        elif kind == "Dense":
            dense = module_types.dense_module(where, settings)
            if dense is None:
                wrong.append(f"{where}/config.json: in_features or out_features is missing")
            elif settings.get("module_input_name", "sentence_embedding") != "sentence_embedding":
                wrong.append(f"{where}: Dense on {settings['module_input_name']}; known on the pooled vector only")
            elif dense.use_residual or "normalize" in found:
                wrong.append(f"{where}: Dense with a residual, or after Normalize, is not supported")
            else:
                found["dense"] += (dense,)
        elif kind == "Normalize":
            found["normalize"] = True
        elif kind != "Dropout":
            wrong.append(
                f"module {kind} at {where!r} is not supported; known: Transformer, Pooling, Dense, Normalize, "
                "SpladePooling"
            )
    if late:
        trunk = optional_json(path / inner / "sentence_bert_config.json")
        found["late_interaction"], faulty = module_types.late_interaction(on_tokens, top, trunk, max_seq_length)
        longest = positions(config)
        for name in () if faulty else ("query_length", "document_length"):
            if getattr(found["late_interaction"], name) > longest:
                faulty.append(
                    f"{name} = {getattr(found['late_interaction'], name)}, but the model has {longest} positions"
                )
        wrong += faulty
    width = states_width(config)
    for dense in found["late_interaction"].dense if late else found["dense"]:
        if dense.in_features != width:
            wrong.append(f"{dense.path} expects {dense.in_features} features, the step before gives {width}")
        width = dense.out_features
    if wrong:
        raise faults(f"{listing} can't be followed:", wrong)
    return found


def _pooling_modes(settings: dict) -> list[str]:
    if "pooling_mode" in settings:
        mode = settings["pooling_mode"]
        return [mode] if isinstance(mode, str) else list(mode)
    return [mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag)]
