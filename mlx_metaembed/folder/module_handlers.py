"""What each class of sentence-transformers' modules means, and what of it can't be followed: one handler a class."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mlx_metaembed.config import checks
from mlx_metaembed.folder import keys, module_types
from mlx_metaembed.folder.key_table import TABLE
from mlx_metaembed.folder.model_folder import ModelFolder
from mlx_metaembed.folder.module_types import DenseModule
from mlx_metaembed.folder.trunk_settings import TrunkSettings
from mlx_metaembed.layers import dense_activations

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
    elif unfit := checks.type_errors(
        DenseModule, {name: value for name, value in vars(dense).items() if name != "path"}
    ):
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


def _pooling_modes(settings: Mapping) -> list[object]:
    """The modes in their order; the mean where every one is false, or none is said."""
    if "pooling_mode" in settings:
        mode = settings["pooling_mode"]
        return list(mode) if isinstance(mode, list) else [mode]
    return [mode for flag, mode in POOLING_FLAGS.items() if settings.get(flag)] or ["mean"]


HANDLERS: dict[str, Callable[[Steps, str, Mapping], None]] = {
    **dict.fromkeys(TRUNKS, _trunk),
    "Pooling": _pooling,
    "SpladePooling": _splade,
    "Dense": _dense,
    "Normalize": _normalize,
    "Dropout": _dropout,
}
"""By a class's last name."""
