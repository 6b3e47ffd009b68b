"""A scheme as a folder: ids.json, ids.safetensors (what digits are), codes.npy and texts.jsonl (the corpus by ID).

ids.json names the model by its fingerprint, so that no other model's vectors are read by the scheme, and has the
checksums of the other files.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlx_metaembed.errors import CallError, faults
from mlx_metaembed.files import checksums, disk, npy, safetensors
from mlx_metaembed.search import fingerprint
from mlx_metaembed.semantic_ids.digit import KINDS, Digit
from mlx_metaembed.semantic_ids.scheme import Scheme

FORMAT = "metaembed-ids-1"
ABOUT, ARRAYS, CODES, TEXTS = "ids.json", "ids.safetensors", "codes.npy", "texts.jsonl"
AGAIN = "Make it again with: metaembed ids train MODEL DATA OUT"


@dataclass(frozen=True)
class Ids:
    """A scheme with its corpus: IDs uint16 [n, d], one digit more where they are `unique`, and the texts.

    `about` has the rest of ids.json: "model" (its name, fingerprint, prompt), "fitted" (how), "measures".
    """

    scheme: Scheme
    ids: np.ndarray
    texts: list[str]
    about: dict

    @property
    def unique(self) -> bool:
        """Whether the IDs have a digit more, for texts that would share one."""
        return self.ids.shape[1] > len(self.scheme.digits)


def save(found: Ids, out: Path) -> None:
    """Write it as the new folder `out`, whole or not at all.

    Raises CallError where `out` holds something, JobError where it can't be written.
    """
    disk.require_vacant(out)
    arrays = {"mean": found.scheme.mean}
    for at, digit in enumerate(found.scheme.digits):
        arrays |= {f"{at}.{name}": array for name, array in _arrays(digit).items()}
    digits = [
        {"name": digit.name, "kind": digit.kind, "levels": digit.levels, "labels": list(digit.labels)}
        for digit in found.scheme.digits
    ]
    with disk.replacing(out) as partial:
        safetensors.write(partial / ARRAYS, {name: np.asarray(array, np.float32) for name, array in arrays.items()})
        npy.save(partial / CODES, found.ids.astype(np.uint16))
        with (partial / TEXTS).open("w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in found.texts)
        files = {name: checksums.of_file(partial / name) for name in (ARRAYS, CODES, TEXTS)}
        about = {"format": FORMAT, "dimensions": found.scheme.dimensions, "digits": digits, "unique": found.unique}
        disk.write_json(partial / ABOUT, about | found.about | {"files": files})


def _arrays(digit: Digit) -> dict[str, np.ndarray]:
    found = {"weights": digit.weights, "intercepts": digit.intercepts, "centroids": digit.centroids}
    return found if digit.edges is None else found | {"edges": digit.edges}


def load(path: Path) -> Ids:
    """The scheme of a folder. Raises CallError with all that is wrong: missing, torn or contradicting itself."""
    if not (path / ABOUT).is_file():
        raise CallError(f"{path} has no {ABOUT}; expected a folder that metaembed ids train wrote")
    said = disk.read_object(path / ABOUT)
    if said.get("format") != FORMAT:
        raise CallError(f"{path / ABOUT} is not of the format {FORMAT!r}. {AGAIN}")
    files = said.get("files") if isinstance(said.get("files"), dict) else {}
    torn = [(name, checksums.difference(path / name, files.get(name))) for name in (ARRAYS, CODES, TEXTS)]
    if damaged := [f"{name}: {what}" for name, what in torn if what]:
        raise faults(f"{path} is damaged:", damaged, AGAIN)
    arrays = safetensors.read(path / ARRAYS)
    mean, digits, wrong = arrays.get("mean"), [], []
    listed = said.get("digits") if isinstance(said.get("digits"), list) else []
    if mean is None or mean.ndim != 1 or not listed:
        raise CallError(f"{path} can't be read: {ARRAYS} has no mean, or {ABOUT} no digits. {AGAIN}")
    for at, about in enumerate(listed):
        try:
            digits.append(_digit(about, {key: arrays[f"{at}.{key}"] for key in _keys(arrays, at)}, len(mean)))
        except (ValueError, KeyError, TypeError) as error:
            wrong.append(f"digit {at + 1}: {error}")
    if wrong:
        raise faults(f"{path} can't be read:", wrong, AGAIN)
    scheme = Scheme(mean, tuple(digits))
    texts = [json.loads(line)["text"] for line in (path / TEXTS).read_text(encoding="utf-8").splitlines()]
    ids = np.load(path / CODES, allow_pickle=False)
    _require_ids(path, scheme, ids, texts)
    about = {key: said.get(key) for key in ("model", "fitted", "measures") if isinstance(said.get(key), dict)}
    model = about.get("model", {})
    marks = model.get("fingerprint")
    if not isinstance(model.get("name"), str) or not isinstance(marks, dict) or set(marks) != {"weights", "settings"}:
        raise CallError(f"{path / ABOUT} does not say of which model it is. {AGAIN}")
    return Ids(scheme, ids, texts, about)


def _keys(arrays: Mapping[str, np.ndarray], at: int) -> list[str]:
    return [name.partition(".")[2] for name in arrays if name.partition(".")[0] == str(at)]


def _digit(about: object, arrays: dict[str, np.ndarray], width: int) -> Digit:
    """A digit of its files. Raises ValueError where they do not fit."""
    if not isinstance(about, dict) or about.get("kind") not in KINDS or not isinstance(about.get("name"), str):
        raise ValueError("ids.json does not say its name and kind")
    labels = about.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError("its labels are no texts")
    levels = len(arrays["centroids"])
    scores = 1 if "edges" in arrays else levels
    expected = {"weights": (width, scores), "intercepts": (scores,), "centroids": (levels, width)}
    expected |= {"edges": (levels - 1,)} if "edges" in arrays else {}
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != expected or about.get("levels") != levels or not 1 <= levels < 2**16:
        raise ValueError(f"its arrays have the shapes {shapes}, expected {expected}")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError("its arrays are not finite")
    return Digit(about["name"], about["kind"], labels=tuple(labels), **arrays)


def _require_ids(path: Path, scheme: Scheme, ids: np.ndarray, texts: Sequence[str]) -> None:
    most = len(scheme.digits)
    fits = ids.ndim == 2 and ids.dtype == np.uint16 and ids.shape[1] in (most, most + 1) and len(ids) == len(texts)
    if not fits or (len(ids) and (ids[:, :most].max(0) >= np.array(scheme.levels)).any()):
        raise CallError(f"{path}: {CODES} does not fit the texts and the digits. {AGAIN}")


def require_model(found: Ids, marks: Mapping[str, str], path: Path, model: str) -> None:
    """Raise CallError where a scheme is not for the vectors of the model with the fingerprint `marks`."""
    about = found.about["model"]
    advice = "Name the model that it was made with by --model, or make a scheme for this one."
    made = {"kept": about["fingerprint"], "maker": about["name"], "what": "scheme", "where": path}
    fingerprint.require(marks, model, **made, advice=advice)
