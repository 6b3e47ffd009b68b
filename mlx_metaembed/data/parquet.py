"""Parquet, by pyarrow (extra `parquet`), a batch of rows at a time and only the columns of the shape."""

from pathlib import Path

from mlx_metaembed.data.faults import Faults
from mlx_metaembed.data.rows import Labelled, Pairs, Scored
from mlx_metaembed.data.table import Table
from mlx_metaembed.errors import CallError, missing_extra

BATCH_ROWS = 4096


def read(path: Path, faults: Faults) -> Pairs | Scored | Labelled:
    """The rows of a file. Raises CallError with all its faults, or where pyarrow is not installed."""
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise missing_extra("pyarrow", "parquet", f"Reading {path.name}") from None
    table = Table(faults)
    try:
        with ParquetFile(path) as file:
            if table.header("its schema", tuple(file.schema_arrow.names)):
                _fill(table, file)
    except pyarrow.ArrowException as error:
        raise CallError(f"{path} is no Parquet file that pyarrow can read ({error}); fetch it again") from None
    return table.rows()


def _fill(table: Table, file: object) -> None:
    start = 1
    for batch in file.iter_batches(BATCH_ROWS, columns=list(table.used)):
        try:
            for number, row in enumerate(batch.to_pylist(), start):
                table.add(f"row {number}", row)
        except UnicodeDecodeError as error:
            table.faults.add(f"rows {start} to {start + batch.num_rows - 1}", None, f"a text is not UTF-8 ({error})")
        start += batch.num_rows
