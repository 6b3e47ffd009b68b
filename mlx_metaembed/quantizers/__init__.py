"""Quantizers: vectors to a few levels a feature, with a gradient."""

from mlx_metaembed.quantizers.fsq import NOISE, fsq, fsq_digits, fsq_values

__all__ = ["NOISE", "fsq", "fsq_digits", "fsq_values"]
