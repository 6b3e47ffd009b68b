"""Language models conditioned on semantic IDs: trained on texts with IDs, asked for texts of an ID, and judged.

The base stays as it is; what is learned stands beside it, by one of three ways (`conditions.py`).
"""
