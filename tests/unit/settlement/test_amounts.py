"""Columns read like the tuples they stand for, and add up exactly whatever their size."""

from __future__ import annotations

import numpy as np
import pytest

from settlement.amounts import Amounts, Labels, Table, runs, total

HUGE = 10**30


@pytest.mark.parametrize("values", [[], [None], [3, None, 0], [2**61, 2**61, None, 2**61], [HUGE, None, 1]])
def test_a_column_of_amounts_reads_like_its_values(values: list[int | None]) -> None:
    column = Amounts.of(values)
    assert (list(column), len(column), column) == (values, len(values), values)
    assert [column[index] for index in range(len(values))] == values
    assert column[1:] == values[1:]
    assert [value in column for value in (None, 0, 7, HUGE)] == [value in values for value in (None, 0, 7, HUGE)]
    assert column.total() == sum(value or 0 for value in values)
    assert column.known.tolist() == [value is not None for value in values]
    assert hash(column) == hash(tuple(values))
    assert repr(column) == f"Amounts({values})"  # what a failing test prints


def test_a_column_cannot_be_written_to() -> None:
    column = Amounts.of([1, 2])
    with pytest.raises(ValueError, match="read-only"):
        column.array[0] = 5


def test_a_column_of_labels_reads_like_its_names() -> None:
    names = ["b", "a", "b", None]
    column: Labels[str | None] = Labels.of(names, ["a"])
    assert (list(column), column, column.names) == (names, names, ("a", "b", None))
    assert (column[0], column[2:], column.count("b"), column.count("z")) == ("b", ["b", None], 2, 0)
    assert ("z" in column, None in column) == (False, True)
    assert column.counts(0, 3) == {"a": 1, "b": 2, None: 0}
    assert hash(column) == hash(tuple(names))
    assert repr(column) == "Labels(['b', 'a', 'b', None])"


def test_a_table_adds_up_by_name_and_by_interval() -> None:
    columns: dict[str, list[int | None]] = {"x": [1, None, HUGE], "y": [2, 3, None]}
    table = Table.of(columns, 3)
    assert {name: list(column) for name, column in table.items()} == columns
    assert table.total() == HUGE + 6
    assert table.by_interval().tolist() == [3, 3, HUGE]
    large: dict[str, list[int | None]] = {"x": [2**61], "y": [2**61], "z": [2**61]}
    assert Table.of(large, 1).by_interval().tolist() == [3 * 2**61]
    nobody: dict[str, list[int | None]] = {}
    assert Table.of(nobody, 2).by_interval().tolist() == [0, 0]


def test_a_table_knows_its_names_and_their_rows() -> None:
    table: Table[int] = Table.of({"x": [1, 2], "y": [3, 4]}, 2)
    assert (len(table), "x" in table, "z" in table, [table.place(name) for name in table]) == (2, True, False, [0, 1])
    assert table.rows[table.place("y")].tolist() == list(table["y"])
    with pytest.raises(KeyError):
        table.place("z")
    with pytest.raises(ValueError, match="read-only"):
        table.rows[0, 0] = 5


def test_sums_that_do_not_fit_in_64_bits_are_exact() -> None:
    assert total(np.full(5, 2**61, dtype=np.int64)) == 5 * 2**61


def test_runs_are_the_stretches_that_are_set() -> None:
    assert list(runs(np.array([1, 1, 0, 0, 1], dtype=np.bool_))) == [(0, 2), (4, 5)]
    assert list(runs(np.array([], dtype=np.bool_))) == []


def test_columns_that_differ_are_not_equal_and_a_zero_is_not_missing() -> None:
    assert Amounts.of([0, 1]) != [0, 2]
    assert Amounts.of([0, 1]) != Amounts.of([0, 2])
    assert None not in Amounts.of([0, 1])
    assert Labels.of(["a", "b"]) != ["a", "a"]
    assert Labels.of(["a", "b"]) != Labels.of(["b", "a"])


def test_what_is_a_column_or_a_table_already_is_given_back_as_it_is() -> None:
    column, labels, table = Amounts.of([1, None]), Labels.of(["a", "b"]), Table.of({"A": [1, None]}, 2)
    assert Amounts.of(column) is column
    assert Labels.of(labels) is labels
    assert Table.of(table, 2) is table


def test_amounts_are_64_bits_wide_as_long_as_their_sums_have_room() -> None:
    assert Amounts.of([2**62 - 1, None]).array.dtype == np.int64
    assert Amounts.of([2**62, None]).array.dtype == object
    assert Table.of({"A": [1, 2], "B": [3, 4]}, 2).by_interval().dtype == np.int64
    many = Table.of({name: [2**61, 1] for name in "ABCDE"}, 2)
    assert many.rows.dtype == np.int64
    assert many.by_interval().tolist() == [5 * 2**61, 5]  # which 64 bits do not hold


def test_labels_cannot_be_written_to_and_a_name_that_stands_twice_in_the_table_is_one_name() -> None:
    labels = Labels(np.array([0, 1, 2], dtype=np.uint8), ("a", "b", "a"))
    assert labels.are("a").tolist() == [True, False, True]
    assert (labels.count("a"), labels.count("b"), labels.count("z")) == (2, 1, 0)
    with pytest.raises(ValueError, match="read-only"):
        labels.codes[0] = 1
