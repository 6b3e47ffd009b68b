"""Quantizers: vectors to a few levels a feature, or to sums of centroids, with a gradient."""

from mlx_metaembed.quantizers.fsq import NOISE, fsq, fsq_digits, fsq_values
from mlx_metaembed.quantizers.rvq import rvq, rvq_codes, rvq_sum

__all__ = ["NOISE", "fsq", "fsq_digits", "fsq_values", "rvq", "rvq_codes", "rvq_sum"]
