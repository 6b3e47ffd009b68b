"""CamemBERT: RoBERTa, with a French vocabulary. arXiv:1911.03894."""

from mlx_metaembed.on_mlx.encoders.roberta import SUPPORTED, Config, Encoder

__all__ = ["SUPPORTED", "Config", "Encoder"]
