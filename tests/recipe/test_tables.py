"""What is wrong with a recipe's tables, word for word, before anything is written."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from tiny import tiny_folder

from mlx_metaembed import recipe as recipes
from mlx_metaembed.data import vector_key
from mlx_metaembed.errors import CallError
from mlx_metaembed.recipe import Recipe
from mlx_metaembed.training import train

ROWS = {
    "pairs.jsonl": lambda row: {"anchor": f"open {row}", "positive": f"{row} read"},
    "texts.jsonl": lambda row: {"text": f"open {row}"},
    "labelled.jsonl": lambda row: {"text": f"open {row}", "label": "ab"[row % 2]},
}
PAIRS = '[[data]]\nname = "pairs"\npath = "pairs.jsonl"\n'
TAUGHT = '[[data]]\nname = "texts"\npath = "texts.jsonl"\n[[objective]]\ndata = "texts"\nloss = "distillation"\n'
CLASSES = (
    '[[data]]\nname = "rows"\npath = "labelled.jsonl"\n'
    '[[objective]]\ndata = "rows"\nhead = "kinds"\nloss = "cross_entropy"\n'
)


def on(loss: str = "info_nce", more: str = "") -> str:
    return f'[[objective]]\ndata = "pairs"\nloss = "{loss}"\n{more}'


BOTH = on("distillation", 'texts = "anchor"\n') + on("distillation", 'name = "b"\ntexts = "positive"\n') + PAIRS


def head(kind: str, more: str = "", name: str = "other") -> str:
    return f'[[head]]\nname = "{name}"\ntype = "{kind}"\n{more}'


def teacher(path: str, more: str = "") -> str:
    return f'[[teacher]]\nname = "large"\npath = "{path}"\n{more}'


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    tiny_folder(folder / "model")
    for name, make in ROWS.items():
        (folder / name).write_text("".join(json.dumps(make(row)) + "\n" for row in range(8)))
    whole = np.ones((8, 32), np.float32)
    np.save(folder / "whole.npy", whole)
    np.save(folder / "short.npy", whole[1:])
    texts = [f"open {row}" for row in range(8)]
    (folder / "short.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts[1:]))
    for name, own in {"turned": texts[::-1], "other": [*texts[:7], "another"]}.items():
        np.save(folder / f"{name}.npy", whole)
        vector_key.write(folder / f"{name}.npy.json", folder / f"{name}.npy", own, {})
    np.save(folder / "narrow.npy", whole[:, 1:])
    np.save(folder / "flat.npy", whole[0])
    np.save(folder / "numbers.npy", whole.astype(np.int64))
    np.save(folder / "objects.npy", np.array([{}], object), allow_pickle=True)
    np.save(folder / "nan.npy", np.where(np.arange(8)[:, None] == 3, np.nan, whole))
    (folder / "text.npy").write_text("no array")
    return folder


def refused(work: Path, monkeypatch: pytest.MonkeyPatch, tables: str) -> str:
    """What a run of these tables is refused with, before anything is written."""
    monkeypatch.chdir(work)
    (work / "recipe.toml").write_text(tables)
    before = sorted(work.iterdir())
    with pytest.raises(CallError) as error:
        settings = {"model": "model", "out": "out", "engine": "mlx", "iters": 1, "batch_size": 4}
        train(Recipe(**settings | recipes.read("recipe.toml")), callbacks=[])
    assert sorted(work.iterdir()) == before
    return str(error.value)


LOSSES = (
    "info_nce, triplet, mega_batch_margin, margin_mse, kl, self_distillation, cosent, angle, mse, contrastive, "
    "online_contrastive, nt_xent, batch_hard_triplet, batch_hard_soft_margin_triplet, batch_semi_hard_triplet, "
    "batch_all_triplet, cross_entropy, distillation, spread_out, flops"
)
WRONG = {
    "another data set": (
        PAIRS + '[[objective]]\ndata = "pair"\nloss = "info_nce"\n',
        "objective 'dense': there is no data 'pair'; did you mean 'pairs'?; there are pairs",
    ),
    "no data of two": (
        PAIRS + PAIRS.replace('name = "pairs"', 'name = "more"') + '[[objective]]\nloss = "info_nce"\n',
        "objective 'dense': data is missing; it names one of pairs, more",
    ),
    "two heads, none named": (
        PAIRS + head("lexical") + head("lexical", name="more") + on("flops"),
        "objective 'dense': flops takes sparse, and the head 'dense' gives vector",
    ),
    "one of two sets without a name": (
        PAIRS + '[[data]]\npath = "pairs.jsonl"\n' + on(),
        "[[data]] 2: name is missing",
    ),
    "another head": (
        PAIRS + head("lexical", name="lexical") + on(more='head = "lexicle"\n'),
        "objective 'lexicle': there is no head 'lexicle'; did you mean 'lexical'?; there are dense, lexical",
    ),
    "another head, named": (
        PAIRS + on(more='name = "ranking"\nhead = "densee"\n'),
        "objective 'ranking': there is no head 'densee'; did you mean 'dense'?; there are dense",
    ),
    "another loss": (
        PAIRS + on("info_nec"),
        f"objective 'dense': loss 'info_nec' is not known; did you mean 'info_nce'?; known: {LOSSES}",
    ),
    "a set that nothing trains on": (
        PAIRS + '[[data]]\nname = "more"\npath = "pairs.jsonl"\n' + on(),
        "data 'more': no objective trains on it; add one, or leave it out",
    ),
    "scores of pairs": (
        PAIRS + on("cosent"),
        "columns 'anchor', 'positive' lack 'score'; taken are (sentence1, sentence2, score) or "
        "(sentence1, sentence2, label). Such rows train with info_nce, triplet or mega_batch_margin (pairs), "
        "distillation (texts)",
    ),
    "no negatives": (
        PAIRS + on("triplet"),
        "pairs.jsonl, row 1 has no negative, and the triplet loss needs one in every row",
    ),
    "no candidates": (
        PAIRS + on("kl"),
        "taken are (anchor, positive, negative or negative_1 .. negative_n or negatives, positive_score, "
        "negative_score)",
    ),
    "ratings of pairs": (PAIRS + head("regression") + on("mse", 'head = "other"\n'), "taken are (text, score)"),
    "scores as vectors": (
        PAIRS + head("regression") + on(more='head = "other"\n'),
        "objective 'other': info_nce takes vector or code or sparse or tokens, and the head 'other' gives scores",
    ),
    "vectors as words": (
        PAIRS + on("flops"),
        "objective 'dense': flops takes sparse, and the head 'dense' gives vector",
    ),
    "two heads for one": (
        PAIRS + head("lexical") + on(more='head = ["dense", "other"]\n'),
        "objective 'dense+other': info_nce takes one head, and found dense, other",
    ),
    "one head for three": (
        PAIRS + on("self_distillation"),
        "self_distillation takes vector, sparse, tokens, a head of each; the heads dense give ['vector']",
    ),
    "no head": (PAIRS + on(more="head = []\n"), "[[objective]] 1: head = () names no head"),
    "two objectives": (PAIRS + on() + on(), "two objectives are called 'dense'; names must differ"),
    "two sets": (PAIRS + PAIRS + on(), "two data sets are called 'pairs'; names must differ"),
    "two heads": (
        PAIRS + head("lexical") * 2 + on(more='head = "other"\n'),
        "two heads are called 'other'; names must differ",
    ),
    "two teachers": (TAUGHT + teacher("whole.npy") * 2, "two teachers are called 'large'; names must differ"),
    "below 0": (PAIRS + on(more="weight = -1\n"), "objective 'dense': weight = -1, expected 0 or more"),
    "no number": (PAIRS + on(more="weight = nan\n"), "objective 'dense': weight = nan, expected 0 or more"),
    "without end": (PAIRS + on(more="weight = inf\n"), "objective 'dense': weight = inf, expected 0 or more"),
    "all 0": (
        PAIRS + on(more="weight = 0\n") + on(more='name = "more"\nweight = 0.0\n'),
        "the weights of all objectives are 0: nothing would train",
    ),
    "a set below 0": (PAIRS + "weight = -1.0\n" + on(), "[[data]] pairs: weight = -1, expected 0 or more"),
    "sets all 0": (
        PAIRS + "weight = 0\n" + on(),
        "the weights of all data sets are 0: there would be nothing to train on",
    ),
    "another loss's key": (PAIRS + on(more="margin = 0.1\n"), "objective 'dense': margin belongs to the loss triplet"),
    "a key of none": (
        PAIRS + on(more="temprature = 0.1\n"),
        "objective 'dense': temprature is not known; did you mean 'temperature'?; known: temperature, symmetric, "
        "directions, same_anchor, hardness_strength, hardness_mode, false_negative_margin, false_negative_ratio, "
        "similarity",
    ),
    "a text as a number": (
        PAIRS + on(more='temperature = "0.1"\n'),
        "objective 'dense': temperature = '0.1', expected a number",
    ),
    "out of range": (PAIRS + on(more="temperature = 0\n"), "temperature = 0: expected more than 0"),
    "too wide": (
        PAIRS + on(more="matryoshka = [64, 8]\n"),
        "matryoshka = [64, 8], but the model's vectors have 32 features (64)",
    ),
    "tokens too wide": (
        PAIRS + head("multi_vector", "features = 16\n") + on(more='head = "other"\nmatryoshka = [32]\n'),
        "matryoshka = [32], but the head 'other' has 16 features (32)",
    ),
    "words have no width": (
        PAIRS + head("lexical") + on(more='head = "other"\nmatryoshka = [8]\n'),
        "matryoshka cuts vector and tokens, and the heads other give sparse",
    ),
    "weights of other widths": (
        PAIRS + on(more="matryoshka = [16, 8]\nmatryoshka_weights = [1.0]\n"),
        "matryoshka_weights has 1 numbers, and matryoshka 2",
    ),
    "another type": (
        PAIRS + head("lexicl") + on(),
        "[[head]] other: type 'lexicl' is not known; did you mean 'lexical'?; known: dense, fsq, regression, "
        "classification, lexical, multi_vector, splade",
    ),
    "another key of a type": (
        PAIRS + head("fsq", 'levls = "4x8"\n') + on(),
        "[[head]] other: unknown key 'levls'; did you mean 'levels'?; known: levels",
    ),
    "a type without keys": (
        PAIRS + head("lexical", "features = 3\n") + on(),
        "[[head]] other: unknown key 'features'; known: none",
    ),
    "levels": (
        PAIRS + head("fsq", 'levels = "4y8"\n') + on(),
        "[[head]] other: levels = '4y8': expected levels of 2 to 65,536, like 4x64 (64 digits of 4 levels) or 8,8,8,5",
    ),
    "one level": (
        PAIRS + head("fsq", "levels = 4\n") + on(),
        "[[head]] other: levels = 4, expected a text like 4x64, or whole numbers",
    ),
    "no width": (
        PAIRS + head("multi_vector", "features = 0\n") + on(),
        "[[head]] other: out_features = 0, expected 1 or more",
    ),
    "a dense width": (
        PAIRS + head("dense", "feature = 3\n", name="dense") + on(),
        "[[head]] dense: a dense head has features = N, 1 or more, and found {'feature': 3}",
    ),
    "the vectors' name": (
        PAIRS + head("lexical", name="dense") + on(),
        "[[head]] dense: the name 'dense' and the type dense go together, and found name = 'dense', type = 'lexical'",
    ),
    "no masked-language-model head": (
        PAIRS + head("splade", name="splade") + on(more='head = "splade"\n'),
        "[[head]] splade: the model has no masked-language-model head, which a splade head is made of",
    ),
    "a name with a dot": (PAIRS + head("lexical", name="a.b") + on(), "[[head]] a.b: a name with a dot"),
    "a head without a name": (PAIRS + '[[head]]\ntype = "lexical"\n' + on(), "[[head]] 1: name is missing"),
    "labels": (
        CLASSES + head("classification", "labels = 5\n", "kinds"),
        "[[head]] kinds: labels = 5, expected a list",
    ),
    "other labels": (
        CLASSES + head("classification", 'labels = ["a", "x"]\n', "kinds"),
        "data 'rows' has the label 'b', and the head 'kinds' knows a, x",
    ),
    "labels of nothing": (
        PAIRS + head("classification") + on(),
        "[[head]] other: labels are missing; give them, or an objective on it whose data has them",
    ),
    "labels beside another fault": (
        CLASSES.replace("labelled.jsonl", "none.jsonl") + "weight = -1\n" + head("classification", name="kinds"),
        "objective 'kinds': weight = -1, expected 0 or more",
    ),
    "labels in two orders": (
        CLASSES
        + '[[objective]]\ndata = "rows"\nhead = "more"\nloss = "cross_entropy"\n'
        + head("classification", name="kinds")
        + head("classification", 'labels = ["b", "a"]\n', "more"),
        "data 'rows' trains the heads 'kinds' and 'more', whose labels or their order differ",
    ),
    "fewer rows": (
        TAUGHT + teacher("short.npy"),
        "short.npy is not of the texts of data 'texts': it has 7 rows, and there are 8 texts",
    ),
    "fewer features": (
        TAUGHT + teacher("narrow.npy"),
        "narrow.npy has vectors of 31 features, and the model's vectors have 32",
    ),
    "features of a code": (
        TAUGHT + 'head = "codes"\n' + head("fsq", 'levels = "4x8"\n', "codes") + teacher("whole.npy"),
        "whole.npy has vectors of 32 features, and what the head 'codes' gives has 8",
    ),
    "another order": (
        TAUGHT + teacher("turned.npy"),
        "turned.npy is not of the texts of data 'texts': it has the same texts in another order, from row 0 on (from",
    ),
    "another text": (
        TAUGHT + teacher("other.npy"),
        "other.npy is not of the texts of data 'texts': row 7 (from 0) is not of the text 'open 7'",
    ),
    "texts of fewer": (
        TAUGHT + teacher("short.npy", 'texts = "short.jsonl"\n'),
        "short.jsonl lacks 1 of the 8 texts of data 'texts', like 'open 0'",
    ),
    "texts of another number": (
        TAUGHT + teacher("whole.npy", 'texts = "short.jsonl"\n'),
        "whole.npy has 8 rows, and short.jsonl 7 texts",
    ),
    "texts of two": (
        TAUGHT + teacher("whole.npy", 'texts = "pairs.jsonl"\n'),
        'pairs.jsonl has two texts a row (anchor and positive); say which: columns = "text=..."',
    ),
    "texts of another key": (
        TAUGHT + teacher("turned.npy", 'texts = "texts.jsonl"\n'),
        "turned.npy is not of the texts of texts.jsonl: it has the same texts in another order",
    ),
    "texts of two roles without a key": (
        BOTH + teacher("whole.npy"),
        "whole.npy has no key, and would be taken for anchor of data 'pairs' and positive of data 'pairs'",
    ),
    "a teacher that isn't there": (TAUGHT + teacher("none.npy"), "teacher 'large': there is no file none.npy"),
    "a teacher of text": (TAUGHT + teacher("text.npy"), "teacher 'large': text.npy is no .npy file of numbers"),
    "a teacher of objects": (TAUGHT + teacher("objects.npy"), "teacher 'large': objects.npy is no .npy file of number"),
    "a teacher of one row": (TAUGHT + teacher("flat.npy"), "flat.npy holds no vectors [texts, features] of floats"),
    "a teacher of numbers": (
        TAUGHT + teacher("numbers.npy"),
        "numbers.npy holds no vectors [texts, features] of float",
    ),
    "a teacher of NaN": (
        TAUGHT + teacher("nan.npy"),
        "teacher 'large': row 3 of nan.npy (from 0) has a number that is not finite",
    ),
    "a teacher without a path": (TAUGHT + teacher(""), "[[teacher]] large: path is missing"),
    "a teacher for nothing": (
        PAIRS + on() + teacher("whole.npy"),
        "teacher 'large': no objective takes its vectors; add one with the loss distillation, or leave it out",
    ),
    "a teacher that none names": (
        TAUGHT + 'teacher = "large"\n' + teacher("whole.npy") + teacher("whole.npy").replace("large", "small"),
        "teacher 'small': no objective takes its vectors; add one with the loss distillation, or leave it out",
    ),
    "no teacher": (
        TAUGHT,
        "objective 'dense': distillation takes teachers' vectors, and the recipe has no [[teacher]] with a name and a",
    ),
    "another teacher": (
        TAUGHT + 'teacher = ["large", "smal"]\n' + teacher("whole.npy"),
        "objective 'dense': there is no teacher 'smal'; there are large",
    ),
    "another teacher, nearly": (
        TAUGHT + 'teacher = "lage"\n' + teacher("whole.npy"),
        "objective 'dense': there is no teacher 'lage'; did you mean 'large'?; there are large",
    ),
    "a teacher of other data": (
        PAIRS + on() + TAUGHT + 'name = "b"\nteacher = "large"\n' + teacher("whole.npy", 'data = "pairs"\n'),
        "objective 'b': the teacher 'large' is of data 'pairs', and the objective trains on 'texts'",
    ),
    "no teacher for the data": (
        PAIRS + on() + TAUGHT + 'name = "b"\n' + teacher("whole.npy", 'data = "pairs"\n'),
        "objective 'b': distillation takes teachers' vectors, and the recipe has no [[teacher]] for data 'texts'",
    ),
    "a teacher of no data": (
        TAUGHT + teacher("whole.npy", 'data = "text"\n'),
        "teacher 'large': there is no data 'text'; did you mean 'texts'?; there are texts",
    ),
    "a teacher for another loss": (
        PAIRS + on(more='teacher = "large"\n'),
        "objective 'dense': teacher = \"large\" belongs to the loss distillation",
    ),
    "texts for another loss": (
        PAIRS + on(more='texts = "anchor"\n'),
        "objective 'dense': texts = 'anchor' belongs to losses on single texts, and info_nce takes anchor, positive, "
        "negative",
    ),
    "texts of no role": (
        TAUGHT + 'texts = "anchr"\n' + teacher("whole.npy"),
        "texts = 'anchr'; did you mean 'anchor'?; expected one of text, anchor, positive, sentence1, sentence2",
    ),
    "texts beside pairs": (
        PAIRS + on() + on("distillation", 'name = "taught"\n') + teacher("whole.npy"),
        "objective 'taught' takes single texts, and the rows of data 'pairs' have anchor, positive for another loss; "
        'say which of them it takes (texts = "anchor" or "positive"), or give it a data set of its own',
    ),
    "the short form beside": (
        'loss = "triplet"\nfsq = "4x8"\ncolumns = "anchor=a"\n' + PAIRS + head("lexical") + on(),
        "loss is the short form of what the tables [[objective]] say; put it there",
    ),
    "a key of a set": (PAIRS + "pth = 3\n" + on(), "[[data]] pairs: unknown key 'pth'; did you mean 'path'?"),
    "a type of a set": (PAIRS + 'weight = "a"\n' + on(), "[[data]] pairs: weight = 'a', expected a number"),
    "a prompt for none": (
        PAIRS + 'prompts = { anchr = "query: " }\n' + on(),
        "[[data]] pairs: prompts have 'anchr'; did you mean 'anchor'?; expected anchor, positive",
    ),
    "a prompt of no text": (PAIRS + "prompts = { anchor = 3 }\n" + on(), "prompts.anchor = 3, expected a text"),
    "a prompt for other rows": (
        PAIRS + 'prompts = { text = "q: " }\n' + on(),
        "[[data]] pairs: prompts have 'text', and its rows have anchor, positive",
    ),
    "a set without a path": ('[[data]]\nname = "pairs"\n' + on(), "[[data]] pairs: path is missing"),
    "no table": ("head = 3\n", "head: expected tables, each under a line [[head]]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_is_said_and_nothing_is_written(work: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    tables, said = WRONG[name]
    assert said in refused(work, monkeypatch, tables)


def test_all_faults_of_a_kind_come_at_once(work: Path, monkeypatch: pytest.MonkeyPatch):
    found = refused(work, monkeypatch, PAIRS + on("info_nec") + on(more='name = "b"\nweight = -2\nmargin = 1.0\n'))
    assert found.count("\n  - ") == 3
    found = refused(work, monkeypatch, 'fsq = "4x8"\nno_header = true\n' + PAIRS + head("lexical") + on())
    assert re.findall(r"- (\w+) is the short form of what the tables (\S+) say", found) == [
        ("no_header", "[[data]]"),
        ("fsq", "[[head]]"),
    ]
    # Of what a wrong head would give nothing is said.
    mixed = PAIRS + head("lexicl") + head("lexical", name="words") + head("dense", 'features = "64"\n', "dense")
    mixed += on("info_nec") + on(more='name = "wide"\nmatryoshka = [64]\n') + on(more='name = "a"\nhead = "other"\n')
    mixed += on("triplet", 'head = "lost"\nmargin = "1"\n') + on("distillation", 'head = "words"\n')
    found = refused(work, monkeypatch, mixed)
    assert [line[:41] for line in found.split("\n  - ")[1:]] == [
        "[[head]] dense: a dense head has features",
        "[[head]] other: type 'lexicl' is not know",
        "objective 'lost': there is no head 'lost'",
        "objective 'dense': loss 'info_nec' is not",
        "objective 'lost': margin = '1', expected ",
        "objective 'words': distillation takes vec",
        "objective 'words': distillation takes tea",
    ]
    both = TAUGHT + teacher("nan.npy") + teacher("none.npy").replace("large", "small")
    assert refused(work, monkeypatch, both).count("\n  - ") == 2
