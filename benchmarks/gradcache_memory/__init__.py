"""Peak memory of one batch of 1,024 pairs with GradCache, and with every activation held.

Texts are cut at 32 tokens, so that the plain step fits a laptop of 16 GB.
"""
