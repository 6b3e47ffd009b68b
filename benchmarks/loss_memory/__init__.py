"""Peak memory of InfoNCE at four widths with its gradient: in tiles, and with every matrix of cosines held."""

BATCHES = (2048, 8192)
WIDTHS = (384, 192, 96, 48)
TAUGHT = {"gist": 4096, "kl_in_batch": 4096, "similarity_distillation": 4096, "relative_similarity_distillation": 128}
"""Losses on teachers' vectors, and texts of a batch."""
