"""The tokenizer's files, copied; `tokenizer.json` is made where a checkpoint has only the older ones.

It is also made to add what tokenizer_config.json alone says is added (`add_eos_token`): the kit reads tokenizer.json
alone, and so does transformers 5.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_metaembed import folder as folders
from mlx_metaembed import post_processor
from mlx_metaembed.disk import MOST_TOKENIZER_BYTES, read_json, require_file
from mlx_metaembed.errors import CallError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

OLDER = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")


def bring(source: Path, out: Path) -> bool:
    """Copy the tokenizer's files; whether `tokenizer.json` had to be made.

    Raises CallError where there is no tokenizer, or the older files give none.
    """
    made = not (source / "tokenizer.json").is_file()
    if made and not any((source / name).is_file() for name in OLDER):
        raise CallError(f"{source} has no tokenizer; expected tokenizer.json, or one of {', '.join(OLDER)}")
    if not made:
        require_file(source / "tokenizer.json", MOST_TOKENIZER_BYTES)
    folders.copy_tokenizer(source, out)
    if made:
        _make(source, out)
    return made


def add_declared(out: Path) -> list[str]:
    """The tokens that tokenizer_config.json says are added around a text, and tokenizer.json had to be made to add.

    What tokenizer.json adds already stays, said or not. Raises CallError where the token has no name or no id.
    """
    config = _dict(out / "tokenizer_config.json")
    declared = [which for which in ("bos", "eos") if config.get(f"add_{which}_token") is True]
    if not declared:
        return []
    path = out / "tokenizer.json"
    fast = _fast(path)
    named = {which: _name(which, out, config) for which in declared}
    ids = {which: fast.token_to_id(name or "") for which, name in named.items()}
    if lacking := [which for which, number in ids.items() if number is None]:
        raise CallError(
            f"tokenizer_config.json says add_{lacking[0]}_token, but its {lacking[0]}_token is {named[lacking[0]]!r}, "
            "which is no token of tokenizer.json"
        )
    around = dict(zip(("bos", "eos"), _around(fast), strict=True))
    missing = [which for which in declared if ids[which] not in around[which]]
    if not missing:
        return []
    content = read_json(path)
    new = _with(content.get("post_processor"), {which: (named[which], ids[which]) for which in missing})
    if new is None:
        said = " and ".join(f"add_{which}_token" for which in missing)
        raise CallError(
            f"tokenizer_config.json says {said}, which the post-processor of tokenizer.json "
            f"({content['post_processor']['type']}) does not do and can't be made to do"
        )
    path.write_text(json.dumps(content | {"post_processor": new}, ensure_ascii=False, indent=2), encoding="utf-8")
    return [named[which] for which in missing]


def largest_id(path: Path) -> int:
    """The largest id that a `tokenizer.json` gives. Raises CallError where it is no tokenizer."""
    return max(_fast(path).get_vocab(with_added_tokens=True).values(), default=-1)


def _fast(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        fast = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise CallError(f"{path} is no tokenizer file: {error}") from None
    post_processor.require_text_once(path, fast)
    return fast


def _with(processor: dict | None, added: dict[str, tuple[str, int]]) -> dict | None:
    """A post-processor that adds tokens (text and id, by `bos` or `eos`) outside of what it adds; None: it can't be.

    Of two templates in a row the second does not see the first's tokens, so that one template is extended.
    """
    if processor is None or processor["type"] == "ByteLevel":
        first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
        plain = {"type": "TemplateProcessing", "single": [first], "pair": [first, second], "special_tokens": {}}
        template = _with(plain, added)
        return {"type": "Sequence", "processors": [processor, template]} if processor else template
    if processor["type"] == "Sequence":
        *earlier, last = processor["processors"]
        last = _with(last, added)
        if last is None:
            return None
        return processor | {"processors": [*earlier, *(last["processors"] if last["type"] == "Sequence" else [last])]}
    if processor["type"] != "TemplateProcessing":
        return None
    pieces = {which: [{"SpecialToken": {"id": name, "type_id": 0}}] for which, (name, _) in added.items()}
    new = {key: [*pieces.get("bos", []), *processor[key], *pieces.get("eos", [])] for key in ("single", "pair")}
    known = {name: {"id": name, "ids": [number], "tokens": [name]} for name, number in added.values()}
    return processor | new | {"special_tokens": processor["special_tokens"] | known}


def _around(fast: "Tokenizer") -> tuple[list[int], list[int]]:
    """The ids that a tokenizer adds before and after a text."""
    text = "a b 1"
    whole, plain = fast.encode(text).ids, fast.encode(text, add_special_tokens=False).ids
    first = next(at for at in range(len(whole) + 1) if whole[at : at + len(plain)] == plain)
    return whole[:first], whole[first + len(plain) :]


def _name(which: str, out: Path, config: dict) -> str | None:
    """The `bos` or `eos` token's text, from either file that names it, in either form."""
    key = f"{which}_token"
    found = config.get(key) or _dict(out / "special_tokens_map.json").get(key)
    found = found.get("content") if isinstance(found, dict) else found
    return found if isinstance(found, str) else None


def _dict(path: Path) -> dict:
    content = read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}


def _make(source: Path, out: Path) -> None:
    # transformers asks the hub and says so, unless it is told before its import.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers import AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
        # Where it does not know the file, transformers 5 makes a tokenizer of special tokens alone and says nothing.
        if set(tokenizer.get_vocab()) <= set(tokenizer.all_special_tokens):
            raise ValueError(f"no words were found for a {type(tokenizer).__name__}")
        with tempfile.TemporaryDirectory() as scratch:
            tokenizer.save_pretrained(scratch)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                if not (out / name).is_file():
                    shutil.copyfile(Path(scratch) / name, out / name)
    # transformers raises what it likes for a file that it cannot read.
    except Exception as error:
        raise CallError(f"{source} has no tokenizer.json, and its older files give none: {error}") from None
