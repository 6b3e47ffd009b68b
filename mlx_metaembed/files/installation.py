"""How the kit was installed, and so the command that installs an extra of it.

pip leaves word of it in direct_url.json (PEP 610) for whatever came from elsewhere than an index.
"""

import json
import shlex
from importlib import metadata
from pathlib import Path
from urllib.parse import unquote, urlparse

NAME = "mlx-metaembed"


def command(*extras: str, found: metadata.Distribution | None = None) -> str:
    """The command that installs extras of the kit, for a shell; `found` is the installed kit's metadata.

    From a clone, a wheel or a repository it is the same one again, since the kit may be in no index; where that is
    gone, what the extras ask for.
    """
    try:
        found = found or metadata.distribution(NAME)
        origin = json.loads(found.read_text("direct_url.json") or "{}")
    except metadata.PackageNotFoundError:
        # Run from its folder, without being installed.
        return _pip("-e", f"{Path(__file__).parents[2]}[{','.join(extras)}]")
    except ValueError:
        origin = {}
    if not isinstance(origin, dict) or not isinstance(origin.get("url"), str):
        return _pip(f"{NAME}[{','.join(extras)}]")
    named, url = f"{NAME}[{','.join(extras)}]", origin["url"]
    parts = urlparse(url)
    place = Path(unquote(parts.path))
    if parts.scheme == "file" and not place.exists():
        return _pip(*_requirements(found, extras))
    if parts.scheme == "file" and "dir_info" in origin:
        editable = ["-e"] if (origin["dir_info"] or {}).get("editable") else []
        return _pip(*editable, f"{place}[{','.join(extras)}]")
    if vcs := origin.get("vcs_info"):
        revision = vcs.get("requested_revision") or vcs.get("commit_id")
        url = f"{vcs.get('vcs', 'git')}+{url}" + (f"@{revision}" if revision else "")
    return _pip(f"{named} @ {url}")


def _requirements(found: metadata.Distribution, extras: tuple[str, ...]) -> list[str]:
    """What extras ask for, without the conditions on the machine but with those on versions."""
    wanted = []
    for line in found.requires or ():
        requirement, _, marker = line.partition(";")
        if any(f'extra == "{extra}"' in marker or f"extra == '{extra}'" in marker for extra in extras):
            wanted.append(requirement.strip())
    return wanted


def _pip(*words: str) -> str:
    return shlex.join(["pip", "install", *words])
