"""The golden folder with task adapters, and their names."""

from states import GOLDEN

JINA = GOLDEN / "jina_embeddings_v3"
NAMES = ("retrieval.query", "retrieval.passage", "separation", "classification", "text-matching")
