"""A data set that Hugging Face's `datasets` saved to disk, by pyarrow (extra `parquet`), a batch of rows at a time.

`FOLDER`, or `FOLDER?split=train` where it has several. Only its tables and its JSON are read.
"""

from pathlib import Path

from mlx_metaembed.data.readers.class_names import ClassNames
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, missing_extra, nearest
from mlx_metaembed.files import disk

STATE, INFO, SPLITS = "state.json", "dataset_info.json", "dataset_dict.json"
BATCH_ROWS = 4096


def is_saved(folder: Path) -> bool:
    """Whether a folder is one that `save_to_disk` writes."""
    return (folder / SPLITS).is_file() or ((folder / STATE).is_file() and (folder / INFO).is_file())


def fill(path: Path, table: Table, *, split: str | None = None) -> None:
    """Take a data set's rows. Raises CallError where it is damaged, has other splits, or pyarrow is not installed."""
    try:
        import pyarrow
    except ImportError:
        raise missing_extra("pyarrow", "parquet", f"Reading {path.name}") from None
    folder = _chosen(path, split)
    names = ClassNames(_classes(folder))
    start = 1
    for file in _files(folder):
        try:
            start = _fill(table, file, names, start)
        except (pyarrow.ArrowException, OSError, MemoryError, UnicodeDecodeError) as error:
            first = str(error).split("\n")[0][:200] or type(error).__name__
            raise CallError(f"{file} is no Arrow file that can be read ({first}); save the data set again") from None


def _fill(table: Table, file: Path, names: ClassNames, start: int) -> int:
    """Take a file's rows; the number of the row behind them."""
    import pyarrow

    with pyarrow.memory_map(str(file)) as source, pyarrow.ipc.open_stream(source) as stream:
        columns = tuple(stream.schema.names)
        twice = sorted({name for name in columns if columns.count(name) > 1})
        for name in twice:
            table.faults.add("its schema", name, "stands twice")
        if twice or not table.header("its schema", columns):
            return start
        wanted = table.sources(columns)
        for batch in stream:
            for first in range(0, batch.num_rows, BATCH_ROWS):
                part = batch.select(wanted).slice(first, BATCH_ROWS)
                try:
                    rows = part.to_pylist()
                except (ValueError, OverflowError, TypeError, KeyError, LookupError) as error:
                    # What Python has no value for: a nanosecond, a time zone that nobody knows.
                    what = f"a value of these columns can't be read ({error}); expected texts"
                    table.faults.add(f"rows {start} to {start + part.num_rows - 1}", None, what)
                    rows = []
                for number, row in enumerate(rows, start):
                    table.add(f"row {number}", names.named(row), columns)
                start += part.num_rows
    return start


def _chosen(path: Path, split: str | None) -> Path:
    """The folder of a split. Raises CallError, which lists the splits, where it can't be told."""
    if not (path / SPLITS).is_file():
        if split:
            raise CallError(f"{path} is one data set without splits; leave out ?split={split}")
        return path
    found = disk.read_object(path / SPLITS).get("splits")
    splits = [name for name in found if isinstance(name, str) and _is_name(name)] if isinstance(found, list) else []
    if split is None and len(splits) == 1:
        split = splits[0]
    if split not in splits:
        listed = ", ".join(splits) or "none"
        what = f"no split {split!r}{nearest(split, splits)}" if split else "several splits"
        raise CallError(f"{path} has {what}; choose one: '{path}?split=NAME'. Its splits: {listed}")
    return path / split


def _files(folder: Path) -> list[Path]:
    """The files of a data set in their order. Raises CallError where one is missing or no regular file."""
    listed = disk.read_object(folder / STATE).get("_data_files")
    names = [each.get("filename") if isinstance(each, dict) else None for each in listed or [None]]
    for name in names:
        if not isinstance(name, str) or not _is_name(name) or not (folder / name).is_file():
            raise CallError(f"{folder / STATE} names a file that is not there, {name!r:.80}; save the data set again")
    return [folder / name for name in names]


def _classes(folder: Path) -> dict[str, list[str]]:
    """The names of the classes of each column that has classes."""
    features = disk.read_object(folder / INFO).get("features")
    found = {
        name: about.get("names")
        for name, about in (features.items() if isinstance(features, dict) else ())
        if isinstance(about, dict) and about.get("_type") == "ClassLabel"
    }
    return {
        name: names
        for name, names in found.items()
        if isinstance(names, list) and all(isinstance(each, str) for each in names)
    }


def _is_name(name: str) -> bool:
    """Whether a text names something directly in a folder."""
    return bool(name) and "\0" not in name and Path(name).name == name
