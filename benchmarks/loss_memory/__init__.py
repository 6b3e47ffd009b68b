"""Peak memory of InfoNCE at four widths with its gradient: in tiles, and with every matrix of cosines held."""

BATCHES = (2048, 8192)
WIDTHS = (384, 192, 96, 48)
