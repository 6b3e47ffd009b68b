"""Optimizers: AdamW, AdamW with 8-bit moments, Adafactor, and the rates of a step."""
