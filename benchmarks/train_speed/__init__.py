"""Training tokens a second on texts of mixed length: the settings that all contestants share."""

BATCH = 64
LENGTH = 128
LEARNING_RATE = 2e-5
