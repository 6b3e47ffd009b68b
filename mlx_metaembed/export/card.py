"""The model card: what an export says of itself on the hub, and to whoever opens the folder."""

import contextlib
import re
import tomllib
from collections.abc import Sequence

from mlx_metaembed.folder import SIDE, ModelFolder

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def base_model(folder: ModelFolder) -> str | None:
    """The hub id that the model was made from, where its recipe or its configuration names one."""
    recipe = folder.path / SIDE / "recipe.toml"
    named: list[object] = []
    if recipe.is_file():
        # A card without a base is no reason to fail.
        with contextlib.suppress(tomllib.TOMLDecodeError, UnicodeDecodeError):
            named.append(tomllib.loads(recipe.read_text(encoding="utf-8")).get("model"))
    named.append(folder.config.get("_name_or_path"))
    return next((name for name in named if isinstance(name, str) and HUB_ID.fullmatch(name)), None)


def licence(folder: ModelFolder) -> str | None:
    """The licence that the folder's own card declares."""
    card = folder.path / "README.md"
    front = (
        re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.S)
        if card.is_file()
        else None
    )
    found = re.search(r"^license: *([\w.-]+) *$", front[1], re.M) if front else None
    return found[1] if found else None


def card(folder: ModelFolder, *, library: str, tags: Sequence[str], title: str, body: str) -> str:
    """A README with front matter as the hub reads it."""
    front = [f"library_name: {library}", "pipeline_tag: sentence-similarity", "tags:", *(f"- {tag}" for tag in tags)]
    if base := base_model(folder):
        front.append(f"base_model: {base}")
    if found := licence(folder):
        front.append(f"license: {found}")
    return "\n".join(["---", *front, "---", "", f"# {title}", "", body.strip(), "", facts(folder)]) + "\n"


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
    rows |= {f"Prompt `{name}`": f"`{text}`" for name, text in folder.prompts.items() if text}
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
