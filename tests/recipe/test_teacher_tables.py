"""What is wrong with teachers and what they are named for, word for word, before anything is written."""

from pathlib import Path

import pytest
from tables import BOTH, PAIRS, TAUGHT, head, on, refused, teacher, written

WRONG = {
    "scores of pairs": (
        PAIRS + on("cosent"),
        "columns 'anchor', 'positive' lack 'score'; taken are (sentence1, sentence2, score) or "
        "(sentence1, sentence2, label). Such rows train with info_nce, gist, triplet, mega_batch_margin or "
        "kl_in_batch (pairs), distillation, similarity_distillation or relative_similarity_distillation (texts)",
    ),
    "one head for three": (
        PAIRS + on("self_distillation"),
        "self_distillation takes vector, sparse, tokens, a head of each; the heads dense give ['vector']",
    ),
    "two teachers": (TAUGHT + teacher("whole.npy") * 2, "two teachers are called 'large'; names must differ"),
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
        "teacher 'large': no objective takes its vectors; add one with the loss gist or",
    ),
    "a teacher that none names": (
        TAUGHT + 'teacher = "large"\n' + teacher("whole.npy") + teacher("whole.npy").replace("large", "small"),
        "teacher 'small': no objective takes its vectors; add one with the loss gist or",
    ),
    "no teacher": (
        TAUGHT,
        "objective 'dense': distillation takes teachers' vectors, and the recipe has no [[teacher]] with a name and a "
        'path, or a model; give one, or in the short form --teacher MODEL (teacher = "MODEL")',
    ),
    "a guide for another loss": (
        PAIRS + on(more='guide = "large"\n'),
        "objective 'dense': guide = \"large\" belongs to the loss gist",
    ),
    "a guide beside a teacher": (
        PAIRS + on("gist", 'guide = "large"\nteacher = "large"\n') + teacher("whole.npy"),
        "objective 'dense': guide = \"large\" and teacher are both given; give one",
    ),
    "no guide": (
        PAIRS + on("gist"),
        "objective 'dense': gist takes a guide's vectors, and the recipe has no [[teacher]] with a name and a path, or "
        'a model; give one, or in the short form --guide MODEL (guide = "MODEL")',
    ),
    "a guide that is no model": (
        PAIRS + on("gist", 'guide = "modl"\n'),
        "teacher 'guide': ",
    ),
    "a guide's file without texts": (
        PAIRS + on("gist", 'guide = "whole.npy"\n'),
        "whole.npy has no key, and would be taken for anchor of data 'pairs' and positive of data 'pairs', in whose "
        "order its rows can't all be; say which objective takes it (teacher = ...), or name the file of its texts "
        "(texts = ...)",
    ),
    "a guide's file of other texts": (
        PAIRS + on("gist") + teacher("whole.npy", 'texts = "texts.jsonl"\n'),
        "texts.jsonl lacks 8 of the 8 texts of data 'pairs' (positive), like '0 read'",
    ),
    "a teacher of both kinds": (
        TAUGHT + teacher("whole.npy", 'model = "model"\n'),
        "[[teacher]] large: path and model are both given; one of them says where its vectors are from",
    ),
    "a model with texts of its own": (
        TAUGHT + teacher("", 'model = "model"\ntexts = "texts.jsonl"\n').replace('path = ""\n', ""),
        "[[teacher]] large: texts belong to path; a model is given the data's own texts",
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
        "objective 'dense': teacher = \"large\" belongs to the loss gist or",
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
}


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("tables"))


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_is_said_and_nothing_is_written(work: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    tables, said = WRONG[name]
    assert said in refused(work, monkeypatch, tables)
