"""Tables as the short form's settings, as far as those can say them."""

from dataclasses import replace

import pytest

from mlx_metaembed.recipe import Recipe
from mlx_metaembed.recipe.long_form import long_form
from mlx_metaembed.recipe.short_form import own_heads, short_form
from mlx_metaembed.recipe.tables import DataTable, HeadTable

SHORT = {
    "pairs": {"matryoshka": (32, 8), "matryoshka_weights": (1.0, 0.5), "fsq": "4x8", "fsq_weight": 0.25},
    "dense": {"dense": 16, "temperature": 0.1, "columns": "anchor=a,positive=b", "no_header": True},
    "triplet": {"loss": "triplet", "margin": 0.3, "soft_margin": True},
    "classes": {"loss": "cross_entropy"},
    "near its base": {"distill_from_base": 0.5, "fsq": "4x8", "fsq_weight": 0.25},
    "scores near their base": {"loss": "mse", "distill_from_base": 2.0},
}


@pytest.mark.parametrize("own", [(), ("mine",)], ids=["no head of its own", "a code head of its own"])
@pytest.mark.parametrize("settings", SHORT.values(), ids=SHORT)
def test_the_short_form_of_its_tables_is_itself(settings: dict, own: tuple[str, ...]):
    given = Recipe(model="m", data="pairs.jsonl", out="out", **settings)
    assert short_form(long_form(given, own), own) == given == short_form(given, own)


def test_what_settings_can_not_say_stays_tables():
    given = long_form(Recipe(model="m", data="pairs.jsonl", out="out", dense=16), ["mine"])
    assert own_heads(given) == ["mine"]
    # Of a model that has no such head the short form would be another run.
    assert short_form(given).objectives == given.objectives
    named = replace(given, sources=(DataTable("pairs", "pairs.jsonl"),), heads=(HeadTable("codes", "fsq"),))
    assert short_form(named, ["mine"]).sources == named.sources
    labelled = (HeadTable("classes", "classification", {"labels": ("a", "b")}),)
    found = short_form(replace(long_form(Recipe(data="p.jsonl", loss="cross_entropy")), heads=labelled))
    assert (found.data, found.loss, found.objectives, found.heads) == ("p.jsonl", "cross_entropy", (), labelled)
