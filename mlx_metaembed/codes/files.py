"""A codec as a folder: code.json (its kind and numbers, of which model, how it was fitted) and code.safetensors.

Checksums tell a torn or swapped file, and the model's fingerprint a code of other vectors: decoded, it would be noise.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from mlx_metaembed.codes.codec import Codec, numbers_and_arrays
from mlx_metaembed.codes.kinds import KINDS
from mlx_metaembed.errors import CallError, faults, nearest
from mlx_metaembed.files import checksums, disk, safetensors

FORMAT = "metaembed-code-1"
ABOUT, ARRAYS = "code.json", "code.safetensors"
ROOM = "codes"
"""The folder of all codes, in the side folder of a model."""
NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,63}", re.ASCII)
AGAIN = "Fit it again with: metaembed codes fit MODEL DATA --bytes N"


@dataclass(frozen=True)
class Stored:
    """A codec, the fingerprint of the model whose vectors it is for, and how it was fitted."""

    codec: Codec
    model: dict[str, str]
    fitted: dict


def require_name(name: str) -> None:
    """Raise CallError for a name that can't be a folder's everywhere."""
    if not NAME.fullmatch(name):
        raise CallError(f"A code can't be called {name!r:.80}; expected letters, digits, . _ and -, 64 at most")


def save(codec: Codec, out: Path, *, model: Mapping[str, str], fitted: Mapping[str, object]) -> None:
    """Write a codec as the new folder `out`, whole or not at all; `model` is the fingerprint of its model.

    Raises CallError where `out` holds something, JobError where it can't be written.
    """
    disk.require_vacant(out)
    numbers, arrays = numbers_and_arrays(codec)
    with disk.replacing(out) as partial:
        safetensors.write(partial / ARRAYS, arrays)
        about = {"format": FORMAT, "kind": codec.kind, "bytes_per_vector": codec.bytes_per_vector, **numbers}
        about |= {"model": dict(model), "fitted": dict(fitted), "files": {ARRAYS: checksums.of_file(partial / ARRAYS)}}
        disk.write_json(partial / ABOUT, about)


def names(room: Path) -> list[str]:
    """The names of the codes that lie in a folder of codes."""
    return sorted(path.parent.name for path in room.glob(f"*/{ABOUT}") if NAME.fullmatch(path.parent.name))


def load(path: Path) -> Stored:
    """The codec of a folder. Raises CallError with all that is wrong: missing, torn or contradicting itself."""
    if not (path / ABOUT).is_file():
        known = names(path.parent) if path.parent.is_dir() else []
        listed = f"; there are {', '.join(known)}" if known else ". " + AGAIN
        raise CallError(f"There is no code {path.name!r} in {path.parent}{nearest(path.name, known)}{listed}")
    said = disk.read_object(path / ABOUT)
    if said.get("format") != FORMAT:
        raise CallError(f"{path / ABOUT} is not of the format {FORMAT!r}. {AGAIN}")
    files = said.get("files") if isinstance(said.get("files"), dict) else {}
    if damage := checksums.difference(path / ARRAYS, files.get(ARRAYS)):
        raise CallError(f"The code {path} is damaged: {ARRAYS}: {damage}. {AGAIN}")
    kind = said.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise CallError(f"{path / ABOUT} has the kind {kind!r:.80}; known: {', '.join(KINDS)}. {AGAIN}")
    codec, wrong = _made(KINDS[kind], said, safetensors.read(path / ARRAYS))
    model, fitted = said.get("model"), said.get("fitted")
    if not isinstance(model, dict) or not all(isinstance(word, str) for word in model.values()):
        wrong.append("model: expected the fingerprint of its model")
    if not isinstance(fitted, dict):
        wrong.append("fitted: expected how it was fitted")
    if codec and not wrong and codec.bytes_per_vector != said.get("bytes_per_vector"):
        wrong.append(
            f"bytes_per_vector = {said.get('bytes_per_vector')!r:.40}, its parts make {codec.bytes_per_vector}"
        )
    if wrong or codec is None:
        raise faults(f"The code {path} can't be read:", wrong, AGAIN)
    return Stored(codec, model, fitted)


def require_model(stored: Stored, model: Mapping[str, str], path: Path) -> None:
    """Raise CallError where a code is not for the vectors of the model with that fingerprint."""
    if wrong := [part for part in stored.model if model.get(part) != stored.model[part]] or ["fingerprint"] * (
        not stored.model
    ):
        raise CallError(
            f"The code {path} is of another model: its {' and '.join(wrong)} differ from those it was fitted on. "
            f"{AGAIN}, on the texts of this model"
        )


def _made(kind: type[Codec], said: Mapping, arrays: Mapping[str, np.ndarray]) -> tuple[Codec | None, list[str]]:
    """The codec of what was read, and what is wrong with it."""
    wrong, values = [], {}
    for each in fields(kind):
        if each.type is np.ndarray:
            values[each.name] = array = arrays.get(each.name)
            if array is None:
                wrong.append(f"{each.name}: missing in {ARRAYS}")
            elif array.dtype != np.float32 or not np.isfinite(array).all():
                wrong.append(f"{each.name}: expected finite float32 numbers")
        elif each.type is bool:
            # Codes of before have none.
            values[each.name] = value = said.get(each.name, each.default)
            if type(value) is not bool:
                wrong.append(f"{each.name} = {value!r:.80}, expected true or false")
        else:
            value = said.get(each.name)
            values[each.name] = tuple(value) if isinstance(value, list) else value
            many = isinstance(value, list) and value and all(type(one) is int for one in value)
            if not (many if each.type is not int else type(value) is int and 1 <= value < 2**24):
                wrong.append(f"{each.name} = {value!r:.80}, expected whole numbers")
    wrong += [f"{name}: not part of such a code" for name in arrays if name not in values]
    if wrong:
        return None, wrong
    codec = kind(**values)
    try:
        expected = codec.shapes()
    except ValueError as error:
        return None, [str(error)]
    return codec, [
        f"{name}: shape {list(arrays[name].shape)}, expected {list(shape)}"
        for name, shape in expected.items()
        if arrays[name].shape != shape
    ]
