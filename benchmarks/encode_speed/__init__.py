"""Encoding tokens a second: the settings that all contestants share."""

BATCH = 32
"""The peers' texts a batch; this kit cuts its chunks by tokens."""
LENGTH = 256
WARM_UP = 64
"""Texts encoded before the clock starts, so that nobody pays for first calls."""
