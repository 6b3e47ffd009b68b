"""The messages of a source, whatever keeps them: Apple's chat.db, a table, a log, a folder of IRC with reply links."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlx_metaembed.data import columns, records, sources, sqlite_file
from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.messages import apple, irc
from mlx_metaembed.data.messages.message import Message
from mlx_metaembed.data.messages.roles import NAMES, Roles
from mlx_metaembed.data.messages.times import seconds
from mlx_metaembed.errors import CallError

PRESETS = ("auto", "apple", "irc", "table")
Take = Callable[[Message], None]


def fill(source: str, take: Take, *, preset: str = "auto", table: str = "", mapped: str = "", most: int) -> str:
    """Give every message of a source to `take`; the preset that read it.

    Raises CallError where nothing is there, it can't be read, or a table or column is not there: it lists those that
    are. A text may have up to `most` characters.
    """
    path, options = sources.split(source)
    if not path.exists():
        sources.require_file(path)
    if path.is_dir():
        return _folder(path, preset, take, most)
    sources.require_file(path)
    if table:
        options = options | {"table": table}
    is_sqlite = sqlite_file.is_sqlite(path) or sources.READERS.get(sources.suffix(path)) == "sqlite"
    if table and not is_sqlite:
        raise CallError(f"{path} is no SQLite file; --table is for those")
    if preset == "irc":
        raise CallError(f"{path} is a file; the preset irc reads a folder of NAME.ascii.txt and NAME.annotation.txt")
    if is_sqlite:
        with sqlite_file.opened(path) as (base, _):
            tables = {name: sqlite_file.columns(base, name) for name in _readable(base)}
        if preset == "apple" or (preset == "auto" and not options and apple.is_apple(tables)):
            _require_apple(path, tables, mapped)
            apple.fill(path, take)
            return "apple"
        options = {"table": _table(path, tables, options.get("table"))}
    elif preset == "apple":
        raise CallError(f"{path} is no SQLite file; the preset apple reads Apple's chat.db")
    _rows(path, options, "sqlite" if is_sqlite else "", mapped, take, most)
    return "table"


def _folder(path: Path, preset: str, take: Take, most: int) -> str:
    if preset not in ("auto", "irc") or not irc.is_irc(path):
        raise CallError(
            f"{path} is a folder without reply links; expected NAME.ascii.txt and NAME.annotation.txt in it, "
            "or the name of a file of messages (.db, .jsonl, .csv, ...)"
        )
    faults = Faults(path, most)
    irc.fill(path, faults, take)
    faults.raise_any()
    return "irc"


def _rows(path: Path, options: Mapping[str, str], reader: str, mapped: str, take: Take, most: int) -> None:
    """The messages of a file with columns; rows of JSON lines may have different ones."""
    name = f"{path}?table={options['table']}" if "table" in options else path
    roles = Roles(name, columns.parse(mapped, tuple(NAMES)))
    reader = reader or sources.reader(path, options)
    if reader not in sources.TABLES or reader in ("blocks", "replies"):
        raise CallError(f"{path} has no columns; expected a file of messages: .db, .jsonl, .csv, .parquet")
    conversation = path.name.split(".")[0]
    rows, texts = [0], [False]

    def row(where: str, found: dict[str, object]) -> None:
        rows[0] += 1
        texts[0] = texts[0] or "text" in found
        number = where.rpartition(" ")[2]
        text, reply = found.get("text"), found.get("reply")
        replies = reply if isinstance(reply, list) else [reply]
        take(
            Message(
                _name(found.get("id")) or number,
                _name(found.get("conversation")) or conversation,
                text if isinstance(text, str) else "",
                _name(found.get("sender")),
                seconds(found.get("time")),
                tuple(filter(None, map(_name, replies))),
                _name(found.get("thread")),
            )
        )

    same = reader != "jsonl"
    choose = roles.choose_all if same else roles.choose
    records.fill(path, options, max_characters=most, choose=choose, take=row, reader=reader)
    if not rows[0]:
        copied = f". If it is a copy, copy {path.name}-wal too: the newest rows stand there"
        lacking = reader == "sqlite" and sqlite_file.lacks_wal(path)
        raise CallError(f"{name} has no rows; expected a message a row{copied if lacking else ''}")
    roles.require(texts[0])


def _name(value: object) -> str | None:
    """A text or a whole number as a name; None for what is none, an empty text too."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int) and abs(value) >= 10**40:
        return None
    return str(int(value) if isinstance(value, float) and value.is_integer() else value) or None


def _readable(base: object) -> list[str]:
    return list(sqlite_file.tables(base))


def _table(path: Path, tables: Mapping[str, tuple[str, ...]], wanted: str | None) -> str:
    """The table that is wanted, `messages` or the only one. Raises CallError, which lists all with their columns."""
    if wanted is None and len(tables) > 1:
        named = [name for name in tables if name.lower() in ("messages", "message")]
        if len(named) == 1:
            return named[0]
        listed = "".join(f"\n  {name}: {', '.join(names)}" for name, names in sorted(tables.items()))
        raise CallError(f"{path} has {len(tables)} tables; choose one with --table. Its tables and columns:{listed}")
    return sqlite_file.choose(path, list(tables), wanted)


def _require_apple(path: Path, tables: Mapping[str, tuple[str, ...]], mapped: str) -> None:
    if mapped:
        raise CallError("--columns is for tables and logs; Apple's chat.db has its own columns")
    if missing := [name for name in apple.TABLES if name not in tables]:
        listed = ", ".join(sorted(tables)) or "none"
        raise CallError(f"{path} lacks {', '.join(missing)} of Apple's chat.db; its tables: {listed}")
