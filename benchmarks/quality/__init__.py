"""nDCG@10 after equal steps on equal rows: the settings that all contestants share, one epoch of them."""

BATCH = 64
LENGTH = 64
LEARNING_RATE = 5e-5
WIDTHS = (384, 192, 96, 48)
