"""A model for other tools: a clean sentence-transformers folder, or quantized weights for MLX."""
