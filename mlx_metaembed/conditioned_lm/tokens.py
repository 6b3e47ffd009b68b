"""A base's tokenizer as a language model needs it: what begins and ends a text, how an ID is written, text and back."""

from collections.abc import Sequence

from mlx_metaembed.conditioned_lm.base import Base
from mlx_metaembed.conditioned_lm.levels import Levels
from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import disk
from mlx_metaembed.inputs import special_tokens, tokenizer_files
from mlx_metaembed.inputs.tokenizer import require_texts
from mlx_metaembed.semantic_ids.scheme import spelled

WRITTEN, NONE = "ID {}:", "none"
"""How an ID stands before a text, and what stands for no ID."""
LIMITS = 64
"""Levels of a digit whose spellings are compared."""


class Tokens:
    """Texts as token ids of a base, and back."""

    def __init__(self, base: Base):
        """Raises CallError where the tokenizer is missing or broken, names no token that ends a text, or gives ids
        that the model has no embedding of."""
        self._base = base
        self._fast = tokenizer_files.read(base.path, base.config).fast
        self._fast.no_truncation()
        self._fast.no_padding()
        said = base.config | disk.optional_json(base.path / "generation_config.json")
        self.ends = self._ids(said.get("eos_token_id"), "eos")
        if not self.ends:
            raise CallError(
                f"{base.path} names no token that ends a text (eos_token_id in config.json, or eos_token in "
                "tokenizer_config.json); without one a text that is written has no end"
            )
        around = [id for id in self._fast.encode("").ids if id not in self.ends]
        starts = around or self._ids(base.config.get("bos_token_id"), "bos") or self.ends
        self.start = starts[0]
        rows = base.config.get("vocab_size")
        known = [*self._fast.get_vocab(with_added_tokens=False).values(), self.start, *self.ends]
        if isinstance(rows, int) and max(known) >= rows:
            raise CallError(
                f"{base.path}: its tokenizer gives ids up to {max(known)}, the model has {rows} embeddings; the "
                "tokenizer belongs to another model"
            )

    def of(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """The ids of texts, each ended where it has fewer than `most` tokens, else cut there."""
        require_texts(texts)
        with tokenizer_files.guarded(f"The tokenizer of {self._base.path} fails"):
            found = self._fast.encode_batch_fast(list(texts), add_special_tokens=False)
        return [ids.ids[:most] if len(ids.ids) >= most else [*ids.ids, self.ends[0]] for ids in found]

    def before(self, digits: Sequence[int] | None) -> list[int]:
        """What comes before a text of an ID as text, or of none: the first token, then the ID as it is written."""
        said = WRITTEN.format(NONE if digits is None else spelled(digits))
        return [self.start, *self._fast.encode(said, add_special_tokens=False).ids]

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids up to the first that ends it."""
        end = next((at for at, id in enumerate(ids) if id in self.ends), len(ids))
        return self._fast.decode(list(ids[:end])).strip()

    def require_digits(self, levels: Levels) -> None:
        """Raise CallError where IDs as text would look alike: levels without tokens of their own."""
        token = special_tokens.special_token(self._base.path, "unk", self._fast.token_to_id)
        unknown = None if token is None else self._fast.token_to_id(token)
        wrong = []
        for at, count in enumerate(levels.counts):
            seen: dict[tuple[int, ...], int] = {}
            for level in {*range(min(count, LIMITS)), count - 1}:
                digits = [0] * len(levels.counts)
                digits[at] = level
                ids = tuple(self.before(digits))
                if ids in seen:
                    wrong.append(f"{levels.spoken(at)}: {seen[ids]} and {level} give the same tokens")
                    break
                seen[ids] = level
                if unknown is not None and unknown in self._fast.encode(str(level), add_special_tokens=False).ids:
                    wrong.append(f"{levels.spoken(at)}: {level} is an unknown token")
                    break
        if wrong:
            advice = "Take --condition prefix or film, which write nothing before a text."
            raise faults(f"The tokenizer of {self._base.path} can't write IDs as text:", wrong, advice)

    def _ids(self, said: object, role: str) -> list[int]:
        """The ids that a configuration says, or the one of the tokenizer's own token of that role."""
        listed = said if isinstance(said, list) else [said]
        found = [id for id in listed if type(id) is int and id >= 0]
        for token in [] if found else special_tokens.named(self._base.path, role):
            if (id := self._fast.token_to_id(token)) is not None:
                return [id]
        return found
