"""Where what is made of a model's vectors is kept: `~/.cache/metaembed/<model>/<revision>/`.

The revision is the model's fingerprint, so that vectors, indexes and classifiers of two models never share a folder,
and those of a model that is trained further begin anew.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from mlx_metaembed.errors import JobError
from mlx_metaembed.files import disk
from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.search import fingerprint

OWN, XDG = "METAEMBED_CACHE", "XDG_CACHE_HOME"
ABOUT = "model.json"
"""Says whose a folder is."""
LONGEST = 80
"""Characters of a model's name in a path."""


def root() -> Path:
    """The folder of all models: METAEMBED_CACHE, else metaembed in XDG_CACHE_HOME, else ~/.cache/metaembed."""
    if own := os.environ.get(OWN):
        return Path(own).expanduser()
    # A path that is not absolute is to be ignored (XDG base directory specification).
    xdg = Path(os.environ.get(XDG, ""))
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "metaembed"


def revision(marks: Mapping[str, str]) -> str:
    """A fingerprint as one word: weights, then settings."""
    return f"{marks['weights']}-{marks['settings']}"


def folder(model: ModelFolder, name: str, marks: Mapping[str, str] | None = None) -> Path:
    """The folder of a model's artifacts, made where it is not there; `name` is what people call the model.

    `marks` is its fingerprint, where it is known already. Raises JobError where the folder can't be written.
    """
    marks = dict(marks or fingerprint.of(model))
    path = root() / plain(name) / revision(marks)
    if not (path / ABOUT).is_file():
        try:
            path.mkdir(parents=True, exist_ok=True)
            with disk.replacing_file(path / ABOUT) as partial:
                disk.write_json(partial, {"model": name, "fingerprint": marks})
        except OSError as error:
            raise JobError(f"The cache {path} can't be written ({disk.cause(error)}); {OWN} names another") from error
    return path


def plain(name: str) -> str:
    """A model's name as one part of a path: a hub id's slash is two hyphens, of a path the last part counts."""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name) or Path(name).is_dir():
        name = Path(name).absolute().name
    found = re.sub(r"[^\w.-]+", "-", name.replace("/", "--")).strip(".-")
    return found[:LONGEST] or "model"
