"""Codes of finished vectors beside the free ones and faiss's, at equal bytes, in one run."""
