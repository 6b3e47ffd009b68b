"""Hard negatives: for every query the texts of a corpus that a model takes for answers, and that are none."""
