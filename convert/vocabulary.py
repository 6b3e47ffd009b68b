"""The tokenizer's files, copied; `tokenizer.json` is made where a checkpoint has only the older ones."""

import os
import shutil
import tempfile
from pathlib import Path

from mlx_metaembed import folder as folders
from mlx_metaembed.errors import CallError

OLDER = ("vocab.txt", "vocab.json", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model")


def bring(source: Path, out: Path) -> bool:
    """Copy the tokenizer's files; whether `tokenizer.json` had to be made.

    Raises CallError where there is no tokenizer, or the older files give none.
    """
    made = not (source / "tokenizer.json").is_file()
    if made and not any((source / name).is_file() for name in OLDER):
        raise CallError(f"{source} has no tokenizer; expected tokenizer.json, or one of {', '.join(OLDER)}")
    folders.copy_tokenizer(source, out)
    if made:
        _make(source, out)
    return made


def largest_id(path: Path) -> int:
    """The largest id that a `tokenizer.json` gives. Raises CallError where it is no tokenizer."""
    from tokenizers import Tokenizer

    try:
        vocabulary = Tokenizer.from_file(str(path)).get_vocab(with_added_tokens=True)
    except Exception as error:  # tokenizers raises bare Exception
        raise CallError(f"{path} is no tokenizer file: {error}") from None
    return max(vocabulary.values(), default=-1)


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
