"""Where a model lies: a folder, an encoder installed from PyPI, or a repository on the hub.

An installed encoder is found by the files of its distribution; none of its code is imported. Nothing that a hub
repository could run is fetched.
"""

import importlib.metadata
import re
from pathlib import Path, PurePosixPath

from mlx_metaembed.errors import CallError, nearest

FETCHED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*", "NOTICE*"]
NOT_FETCHED = ["onnx/*", "openvino/*", "coreml/*", "*/onnx/*", "runs/*"]
OWN_WEIGHTS = ("*_Dense", "*_CLIPModel", "*_Transformer")
"""Folders of modules that have weights of their own."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve(model: str | Path) -> Path:
    """The folder of a model: an existing folder, the name of an installed encoder, or a hub id, in this order.

    Raises CallError where there is none, naming the nearest that is installed, or what the hub answered.
    """
    path = Path(model).expanduser()
    # An empty name would be the folder that one stands in.
    if str(model) and path.is_dir():
        return path
    if path.is_file():
        raise CallError(
            f"{path} is a file; expected a model folder. Bring a weights file in with: metaembed convert {path} OUT"
        )
    name = str(model)
    if isinstance(model, str) and (found := installed(name)):
        return found
    if isinstance(model, str) and HUB_ID.fullmatch(name) and not name.startswith("."):
        return _snapshot(name)
    known = encoders()
    listed = f" Installed from PyPI: {', '.join(known)}." if known else ""
    raise CallError(
        f"There is no model folder {name or repr(name)}, and no installed encoder of that name"
        f"{nearest(name, [*known, *_beside(path)]) or '.'}{listed} A model is a folder, a hub id like "
        "intfloat/e5-small-v2, or an encoder installed from PyPI"
    )


def installed(name: str) -> Path | None:
    """The model folder inside the distribution `name`, spelled with - or _; None where there is none."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name):
        return None
    try:
        return _folder(importlib.metadata.distribution(name))
    except importlib.metadata.PackageNotFoundError:
        return None


def encoders() -> list[str]:
    """The names of all installed distributions that carry a model folder."""
    return sorted({found.metadata["Name"] for found in importlib.metadata.distributions() if _folder(found)})


def _folder(distribution: importlib.metadata.Distribution) -> Path | None:
    """The sentence-transformers folder among a distribution's files, the outermost one."""
    files = {PurePosixPath(file) for file in distribution.files or ()}
    listings = sorted((file for file in files if file.name == "modules.json"), key=lambda file: len(file.parts))
    for listing in listings:
        if listing.with_name("config.json") in files:
            found = Path(distribution.locate_file(listing)).parent
            if found.is_dir():
                return found
    return None


def _snapshot(name: str) -> Path:
    """A repository of the hub, from the cache where it is there; pickles only where it has no safetensors."""
    from huggingface_hub import errors, snapshot_download

    close = nearest(name, _beside(Path(name)))

    def fetch(patterns: list[str]) -> Path:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=NOT_FETCHED))

    try:
        found = fetch(FETCHED)
        pickles = [] if any(found.glob("model*.safetensors")) else ["pytorch_model*.bin"]
        modules = [path for kind in OWN_WEIGHTS for path in found.glob(kind)]
        modules = [path for path in modules if not (path / "model.safetensors").is_file()]
        pickles += [f"{path.name}/pytorch_model.bin" for path in modules]
        return fetch([*FETCHED, *pickles]) if pickles else found
    except errors.GatedRepoError:
        raise CallError(
            f"The hub's repository {name} is gated: accept its terms at https://huggingface.co/{name}, "
            "then: hf auth login"
        ) from None
    except errors.RepositoryNotFoundError:
        raise CallError(
            f"There is no folder {name}{close}, and the hub has no repository of that name that this machine may read"
        ) from None
    except errors.HFValidationError:
        raise CallError(f"There is no folder {name}{close}, and a hub repository can't have that name") from None
    except errors.LocalEntryNotFoundError:
        raise CallError(
            f"There is no folder {name}{close}; as a repository of the hub it is not, or not whole, in the cache, and "
            "the hub can't be reached (no network, or HF_HUB_OFFLINE is set)"
        ) from None
    # The hub's client has many more errors, and new ones with each release.
    except Exception as error:
        raise CallError(f"The hub did not give {name}: {error}") from None


def _beside(path: Path) -> list[str]:
    """The folders that stand where `path` would, spelled like it."""
    if not path.parent.is_dir():
        return []
    return [str(path.parent / entry.name) for entry in path.parent.iterdir() if entry.is_dir()]
