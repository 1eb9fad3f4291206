"""Rows of samples as Parquet and CSV."""

from __future__ import annotations

import csv

import pytest

from vgtoolbox.evaluation import write_sample_table


def test_rows_are_written_as_csv_and_parquet(results, tmp_path):
    rows = [result.as_row() for result in results]
    write_sample_table(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["error_type"] for row in read] == [row["error_type"] for row in rows]
    assert read[1]["smallest_target"] == ""
    parquet = pytest.importorskip("pyarrow.parquet")
    write_sample_table(tmp_path / "rows.parquet", rows)
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    with pytest.raises(ValueError, match=r"\.parquet or \.csv"):
        write_sample_table(tmp_path / "rows.xlsx", rows)


def test_no_rows_give_an_empty_file(tmp_path):
    write_sample_table(tmp_path / "rows.csv", [])
    assert (tmp_path / "rows.csv").exists()
