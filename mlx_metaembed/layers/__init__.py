"""The mathematics behind a trunk: pooling, Dense modules, activations. One text for every engine."""
