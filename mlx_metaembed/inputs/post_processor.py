"""What a tokenizer puts around a text, checked before a text is encoded."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mlx_metaembed.errors import CallError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def require_text_once(path: Path, fast: "Tokenizer") -> None:
    """Raise CallError where a template of tokenizer.json has the text more than once.

    Each place multiplies the parts that a long text is cut into: thirty do not end.
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
