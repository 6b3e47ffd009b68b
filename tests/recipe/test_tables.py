"""What is wrong with a recipe's tables, word for word, before anything is written."""

import re
from pathlib import Path

import pytest
from tables import CLASSES, PAIRS, TAUGHT, head, on, refused, teacher, written

LOSSES = (
    "info_nce, gist, triplet, mega_batch_margin, margin_mse, kl, kl_in_batch, self_distillation, cosent, angle, "
    "mse, contrastive, online_contrastive, nt_xent, batch_hard_triplet, batch_hard_soft_margin_triplet, "
    "batch_semi_hard_triplet, batch_all_triplet, cross_entropy, distillation, similarity_distillation, "
    "relative_similarity_distillation, spread_out, flops"
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
    "no head": (PAIRS + on(more="head = []\n"), "[[objective]] 1: head = () names no head"),
    "two objectives": (PAIRS + on() + on(), "two objectives are called 'dense'; names must differ"),
    "two sets": (PAIRS + PAIRS + on(), "two data sets are called 'pairs'; names must differ"),
    "two heads": (
        PAIRS + head("lexical") * 2 + on(more='head = "other"\n'),
        "two heads are called 'other'; names must differ",
    ),
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
    "another loss's key": (
        PAIRS + on(more="margin = 0.1\n"),
        "objective 'dense': margin belongs to the loss gist or triplet or",
    ),
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
        "[[head]] other: type 'lexicl' is not known; did you mean 'lexical'?; known: dense, fsq, rvq, regression, "
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
        "data 'rows' has the label 'b', and the head 'kinds' knows 'a', 'x'. Add what it lacks to its labels",
    ),
    "rows of two sets that teach nothing": (
        '[[data]]\nname = "alike"\npath = "alike.jsonl"\n[[data]]\nname = "far"\npath = "far.jsonl"\n'
        + on("cosent").replace("pairs", "alike")
        + on("mse", 'name = "b"\n').replace("pairs", "far"),
        "The rows teach nothing:\n  - Data alike: cosent: all 8 rows have the score 1; expected scores that differ: "
        "their order is learned\n  - Data far: mse: row 3 has the score 2, and 6 of 8 rows are like it; a cosine is "
        "from -1 to 1. Divide the scores by 7, or take cosent, which learns their order",
    ),
    "a weight that rises too long": (
        PAIRS + on(more="weight_warmup_ratio = 1.5\n"),
        "objective 'dense': weight_warmup_ratio = 1.5, expected a share of the steps, from 0 to 1",
    ),
    "a weight that rises some other way": (
        PAIRS + on(more='weight_schedule = "quadric"\n'),
        "objective 'dense': weight_schedule = 'quadric', expected quadratic or linear; did you mean 'quadratic'?",
    ),
    "a code that nothing trains": (
        PAIRS + on() + head("fsq", 'levels = "4x8"\n', "codes"),
        "[[head]] codes: no objective trains it, so that it would be saved as it begins; add one with head = 'codes'",
    ),
    "a width that nothing trains": (
        PAIRS + on(more='head = "words"\n') + head("lexical", "", "words") + head("dense", "features = 8\n", "dense"),
        "[[head]] dense: no objective trains it, so that it would be saved as it begins; add one with head = 'dense'",
    ),
    "labels of nothing": (
        PAIRS + head("classification") + on(),
        "[[head]] other: no objective trains it, so that it would be saved as it begins; add one with head = 'other'",
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
    "texts for another loss": (
        PAIRS + on(more='texts = "anchor"\n'),
        "objective 'dense': texts = 'anchor' belongs to losses on single texts, and info_nce takes anchor, positive, "
        "negative",
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


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("tables"))


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
