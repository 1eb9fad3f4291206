"""Write per-sample rows as Parquet or CSV, for pandas, DuckDB or a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.text import encode_text


def check_table_path(path: str | os.PathLike[str]) -> None:
    """Raise `ValueError` unless the path ends in `.parquet` or `.csv`."""
    if Path(path).suffix not in (".parquet", ".csv"):
        raise ValueError(f"path of the rows must end in .parquet or .csv, got {path}")


def write_sample_table(path: str | os.PathLike[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows with equal columns, as Parquet or CSV according to the suffix of the path.

    Raises:
        ValueError: The path ends in neither `.parquet` nor `.csv`.
        ImportError: The path ends in `.parquet`, and pyarrow is not installed.
    """
    check_table_path(path)
    content = _parquet(rows) if Path(path).suffix == ".parquet" else _csv(rows)
    with atomic_file(path) as file:
        file.write(content)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return encode_text(text.getvalue())


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ImportError(
            "writing Parquet needs pyarrow: pip install 'vgtoolbox[analysis]'; .csv needs no extra"
        ) from error
    sink = io.BytesIO()
    plain = [{key: _encodable(value) for key, value in row.items()} for row in rows]
    parquet.write_table(pyarrow.Table.from_pylist(plain), sink)
    return sink.getvalue()


def _encodable(value: Any) -> Any:
    return encode_text(value).decode() if isinstance(value, str) else value
