"""A tokenizer's special tokens: the one of a role, and all that are special to transformers.

sentence-transformers counts a prompt's tokens without the last one where that one is special.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from mlx_metaembed.files import disk

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
USUAL = {
    "cls": ("<s>", "[CLS]"),
    "eos": ("</s>",),
    "pad": ("<pad>", "[PAD]"),
    "unk": ("<unk>", "[UNK]"),
    "mask": ("<mask>", "[MASK]"),
}
"""The usual spellings of special tokens, for folders that do not say theirs."""


def named(folder: Path, role: str) -> Iterator[str]:
    """A special token (`mask`, `cls`, ...) as the tokenizer's files name it, the file that counts first."""
    for name in reversed(FILES):
        found = _text(disk.optional_json(folder / name).get(f"{role}_token"))
        if found is not None:
            yield found


def special_token(folder: Path, role: str, known: Callable[[str], int | None]) -> str | None:
    """A special token as the tokenizer's files name it; else its usual spelling, if it is `known`.

    None where there is none.
    """
    for found in named(folder, role):
        return found
    return next((token for token in USUAL[role] if known(token) is not None), None)


def special_ids(folder: Path, known: Callable[[str], int | None]) -> set[int]:
    """The ids of the special tokens; `known` gives a token's id, or None."""
    said: dict[str, object] = {}
    for name in FILES:
        said |= disk.optional_json(folder / name)
    tokens = {_text(value) for key, value in said.items() if key.endswith("_token")}
    for key in LISTS:
        found = said.get(key)
        tokens |= {_text(value) for value in (found.values() if isinstance(found, dict) else found or ())}
    padding = disk.optional_json(folder / "tokenizer.json").get("padding")
    if isinstance(padding, dict) and "pad_token" not in said:
        tokens.add(_text(padding.get("pad_token")))
    if said.get("tokenizer_class") not in PLAIN:
        # A name that is there, be it null, takes the place of the class's own.
        roles = {key.removesuffix("_token").upper() for key in said if key.endswith("_token")}
        tokens |= {token for token in OWN if token.strip("[]<>|").upper() not in roles}
    return {id for token in tokens if token is not None and (id := known(token)) is not None}


def _text(value: object) -> str | None:
    """A token as its text, where it is an object or a text."""
    found = value.get("content") if isinstance(value, dict) else value
    return found if isinstance(found, str) else None
