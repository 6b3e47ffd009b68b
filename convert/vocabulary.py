"""The tokenizer's files, copied, and a `tokenizer.json` that alone says what transformers makes of all of them.

It is made where a checkpoint has only older files, or where its files say what the kit does not follow by itself.
"""

import errno
import json
import os
import re
import tempfile
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.errors import CallError
from mlx_metaembed.files.disk import MOST_TOKENIZER_BYTES, optional_json, require_file, write_json
from mlx_metaembed.inputs import tokenizer_files
from mlx_metaembed.inputs.tokenizer_files import ADDED, CONFIG, SPECIAL, TOKENIZER, NotFollowedError, Read

OLDER = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")

DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Errors of the disk, not of the tokenizer."""


def bring(source: Path, out: Path, model: dict, note: Note, *, max_seq_length: int) -> Read:
    """Write the tokenizer's files of `source` into `out`, and give what they say of a model whose config.json is
    `model`.

    Raises CallError where there is no tokenizer, or none that tokenizer.json can say.
    """
    made = not (source / TOKENIZER).is_file()
    if made and not any((source / name).is_file() for name in OLDER):
        raise CallError(f"{source} has no tokenizer; expected tokenizer.json, or one of {', '.join(OLDER)}")
    if not made:
        require_file(source / "tokenizer.json", MOST_TOKENIZER_BYTES)
    folders.copy_tokenizer(source, out)
    if made:
        _make(source, out)
        note("Made tokenizer.json from the older files of the tokenizer")
    try:
        # What was copied is read where it lies, since an error names the folder.
        read = tokenizer_files.read(out if made else source, model)
    except NotFollowedError as error:
        read = _through_transformers(source, out, model, error)
        note("Made tokenizer.json with transformers, as the tokenizer's files say together")
    if not made and (silent := [key for key in ("add_bos_token", "add_eos_token") if _said(source).get(key) is True]):
        note(
            f"tokenizer_config.json says {' and '.join(silent)}, which transformers 5 does not heed where there is a "
            "tokenizer.json; what that adds is added"
        )
    if read.unknown:
        note(f"tokenizer_config.json says what no tokenizer applies: {', '.join(read.unknown)}")
    if text := _alone(out / TOKENIZER, read, max_seq_length):
        (out / TOKENIZER).write_text(text, encoding="utf-8")
        note("tokenizer.json now says what the tokenizer's other files change in it")
    return read


def _alone(path: Path, read: Read, max_seq_length: int) -> str | None:
    """The text of a tokenizer.json that needs no other file; None where the one at `path` is so."""
    from tokenizers import Tokenizer

    content = json.loads(read.fast.to_str())
    with tokenizer_files.guarded(f"{path} is no tokenizer file"):
        before = json.loads(Tokenizer.from_file(str(path)).to_str())
    side = tokenizer_files.direction(before)
    content |= {key: before[key] for key in ("truncation", "padding")}
    if side != read.truncation_side:
        cut = {"direction": read.truncation_side.capitalize(), "strategy": "LongestFirst", "stride": 0}
        content["truncation"] = cut | {"max_length": max_seq_length}
    return None if _ids(content) == _ids(before) else json.dumps(content, ensure_ascii=False, indent=2)


def _ids(content: dict) -> dict:
    """What a tokenizer.json says of the ids of single texts."""
    processor = content["post_processor"] or {}
    single = {key: value for key, value in processor.items() if key not in ("pair", "trim_offsets", "add_prefix_space")}
    return content | {"decoder": None, "post_processor": single}


def _said(folder: Path) -> dict:
    return optional_json(folder / CONFIG)


def _through_transformers(source: Path, out: Path, model: dict, error: CallError) -> Read:
    """What transformers makes of the files, as files that are taken as they stand."""
    for name in (TOKENIZER, CONFIG, SPECIAL, ADDED):
        (out / name).unlink(missing_ok=True)
    try:
        _make(source, out)
    except CallError as other:
        raise CallError(f"{error}\ntransformers does not make one either: {other}") from None
    write_json(out / CONFIG, _said(out) | {"tokenizer_class": "PreTrainedTokenizerFast"})
    return tokenizer_files.read(out, model)


def _make(source: Path, out: Path) -> None:
    """Write tokenizer.json, and tokenizer_config.json where there is none, as transformers saves them."""
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
        if not tokenizer.is_fast:
            raise ValueError(f"a {type(tokenizer).__name__} works in Python, which no tokenizer.json can say")
        with tempfile.TemporaryDirectory() as scratch:
            tokenizer.save_pretrained(scratch)
            for name in (TOKENIZER, CONFIG):
                if not (out / name).is_file():
                    (out / name).write_bytes((Path(scratch) / name).read_bytes())
    # transformers raises what it likes for a file that it cannot read, and tokenizers panics.
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        if _number(error) in DISK:
            raise OSError(_number(error), os.strerror(_number(error)), tempfile.gettempdir()) from None
        older = "" if (source / TOKENIZER).is_file() else "has no tokenizer.json, and its older files give none"
        raise CallError(f"{source} {older or 'gives no tokenizer.json'}: {error}") from None


def _number(error: BaseException) -> int | None:
    """The system's number of an error; of one from Rust it stands in the text."""
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else getattr(error, "errno", None)
