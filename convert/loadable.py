"""What was written, as those who load it get it: every tensor finite, an engine takes the whole, a text is encoded.

So that nothing takes the name OUT which no engine loads.
"""

from pathlib import Path

import numpy as np

from mlx_metaembed import embedder as embedders
from mlx_metaembed import engine as engines
from mlx_metaembed.config import clip
from mlx_metaembed.convert.sources import Note
from mlx_metaembed.embedder import Embedder
from mlx_metaembed.errors import CallError, JobError, faults
from mlx_metaembed.folder import finite
from mlx_metaembed.heads import choices

TEXT = "a text"


def require(written: Path, source: object, *, done: str, engine: str = "auto", note: Note) -> None:
    """Load a written folder and encode a text; `source` and what is `done` to it are named in messages.

    With `engine` "auto" the engines that are installed are tried until one takes it, and `note` hears what another
    said. Raises CallError that lists every tensor with a value that is not finite, or says why no engine takes it.
    """

    def said(error: Exception) -> str:
        return str(error).replace(str(written), str(source))

    if wrong := list(finite.not_finite(sorted(written.rglob("*.safetensors")))):
        raise faults(f"The weights of {source} can't be used:", wrong, "Fetch them again, or take an earlier save.")
    refused: list[tuple[str, CallError]] = []
    for name in _names(engine):
        try:
            _encode(written, name, note)
        except CallError as error:
            refused.append((name, error))
            continue
        for other, error in refused:
            note(f"It loads on {name} alone; {other} says: {said(error)}")
        return
    raise CallError(f"{source} was not {done}: no engine here loads what comes of it. {said(refused[0][1])}")


def _names(engine: str) -> list[str]:
    """The engine asked for; for "auto" those that are installed, the one that would be taken first."""
    if engine != "auto":
        return [engine]
    first = engines.choose().name
    return [first, *(name for name in ("mlx", "torch") if name != first and engines.installed(name))]


def _encode(written: Path, engine: str, note: Note) -> None:
    """Raises CallError where the engine does not take the folder, or its numbers come to nothing in float32 either."""
    try:
        _once(embedders.load(written, engine=engine))
    except JobError as error:
        try:
            _once(embedders.load(written, engine=engine, dtype="float32"))
        except JobError:
            raise CallError(str(error)) from None
        note(f"{error} In float32 they are finite")


def _once(model: Embedder) -> None:
    """One text through whatever the folder's modules end in, and one image where it takes images."""
    getattr(model, model.method(model.folder.head or choices.DENSE))([TEXT])
    image = clip.image(model.folder.config) if model.folder.is_tower else None
    if image and any(name.startswith(clip.IMAGE) for name in model.folder.carried()):
        pixels = np.zeros((1, image["num_channels"], image["image_size"], image["image_size"]), np.float32)
        model.engine.images(pixels)
