"""Recipes: TOML in and out, and every wrong setting named at once."""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from mlx_metaembed import recipe as recipes
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import BELONGS, Recipe
from mlx_metaembed.recipe.tables import ObjectiveTable


def test_what_is_written_is_read_back(tmp_path: Path):
    recipe = Recipe(
        model='a "b" \\c', data="d\n\t\x01\x7f\x00é.jsonl", matryoshka=(384, 96), fsq="4x8", iters=3, symmetric=True
    )
    recipes.write(recipe, tmp_path / "recipe.toml")
    assert Recipe(**recipes.read(tmp_path / "recipe.toml")) == recipe


def test_every_field_has_help():
    assert all(field.metadata["help"] for field in fields(Recipe))


def test_unknown_keys_name_the_nearest(tmp_path: Path):
    path = tmp_path / "r.toml"
    path.write_text("learning_rat = 1e-5\nbatchsize = 4\n")
    with pytest.raises(CallError, match=r"(?s)'learning_rat'; did you mean 'learning_rate'.*'batchsize'; did you mean"):
        recipes.read(path)


def test_broken_and_missing_files(tmp_path: Path):
    with pytest.raises(CallError, match="There is no recipe"):
        recipes.read(tmp_path / "none.toml")
    (tmp_path / "r.toml").write_text("a = = 1")
    with pytest.raises(CallError, match=r"not TOML.*line 1"):
        recipes.read(tmp_path / "r.toml")
    for content in (b'model = "\xff"', b"data = " + b"[" * 100_000):
        (tmp_path / "r.toml").write_bytes(content)
        with pytest.raises(CallError, match="not TOML"):
            recipes.read(tmp_path / "r.toml")
    os.truncate(tmp_path / "r.toml", 1 << 40)
    with pytest.raises(CallError, match="has more than 1,048,576 bytes"):
        recipes.read(tmp_path / "r.toml")


WRONG = {
    "batch_size": ("8", "expected a whole number"),
    "learning_rate": (-1.0, "expected more than 0"),
    "temperature": (float("nan"), "expected a finite number"),
    "loss": ("info_nec", "did you mean 'info_nce'"),
    "matryoshka": ((0,), "expected widths of 1 or more"),
    "matryoshka_weights": ((1.0,), "belongs to matryoshka, which is not set"),
    "fsq": ("4y8", "like 4x64"),
    "memory": ("lots", "like 8GB"),
    "warmup_ratio": (1.5, "less than 1"),
    "seed": (-1, "expected 0 or more"),
    "head_learning_rate": (float("inf"), "expected a finite number"),
    "max_characters": (0, "expected 1 or more"),
    "iters": (0, "expected 1 or more"),
    "eval_steps": (0, "expected 1 or more"),
    "early_stopping": (-1, "expected 1 or more"),
    "mine_every": (0, "expected 1 or more"),
    "mine_sampling": ("best", "expected one of top, random"),
    "eval_columns": ("anchor", "like anchor="),
    "target_modules": ("query", "expected a list of texts"),
    "report_to": (("tensorbord",), "expected tensorboard or wandb; did you mean 'tensorboard'"),
    "epochs": (10**40, "expected numbers up to 2,147,483,647"),
    "learning_rate ": (10**40, "expected numbers up to 2,147,483,647"),
    "matryoshka ": ((2**31,), "expected numbers up to 2,147,483,647"),
    "symmetric": (1, "expected true or false"),
    "chunk_tokens": (True, "expected a whole number or nothing"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_settings_say_what_was_expected(name: str):
    value, message = WRONG[name]
    name = name.strip()
    with pytest.raises(CallError, match=rf"(?s){name}.*{message}"):
        Recipe(**{name: value})


FOREIGN = {
    "weighting_learning_rate": ({}, 0.1, "belongs to weighting = 'uncertainty', and here weighting is 'fixed'"),
    "temperature": (
        {"loss": "triplet"},
        0.1,
        "temperature = 0.1 belongs to loss = 'info_nce' or 'gist' or 'kl' or 'kl_in_batch' or 'nt_xent', and here "
        "loss is 'triplet'",
    ),
    "symmetric": ({"loss": "triplet"}, True, "symmetric = true belongs to loss = 'info_nce'"),
    "false_negative_margin": ({"loss": "triplet"}, 0.1, "belongs to loss = 'info_nce'"),
    "false_negative_ratio": ({"loss": "triplet"}, 0.9, "belongs to loss = 'info_nce'"),
    "distance": ({}, "euclidean", "distance = \"euclidean\" belongs to loss = 'triplet' or 'contrastive' or 'online_"),
    "margin": (
        {},
        0.3,
        "margin = 0.3 belongs to loss = 'gist' or 'triplet' or 'contrastive' or 'online_contrastive' or",
    ),
    "margin_strategy": ({}, "relative", "margin_strategy = \"relative\" belongs to loss = 'gist'"),
    "contrast_anchors": ({}, False, "contrast_anchors = false belongs to loss = 'gist', and here loss is 'info_nce'"),
    "contrast_positives": ({"loss": "kl"}, False, "belongs to loss = 'gist', and here loss is 'kl'"),
    "guide": ({}, "small", "guide = \"small\" belongs to loss = 'gist', and here loss is 'info_nce'"),
    "teacher": ({}, "t.npy", 'teacher = "t.npy" belongs to loss = '),
    "soft_margin": ({}, True, "belongs to loss = 'triplet'"),
    "lora_rank": ({}, 4, "lora_rank = 4 belongs to train = 'lora' or 'dora', and here train is 'full'"),
    "lora_alpha": ({"train": "heads"}, 8.0, "belongs to train = 'lora' or 'dora', and here train is 'heads'"),
    "num_layers": ({"train": "heads"}, 2, "num_layers = 2 belongs to train = 'full' or 'lora' or 'dora'"),
    "target_modules": ({"train": "heads"}, ("query",), 'target_modules = ["query"] belongs to train'),
    "dropout": ({"train": "heads"}, 0.1, "dropout = 0.1 belongs to train"),
    "checkpointing": ({"train": "heads"}, "on", "belongs to train"),
    "grad_cache": ({"train": "heads"}, "on", "belongs to train"),
    "freeze_embeddings": ({"train": "lora"}, True, "freeze_embeddings = true belongs to train = 'full'"),
    "average_with_base": ({"train": "heads"}, 0.5, "average_with_base = 0.5 belongs to train = 'full' or 'lora'"),
    "quantization_aware": ({"train": "lora"}, 4, "quantization_aware = 4 belongs to train = 'full'"),
    "quantization_group_size": (
        {},
        32,
        "quantization_group_size = 32 belongs to quantization_aware, which is not set",
    ),
    "distill_from_base": (
        {"train": "heads"},
        0.5,
        "belongs to train = 'full' or 'lora' or 'dora'",
    ),
    "matryoshka_weights": ({}, (1.0,), "matryoshka_weights = [1.0] belongs to matryoshka, which is not set"),
    "eval_columns": ({}, "anchor=title", 'eval_columns = "anchor=title" belongs to eval_data, which is not set'),
    "eval_steps": ({}, 5, "eval_steps = 5 belongs to eval_data, which is not set"),
    "metric": ({}, "mrr@10", 'metric = "mrr@10" belongs to eval_data, which is not set'),
    "early_stopping": ({}, 3, "early_stopping = 3 belongs to eval_data, which is not set"),
    "allow_leak": ({}, True, "allow_leak = true belongs to eval_data, which is not set"),
    "mine_negatives": ({}, 2, "mine_negatives = 2 belongs to mine_every, which is not set"),
    "mine_margin": ({}, 0.1, "mine_margin = 0.1 belongs to mine_every, which is not set"),
    "mine_range_min": ({}, 5, "mine_range_min = 5 belongs to mine_every, which is not set"),
    "mine_range_max": ({}, 50, "mine_range_max = 50 belongs to mine_every, which is not set"),
    "mine_sampling": ({}, "random", 'mine_sampling = "random" belongs to mine_every, which is not set'),
}
SET = {"matryoshka": (8,), "eval_data": "held-out.jsonl", "mine_every": 100, "quantization_aware": 4}
"""A value of each setting whose own do not matter."""


@pytest.mark.parametrize("name", BELONGS)
def test_a_setting_that_would_be_ignored_says_what_it_belongs_to(name: str, tmp_path: Path):
    beside, value, message = FOREIGN[name]
    with pytest.raises(CallError) as caught:
        Recipe(**beside, **{name: value})
    assert f"- {name} = " in str(caught.value) and message in str(caught.value)
    # What is the default, and where it belongs, is as good as not set.
    assert Recipe(**beside, **{name: recipes.default(name)}) == Recipe(**beside)
    owner, values = BELONGS[name]
    for own in values or (SET.get(owner),):
        assert getattr(Recipe(**{owner: own, name: value}), name) == value
    (tmp_path / "r.toml").write_text("".join(f"{key} = {recipes.as_toml(each)}\n" for key, each in beside.items()))
    with pytest.raises(CallError, match="belongs to"):
        Recipe(**recipes.read(tmp_path / "r.toml") | {name: value})


def test_other_settings_take_what_belongs_to_the_old_ones_back():
    recipe = Recipe(freeze_embeddings=True, num_layers=2, optimizer="adafactor")
    assert recipes.changed(recipe, train="lora") == Recipe(train="lora", num_layers=2, optimizer="adafactor")
    assert recipes.changed(recipe, train="heads") == Recipe(train="heads", optimizer="adafactor")
    assert recipes.changed(recipe, batch_size=8).freeze_embeddings


def test_all_faults_come_at_once():
    with pytest.raises(CallError, match=r"(?s)epochs.*seed") as caught:
        Recipe(epochs=0.5, seed="x", temperature=1)
    assert str(caught.value).count("\n") == 2


def test_a_single_row_has_no_negatives_in_its_batch():
    with pytest.raises(CallError, match="batch_size = 1: info_nce compares the rows of a batch; expected 2 or more"):
        Recipe(batch_size=1)
    assert Recipe(batch_size=1, loss="triplet").batch_size == 1
    with pytest.raises(CallError, match="batch_size = 3: batch_hard_triplet compares the rows of a batch; expected 4"):
        Recipe(batch_size=3, objectives=(ObjectiveTable("a", "d", loss="batch_hard_triplet"),))


def test_a_code_that_the_loss_does_not_train_is_refused():
    with pytest.raises(CallError, match="fsq = '4x8' adds a code head, which cross_entropy would not train"):
        Recipe(loss="cross_entropy", fsq="4x8")


@pytest.mark.parametrize("loss", ["flops", "self_distillation"])
def test_a_loss_for_heads_that_the_short_form_does_not_add_says_so(loss: str):
    with pytest.raises(CallError, match=f"loss = '{loss}' is for heads that give .*an \\[\\[objective\\]\\], as"):
        Recipe(loss=loss)
