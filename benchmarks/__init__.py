"""Measurements against the peers: `python -m benchmarks.compare`. Each one runs in a process of its own."""
