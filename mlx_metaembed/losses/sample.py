"""What one loss is given of one batch and one head."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mlx_metaembed.heads.output import Output
from mlx_metaembed.xp import Array


@dataclass(frozen=True)
class Sample:
    outputs: Mapping[str, Output]
    mask: Array | None
    targets: Mapping[str, Array] = field(default_factory=dict)
    widths: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
