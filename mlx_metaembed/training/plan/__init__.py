"""What a run will hold in memory, and what would fit instead."""

from mlx_metaembed.training.plan.choices import fitting
from mlx_metaembed.training.plan.lengths import Lengths, measured
from mlx_metaembed.training.plan.parts import Job
from mlx_metaembed.training.plan.planned import Plan, plan
from mlx_metaembed.training.plan.target import Target

__all__ = ["Job", "Lengths", "Plan", "Target", "fitting", "measured", "plan"]
