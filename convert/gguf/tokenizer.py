"""The tokenizer of a GGUF file as tokenizer.json and tokenizer_config.json, which transformers and mlx-lm load."""

import json
from pathlib import Path

import numpy as np

from mlx_metaembed.convert.gguf.metadata import Metadata
from mlx_metaembed.convert.gguf.words import CONTROL, MODELS, NORMAL, SPACE, UNKNOWN, USER_DEFINED, Made, Words
from mlx_metaembed.errors import nearest
from mlx_metaembed.files.disk import write_json
from mlx_metaembed.inputs import tokenizer_files

ROLES = {
    "bos": "bos_token_id",
    "eos": "eos_token_id",
    "unk": "unknown_token_id",
    "sep": "seperator_token_id",
    "pad": "padding_token_id",
    "cls": "cls_token_id",
    "mask": "mask_token_id",
}
"""The special tokens of transformers, and llama.cpp's keys for their numbers, misspelled as there."""
TURN = "tokenizer.ggml.eot_token_id"
"""The token that ends a turn of a conversation, where it is not the one that ends a text."""


def words(said: Metadata, rows: int) -> Words:
    """What the metadata says of the words of a model with so many rows of embeddings.

    Raises CallError where the lists are missing, contradict each other or have more words than there are rows.
    """
    texts = said.texts("tokenizer.ggml.tokens")
    kinds = np.full(len(texts), NORMAL)
    if "tokenizer.ggml.token_type" in said:
        kinds = said.numbers("tokenizer.ggml.token_type", len(texts))
    roles = {}
    for role, key in ROLES.items():
        if f"tokenizer.ggml.{key}" in said:
            roles[role] = said.whole(f"tokenizer.ggml.{key}", least=0, most=max(len(texts) - 1, 0))
    if len(texts) > rows:
        said.wrong(f"tokenizer.ggml.tokens: {len(texts):,} words, but token_embd.weight has {rows:,} rows")
    seen: dict[str, int] = {}
    for at, text in enumerate(texts):
        if seen.setdefault(text, at) != at:
            said.wrong(f"tokenizer.ggml.tokens: {text!r:.60} is word {seen[text]} and word {at}")
    said.require()
    return Words(said, texts, kinds, roles)


def write(found: Words, out: Path, *, longest: int) -> None:
    """Write the tokenizer's files into a folder; texts have at most `longest` tokens.

    Raises CallError for a kind of tokenizer that is not known, or where nothing can be made of the words.
    """
    said = found.said
    kind = said.text("tokenizer.ggml.model")
    said.require()
    if kind not in MODELS:
        raise said.error(
            f"tokenizer.ggml.model = {kind!r:.40} is not known{nearest(kind, MODELS)}; {', '.join(MODELS)}"
        )
    made = MODELS[kind](found)
    before, after = _around(found, kind, made)
    said.require()
    content = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": _added(found, kind)}
    content |= {"post_processor": _template(found, before, after)} | made.sections
    with tokenizer_files.guarded(f"The tokenizer of {said.where} can't be used"):
        from tokenizers import Tokenizer

        Tokenizer.from_str(json.dumps(content)).encode("a text")
    write_json(out / "tokenizer.json", content)
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": longest}
    settings |= {"clean_up_tokenization_spaces": False}
    settings |= {f"{role}_token": found.role(role) for role in ROLES if role in found.roles}
    if template := said.text("tokenizer.chat_template", ""):
        settings["chat_template"] = template
    write_json(out / "tokenizer_config.json", settings)


def ends(found: Words) -> list[int]:
    """The numbers of the tokens that end what a model writes."""
    turn = found.said.whole(TURN, -1, least=-1, most=len(found.texts) - 1)
    return list(dict.fromkeys(at for at in (found.roles.get("eos", -1), turn) if at >= 0))


def _added(found: Words, kind: str) -> list[dict]:
    """Tokens that are never cut: control tokens as special ones, a user's as plain ones."""
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    special = {CONTROL, UNKNOWN}
    listed = []
    for at, text in enumerate(found.texts):
        own = found.kinds[at]
        # Runs of spaces are merged like other pieces.
        if own in special or (own == USER_DEFINED and not (kind == "llama" and not text.strip(f" {SPACE}"))):
            listed.append({"id": at, "content": text} | plain | {"special": own in special})
    return listed


def _around(found: Words, kind: str, made: Made) -> tuple[str | None, str | None]:
    """The roles of the tokens before and after every text."""
    first, last = ("cls", "sep") if kind == "bert" else ("bos", "eos")
    before = first if found.said.flag("tokenizer.ggml.add_bos_token", made.begins) else None
    after = last if found.said.flag("tokenizer.ggml.add_eos_token", made.ends) else None
    for role in (before, after):
        if role and role not in found.roles:
            fallback = {"cls": "bos", "sep": "eos"}.get(role)
            if fallback in found.roles:
                found.roles[role] = found.roles[fallback]
            else:
                found.said.wrong(f"tokenizer.ggml.{ROLES[role]}: missing, though texts get that token")
    return before, after


def _template(found: Words, before: str | None, after: str | None) -> dict | None:
    if before is None and after is None:
        return None
    special = {role: found.role(role) for role in (before, after) if role and role in found.roles}

    def part(role: str | None, kind: int) -> list[dict]:
        return [{"SpecialToken": {"id": special[role], "type_id": kind}}] if role in special else []

    def text(name: str, kind: int) -> list[dict]:
        return [{"Sequence": {"id": name, "type_id": kind}}]

    single = [*part(before, 0), *text("A", 0), *part(after, 0)]
    # BERT has one token between two texts, the others begin anew.
    again = [] if before == "cls" else part(before, 1)
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, *again, *text("B", 1), *part(after, 1)],
        "special_tokens": {
            token: {"id": token, "ids": [found.roles[role]], "tokens": [token]} for role, token in special.items()
        },
    }
