"""Which serial numbers say that a device was swapped or is there twice; each rule with a few rows by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from settlement.watch.serials import Change, Serial, Twin, changes, twins


def day(number: int) -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)


def said(device: str, number: int, text: str, point: str = "serial") -> Serial:
    return Serial(device, point, day(number), text)


NOTHING = ["", "   ", "0", "00000000", "0000-0000", "00_00", "-", "_", " 0 - _ 0 "]
"""What makers write where no number was given."""


def test_no_rows_no_changes_and_no_twins() -> None:
    assert changes([]) == []
    assert twins([]) == []


def test_the_first_number_of_a_device_is_no_change_and_neither_is_the_same_again() -> None:
    assert changes([said("a", 1, "E1"), said("a", 2, "E1"), said("a", 3, "E1")]) == []


def test_another_number_is_a_change_when_it_was_first_given_with_both_numbers() -> None:
    rows = [said("a", 1, "E1"), said("a", 4, "E2"), said("a", 5, "E2")]
    assert changes(rows) == [Change("a", day(4), "E1", "E2")]


def test_a_number_that_comes_back_is_two_changes() -> None:
    rows = [said("a", 1, "E1"), said("a", 2, "E2"), said("a", 3, "E1")]
    assert changes(rows) == [Change("a", day(2), "E1", "E2"), Change("a", day(3), "E2", "E1")]


def test_changes_are_told_by_time_whatever_the_order_of_the_rows() -> None:
    rows = [said("a", 6, "E2"), said("b", 4, "F2"), said("a", 1, "E1"), said("b", 3, "F1")]
    assert changes(rows) == [Change("b", day(4), "F1", "F2"), Change("a", day(6), "E1", "E2")]


def test_each_device_and_each_of_its_points_has_a_number_of_its_own() -> None:
    rows = [said("a", 1, "E1"), said("b", 2, "E2"), said("a", 3, "G3", point="gas"), said("a", 4, "E1")]
    assert changes(rows) == []
    assert changes([*rows, said("a", 5, "G4", point="gas")]) == [Change("a", day(5), "G3", "G4")]


@pytest.mark.parametrize("text", NOTHING)
def test_no_number_in_between_or_at_first_is_no_change_and_nobodys_twin(text: str) -> None:
    assert changes([said("a", 1, text), said("a", 2, "E1"), said("a", 3, text), said("a", 4, "E1")]) == []
    assert changes([said("a", 1, "E1"), said("a", 2, text), said("a", 3, "E2")]) == [Change("a", day(3), "E1", "E2")]
    assert twins([said("a", 1, text), said("b", 1, text)]) == []


def test_blanks_around_a_number_are_no_part_of_it_and_zeros_are() -> None:
    assert changes([said("a", 1, " E1"), said("a", 2, "E1 \t")]) == []
    assert twins([said("a", 1, " E1"), said("b", 2, "E1 ")]) == [
        Twin("a", "b", day(1), "E1"),
        Twin("b", "a", day(2), "E1"),
    ]
    assert changes([said("a", 1, "0012"), said("a", 2, "12")]) == [Change("a", day(2), "0012", "12")]
    assert twins([said("a", 1, "0012-0"), said("b", 1, "12")]) == []


def test_both_of_a_pair_are_named_each_since_it_has_the_number() -> None:
    rows = [said("b", 2, "E1"), said("c", 2, "E9"), said("b", 3, "E1"), said("a", 5, "E1"), said("a", 7, "E1")]
    assert twins(rows) == [Twin("a", "b", day(5), "E1"), Twin("b", "a", day(2), "E1")]


def test_each_of_three_names_the_two_others_by_name() -> None:
    rows = [said("c", 1, "E1"), said("a", 2, "E1"), said("b", 3, "E1")]
    assert twins(rows) == [
        Twin("a", "b, c", day(2), "E1"),
        Twin("b", "a, c", day(3), "E1"),
        Twin("c", "a, b", day(1), "E1"),
    ]


def test_who_has_another_number_by_now_is_no_twin_any_more() -> None:
    rows = [said("a", 1, "E1"), said("b", 2, "E1"), said("b", 3, "E2")]
    assert twins(rows) == []
    assert twins([*reversed(rows)]) == []  # the newest counts, and not the last row


def test_who_had_another_number_in_between_is_a_twin_since_it_came_back() -> None:
    rows = [said("a", 1, "E1"), said("b", 1, "E1"), said("b", 2, "E2"), said("b", 3, "E1"), said("b", 4, "E1")]
    assert twins(rows) == [Twin("a", "b", day(1), "E1"), Twin("b", "a", day(3), "E1")]


def test_a_device_that_says_its_number_at_two_points_is_not_its_own_twin() -> None:
    assert twins([said("a", 1, "E1"), said("a", 2, "E1", point="gas")]) == []


@pytest.mark.parametrize(("early", "late"), [("gas", "serial"), ("serial", "gas")])
def test_a_device_with_a_number_at_two_points_has_it_since_the_earlier_of_them(early: str, late: str) -> None:
    rows = [said("a", 1, "E7", late), said("a", 3, "E1", early), said("a", 5, "E1", late), said("b", 4, "E1")]
    assert twins(rows) == [Twin("a", "b", day(3), "E1"), Twin("b", "a", day(4), "E1")]


def test_a_device_may_be_the_twin_of_one_at_one_point_and_of_another_at_another() -> None:
    rows = [said("a", 1, "E1"), said("a", 1, "G1", point="gas"), said("c", 2, "E1"), said("b", 3, "G1")]
    assert twins(rows) == [
        Twin("a", "b", day(1), "G1"),
        Twin("a", "c", day(1), "E1"),
        Twin("b", "a", day(3), "G1"),
        Twin("c", "a", day(2), "E1"),
    ]
