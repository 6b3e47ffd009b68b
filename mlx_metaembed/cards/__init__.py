"""The README.md of every model folder that the kit writes."""
