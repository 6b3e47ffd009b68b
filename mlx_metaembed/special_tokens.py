"""Which of a tokenizer's tokens are special to transformers: those that its files name, and its class's own.

sentence-transformers counts a prompt's tokens without the last one where that one is special.
"""

from collections.abc import Callable
from pathlib import Path

from mlx_metaembed import disk

FILES = ("special_tokens_map.json", "tokenizer_config.json")
"""The second one counts where both name a token."""
LISTS = ("additional_special_tokens", "extra_special_tokens")
PLAIN = ("PreTrainedTokenizerFast", "TokenizersBackend")
"""Classes that have no special tokens of their own."""
OWN = (
    *("[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"),
    *("<s>", "</s>", "<unk>", "<pad>", "<mask>"),
    *("<bos>", "<eos>", "<|startoftext|>", "<|endoftext|>"),
)
"""What the other classes take where a file names none."""


def special_ids(folder: Path, known: Callable[[str], int | None]) -> set[int]:
    """The ids of the special tokens; `known` gives a token's id, or None."""
    said: dict[str, object] = {}
    for name in FILES:
        said |= disk.optional_json(folder / name)
    named = {_text(value) for key, value in said.items() if key.endswith("_token")}
    for key in LISTS:
        found = said.get(key)
        named |= {_text(value) for value in (found.values() if isinstance(found, dict) else found or ())}
    padding = disk.optional_json(folder / "tokenizer.json").get("padding")
    if isinstance(padding, dict) and "pad_token" not in said:
        named.add(_text(padding.get("pad_token")))
    if said.get("tokenizer_class") not in PLAIN:
        # A name that is there, be it null, takes the place of the class's own.
        roles = {key.removesuffix("_token").upper() for key in said if key.endswith("_token")}
        named |= {token for token in OWN if token.strip("[]<>|").upper() not in roles}
    return {id for token in named if token is not None and (id := known(token)) is not None}


def _text(value: object) -> str | None:
    """A token as its text, where it is an object or a text."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None
