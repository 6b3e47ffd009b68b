"""What a run will hold in memory, and what would fit instead."""

from mlx_metaembed.train.plan.choices import fitting
from mlx_metaembed.train.plan.lengths import Lengths, measured
from mlx_metaembed.train.plan.parts import Job
from mlx_metaembed.train.plan.planned import Plan, plan
from mlx_metaembed.train.plan.target import Target

__all__ = ["Job", "Lengths", "Plan", "Target", "fitting", "measured", "plan"]
