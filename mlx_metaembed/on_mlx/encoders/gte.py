"""Alibaba's `new` under transformers' own name: snowflake-arctic-embed-m-v2.0, and gte as transformers saves it."""

from mlx_metaembed.on_mlx.encoders.new import SUPPORTED, Config, Encoder

__all__ = ["SUPPORTED", "Config", "Encoder"]
