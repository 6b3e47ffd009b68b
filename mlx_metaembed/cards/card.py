"""The model card: the README.md of every model folder that the kit writes, with front matter as the hub reads it.

A folder without one costs sentence-transformers 5.3 half a minute of looking for it on the hub. The licence and the
languages are the base's own, and `base_model` is a hub id or is left out.
"""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlx_metaembed.folder import ModelFolder
from mlx_metaembed.folder.locate import HUB_ID
from mlx_metaembed.folder.module_types import MULTI_VECTOR, SPLADE

README = "README.md"
PAPERS = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "NOTICE.txt")
KIT = "mlx-metaembed"
"""The tag of the kit's own cards: of those alone the base is known to be the model that this one was made from."""
CARRIED = ("license", "license_name", "license_link", "language")
"""Entries that hold for what is made of a model as well."""
LONGEST = 65_536
"""Bytes of a README that are looked at."""
MOST_BYTES = 1 << 24
"""A larger README is left as it is."""
TAGS = {
    None: ("sentence-transformers", "sentence-similarity", "feature-extraction"),
    SPLADE: ("sentence-transformers", "sparse-encoder", "splade", "feature-extraction"),
    MULTI_VECTOR: ("sentence-transformers", "multi-vector", "colbert", "feature-extraction"),
}
"""By the head that a folder ends in."""


def card(
    folder: ModelFolder,
    *,
    title: str,
    body: str,
    base: str | None,
    library: str = "sentence-transformers",
    tags: Sequence[str] = (),
    carried: Mapping[str, object] | None = None,
) -> str:
    """A README: front matter, the title, the body, and what a user must know to get the same vectors.

    `base` is the hub id of the model that this one was made from; `carried` the entries taken over from it, those of
    the folder's own README where None is given.
    """
    front: dict[str, object] = {"library_name": library}
    front["pipeline_tag"] = "feature-extraction" if folder.head else "sentence-similarity"
    front["tags"] = list(dict.fromkeys([*(tags or TAGS[folder.head]), KIT]))
    if base:
        front["base_model"] = base
    front |= inherited(folder.trunk_path) if carried is None else carried
    return text(front, title, f"{body.strip()}\n\n{facts(folder)}")


def text(front: Mapping[str, object], title: str, body: str) -> str:
    """A README: front matter, the title and the body."""
    return f"{_yaml(front)}\n# {title}\n\n{body.strip()}\n"


def front(path: Path) -> dict:
    """The front matter of a folder's README, every scalar as a text; empty where it has none that can be read."""
    readme = path / README
    if not readme.is_file():
        return {}
    with readme.open("rb") as file:
        text = file.read(LONGEST).decode("utf-8", "replace")
    found = re.match(r"---[ \t]*\r?\n(.*?)\n---[ \t]*\r?(\n|$)", text, re.S)
    if not found:
        return {}
    import yaml

    try:
        # This loader makes texts and lists alone, and merges nothing.
        said = yaml.load(found[1], yaml.BaseLoader)
    except Exception:
        # A card that can't be read is no reason to fail.
        return {}
    return said if isinstance(said, dict) else {}


def inherited(path: Path) -> dict[str, object]:
    """The entries of a folder's card that hold for what is made of it: licence and languages."""
    said = front(path)
    return {name: said[name] for name in CARRIED if _plain(said.get(name), listed=name == "language")}


def base_model(named: str | Path, path: Path) -> str | None:
    """The hub id of a model, or of what the kit made it from; None where it is not known.

    `named` is what the user called it, `path` its folder. `_name_or_path` of a configuration is not asked: it names
    what somebody else's training began with.
    """
    if HUB_ID.fullmatch(str(named)) and not Path(named).expanduser().exists():
        return str(named)
    cached = re.search(r"models--([\w.-]+?)--([\w.-]+)/snapshots/", path.absolute().as_posix())
    if cached:
        return f"{cached[1]}/{cached[2]}"
    said = front(path)
    base = said.get("base_model")
    base = base[0] if isinstance(base, list) and base else base
    known = isinstance(said.get("tags"), list) and KIT in said["tags"]
    return base if known and isinstance(base, str) and HUB_ID.fullmatch(base) else None


def heading(path: Path) -> str | None:
    """The title in a folder's README: how its authors call the model."""
    readme = path / README
    if not readme.is_file():
        return None
    with readme.open("rb") as file:
        text = file.read(LONGEST).decode("utf-8", "replace")
    found = re.search(r"^# +(\S[^\n]{0,99})$", text, re.M)
    return found[1].strip() if found else None


def from_hub(source: str, path: Path) -> None:
    """Say in the card of a converted copy which repository it is a copy of; the text stays its authors' own."""
    readme = path / README
    said = front(path)
    if (
        not readme.is_file()
        or readme.stat().st_size > MOST_BYTES
        or (not said and readme.read_bytes().startswith(b"---"))
    ):
        return
    text = readme.read_text(encoding="utf-8", errors="replace")
    body = re.sub(r"\A---[ \t]*\r?\n.*?\n---[ \t]*\r?(\n|$)", "", text, count=1, flags=re.S) if said else text
    tags = said.get("tags") if isinstance(said.get("tags"), list) else []
    readme.write_text(
        _yaml(said | {"base_model": source, "tags": list(dict.fromkeys([*tags, KIT]))}) + "\n" + body.lstrip("\n"),
        encoding="utf-8",
    )


def copy_license_and_readme(folder: ModelFolder, out: Path, *others: str) -> None:
    """Copy the licence, and other files where they are there."""
    for name in (*PAPERS, *others):
        if (folder.path / name).is_file():
            shutil.copyfile(folder.path / name, out / name)


def facts(folder: ModelFolder) -> str:
    """What a user must know to get the same vectors, as a table."""
    rows = {"Dimensions": folder.output_dimensions, "Longest text": f"{folder.max_seq_length} tokens"}
    if folder.splade:
        rows["Pooling"] = f"{folder.splade.pooling_strategy}, {folder.splade.activation_function}"
    elif late := folder.late_interaction:
        rows["Longest text"] = f"query {late.query_length}, document {late.document_length} tokens"
        rows |= {"Query prefix": f"`{late.query_prefix}`", "Document prefix": f"`{late.document_prefix}`"}
    else:
        rows["Pooling"] = folder.pooled
    rows["Similarity"] = folder.similarity_fn_name
    return table(rows | {f"Prompt `{name}`": f"`{text}`" for name, text in folder.prompts.items() if text})


def table(rows: Mapping[str, object]) -> str:
    """Names and values as a Markdown table without a heading."""
    lines = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _cell(value: object) -> str:
    return str(value).replace("|", r"\|").replace("\r", " ").replace("\n", r"\n")


def _plain(value: object, *, listed: bool = False) -> bool:
    """Whether an entry is a short text, or a list of such where it may be `listed`."""
    if listed and isinstance(value, list):
        return 0 < len(value) <= 200 and all(_plain(each) for each in value)
    return isinstance(value, str) and 0 < len(value) <= 200


def _yaml(front: Mapping[str, object]) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True, width=10_000)}---\n"
