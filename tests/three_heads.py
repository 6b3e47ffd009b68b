"""A recipe of the three heads of BGE-M3, which teach themselves."""

from mlx_metaembed.recipe.tables import HeadTable, ObjectiveTable

THREE = ("dense", "lexical", "multi_vector")
M3 = {
    "heads": (HeadTable("lexical", "lexical"), HeadTable("multi_vector", "multi_vector", {"features": 128})),
    "objectives": (ObjectiveTable("", "data", THREE, "self_distillation", matryoshka=(128, 32)),),
}
