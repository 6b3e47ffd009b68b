"""Parquet, by pyarrow (extra `parquet`), a batch of rows at a time and only the columns of the shape."""

from pathlib import Path

from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, missing_extra

BATCH_ROWS = 4096


def fill(path: Path, table: Table) -> None:
    """Take a file's rows. Raises CallError where it is damaged, or where pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise missing_extra("pyarrow", "parquet", f"Reading {path.name}") from None
    try:
        with ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            twice = sorted({name for name in names if names.count(name) > 1})
            for name in twice:
                table.faults.add("its schema", name, "stands twice")
            if not twice and table.header("its schema", names):
                _fill(table, file, names)
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        # A file whose numbers are damaged asks for any amount of memory.
        first = str(error).split("\n")[0][:200] or type(error).__name__
        raise CallError(f"{path} is no Parquet file that pyarrow can read ({first}); fetch it again") from None


def _fill(table: Table, file: object, names: tuple[str, ...]) -> None:
    start, wanted = 1, table.sources(names)
    for batch in file.iter_batches(BATCH_ROWS, columns=wanted):
        try:
            for number, row in enumerate(batch.to_pylist(), start):
                table.add(f"row {number}", row, names)
        except UnicodeDecodeError as error:
            table.faults.add(f"rows {start} to {start + batch.num_rows - 1}", None, f"a text is not UTF-8 ({error})")
        except (ValueError, OverflowError, TypeError, KeyError, LookupError) as error:
            # What Python has no value for: a nanosecond, a date before year 1, a time zone that nobody knows.
            what = f"a value of these columns can't be read ({error}); expected texts"
            table.faults.add(f"rows {start} to {start + batch.num_rows - 1}", None, what)
        start += batch.num_rows
