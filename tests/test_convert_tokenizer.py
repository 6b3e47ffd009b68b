"""What tokenizer_config.json says is added around a text, tokenizer.json adds alone, as the authors' tokenizer does."""

import json
import shutil
from itertools import product
from pathlib import Path

import pytest
from test_cli import refused, run
from test_encoders import GOLDEN
from tiny import TEXTS, tokenizer
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from mlx_metaembed import disk, locate
from mlx_metaembed import folder as folders
from mlx_metaembed.convert import convert
from mlx_metaembed.export.sentence_transformers import export
from mlx_metaembed.tokens import Tokenizer as Reader

SPECIALS = ("<pad>", "</s>", "<unk>", "<s>")
NAMED = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
FLAGS = [
    {key: value for key, value in (("add_bos_token", bos), ("add_eos_token", eos)) if value is not None}
    for bos, eos in product((None, False, True), repeat=2)
]


def source(path: Path, config: dict, made: Tokenizer) -> Path:
    """The golden Mistral with another tokenizer."""
    shutil.copytree(GOLDEN / "mistral", path)
    made.save(str(path / "tokenizer.json"))
    disk.write_json(path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"} | NAMED | config)
    return path


def byte_level(template: str) -> Tokenizer:
    """A tokenizer as Qwen's: bytes, and a post-processor that only moves offsets, or a template after it."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({token: at for at, token in enumerate([*SPECIALS, *letters[:116]])}, merges=[]))
    made.add_special_tokens(list(SPECIALS))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    steps = [processors.ByteLevel(trim_offsets=False)]
    if template != "$A":
        around = [(token, SPECIALS.index(token)) for token in template.split() if token in SPECIALS]
        steps.append(processors.TemplateProcessing(single=template, special_tokens=around))
    made.post_processor = processors.Sequence(steps) if len(steps) > 1 else steps[0]
    return made


def words(template: str) -> Tokenizer:
    made = tokenizer(SPECIALS, template)
    if template == "$A":
        made.post_processor = None
    return made


@pytest.mark.parametrize("flags", FLAGS, ids=json.dumps)
@pytest.mark.parametrize("template", ["$A", "$A </s>", "<s> $A", "<s> $A </s>"])
@pytest.mark.parametrize("kind", [words, byte_level])
def test_the_file_alone_adds_what_is_declared(tmp_path: Path, kind, template: str, flags: dict):
    given = source(tmp_path / "source", flags, kind(template))
    heard: list[str] = []
    out = tmp_path / "out"
    convert(given, out, note=heard.append)
    before, after = (Tokenizer.from_file(str(path / "tokenizer.json")) for path in (given, out))
    bos, eos = (
        bool(flags.get(f"add_{which}_token")) or token in template for which, token in (("bos", "<s>"), ("eos", "</s>"))
    )
    for text in [*TEXTS, ""]:
        plain = before.encode(text, add_special_tokens=False).ids
        assert after.encode(text).ids == [3] * bos + plain + [1] * eos
        assert after.encode(text, add_special_tokens=False).ids == plain
    assert after.num_special_tokens_to_add(False) == bos + eos
    added = [token for token, wanted in (("<s>", bos), ("</s>", eos)) if wanted and token not in template]
    assert heard == ([f"tokenizer.json now adds {' and '.join(added)}, as tokenizer_config.json says"] if added else [])
    if not added:
        assert (out / "tokenizer.json").read_bytes() == (given / "tokenizer.json").read_bytes()
    long = Reader(folders.read(out), 6)([" ".join(TEXTS)])[0]
    assert len(long) == 6 and (long[0] == 3, long[-1] == 1) == (bos, eos)


@pytest.mark.parametrize("flags", [flags for flags in FLAGS if True in flags.values()], ids=json.dumps)
@pytest.mark.parametrize("kind", [words, byte_level])
def test_the_ids_are_those_of_transformers(tmp_path: Path, kind, flags: dict):
    from transformers import AutoTokenizer

    given = source(tmp_path / "source", flags, kind("$A"))
    out = tmp_path / "out"
    run("convert", given, out)
    found = Tokenizer.from_file(str(out / "tokenizer.json"))
    # Where a tokenizer.json stands there, transformers 5 heeds these words only when it is called with them.
    theirs = AutoTokenizer.from_pretrained(str(given), local_files_only=True, **flags)
    again = AutoTokenizer.from_pretrained(str(out), local_files_only=True)
    for text in [*TEXTS, ""]:
        assert found.encode(text).ids == theirs(text)["input_ids"] == again(text)["input_ids"]


def test_a_token_may_be_named_in_either_file_and_form(tmp_path: Path):
    given = source(tmp_path / "source", {"add_eos_token": True, "eos_token": None}, words("$A"))
    disk.write_json(given / "special_tokens_map.json", {"eos_token": {"content": "</s>", "lstrip": False}})
    run("convert", given, tmp_path / "out")
    assert Tokenizer.from_file(str(tmp_path / "out/tokenizer.json")).encode("open").ids[-1] == 1


@pytest.mark.parametrize("name", ["<nothing>", None])
def test_a_token_without_an_id_is_named(tmp_path: Path, name: str | None):
    given = source(tmp_path / "source", {"add_eos_token": True, "eos_token": name}, words("$A"))
    message = refused("convert", given, tmp_path / "out")
    assert f"says add_eos_token, but its eos_token is {name!r}, which is no token of tokenizer.json" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_post_processor_that_can_not_be_extended_is_named(tmp_path: Path):
    made = words("$A")
    made.post_processor = processors.BertProcessing(("<unk>", 2), ("<pad>", 0))
    message = refused("convert", source(tmp_path / "source", {"add_eos_token": True}, made), tmp_path / "out")
    assert "says add_eos_token, which the post-processor of tokenizer.json (BertProcessing) does not do" in message


def test_one_token_for_both_ends(tmp_path: Path):
    flags = {"add_bos_token": True, "add_eos_token": True, "bos_token": "</s>"}
    run("convert", source(tmp_path / "source", flags, words("$A </s>")), tmp_path / "out")
    assert Tokenizer.from_file(str(tmp_path / "out/tokenizer.json")).encode("open a").ids[::3] == [1, 1]


def test_a_model_on_its_way_out_keeps_the_tokens_it_was_trained_with(tmp_path: Path):
    given = source(tmp_path / "source", {"add_eos_token": True}, words("$A"))
    export(folders.read(locate.resolve(given)), tmp_path / "out")
    assert (tmp_path / "out/tokenizer.json").read_bytes() == (given / "tokenizer.json").read_bytes()
