"""Peak memory of one batch of 1,024 pairs with GradCache, and with every activation held."""
