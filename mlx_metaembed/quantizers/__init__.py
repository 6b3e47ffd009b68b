"""Quantizers: vectors to a few levels a feature, with a gradient."""

from mlx_metaembed.quantizers.fsq import fsq, fsq_digits, fsq_values

__all__ = ["fsq", "fsq_digits", "fsq_values"]
