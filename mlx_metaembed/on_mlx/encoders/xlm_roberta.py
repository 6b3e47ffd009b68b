"""XLM-RoBERTa: RoBERTa, with another vocabulary. multilingual-e5, BGE-M3. arXiv:1911.02116."""

from mlx_metaembed.on_mlx.encoders.roberta import SUPPORTED, Config, Encoder

__all__ = ["SUPPORTED", "Config", "Encoder"]
