"""What a tokenizer puts around a text, checked before a text is encoded."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_metaembed.errors import CallError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def require_text_once(path: Path, fast: "Tokenizer") -> None:
    """Raise CallError where a template of tokenizer.json has the text more than once, or a token that it lacks.

    Each place of the text multiplies the parts that a long one is cut into: thirty do not end. Of a token without its
    number the library panics.
    """
    if fast.post_processor is None:
        return
    todo = [json.loads(fast.post_processor.__getstate__())]
    for part in todo:
        todo += part.get("processors") or []
        texts = [piece for piece in part.get("single") or [] if "Sequence" in piece]
        if len(texts) > 1:
            raise CallError(
                f"{path} puts every text {len(texts)} times between its special tokens; expected once. "
                "Mend its post_processor"
            )
        known = part.get("special_tokens") or {}
        for piece in part.get("single") or []:
            name = (piece.get("SpecialToken") or {}).get("id")
            if name is not None and name not in known:
                raise CallError(
                    f"{path} puts the special token {name!r} around a text, of which its post_processor has no number; "
                    "expected it in its special_tokens"
                )
