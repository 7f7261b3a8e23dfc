"""Which months a year is made of, and the sentence for those that are not final."""

from __future__ import annotations

import pytest

from core.errors import BadInput
from core.time import Month
from settlement.final.years import wanted


def months(first: str, last: str) -> list[Month]:
    found = [Month.parse(first)]
    while str(found[-1]) != last:
        found.append(found[-1].shift(1))
    return found


def of_2026(final: list[Month], last: str = "2026-12", later: tuple[str, ...] = ()) -> list[Month]:
    return wanted(Month(2026, 1), Month.parse(last), final, later)


def refusal(final: list[Month], last: str = "2026-12", later: tuple[str, ...] = ()) -> str:
    with pytest.raises(BadInput) as told:
        of_2026(final, last, later)
    return str(told.value)


def test_a_year_is_its_months_from_the_first_that_ever_became_final_to_its_end() -> None:
    assert of_2026(months("2025-03", "2027-02")) == months("2026-01", "2026-12")
    assert of_2026(months("2026-04", "2026-12")) == months("2026-04", "2026-12")
    assert of_2026(months("2026-12", "2027-01")) == [Month(2026, 12)]
    assert of_2026(months("2025-03", "2026-08"), "2026-08") == months("2026-01", "2026-08")


@pytest.mark.parametrize(
    ("final", "says"),
    [
        (months("2025-03", "2026-11"),
         "The year 2026 cannot be settled yet: 2026-12 is not final; nothing was written. Make it final with"
         " 'wijkenergie settle 2026-12 --final'; if the building ended before that, add --until 2026-11."),
        (months("2026-03", "2026-10"),
         "The year 2026 cannot be settled yet: 2026-11 and 2026-12 are not final; nothing was written. Make them final"
         " with 'wijkenergie settle 2026-11 --final', and so on in this order; if the building ended before that, add"
         " --until 2026-10."),
        (months("2025-11", "2025-12"),
         "The year 2026 cannot be settled yet: 2026-01, 2026-02, 2026-03, 2026-04, 2026-05, 2026-06, 2026-07, 2026-08,"
         " 2026-09, 2026-10, 2026-11 and 2026-12 are not final; nothing was written. Make them final with 'wijkenergie"
         " settle 2026-01 --final', and so on in this order."),
    ],
)  # fmt: skip
def test_months_that_are_not_final_are_named_and_what_to_do(final: list[Month], says: str) -> None:
    assert refusal(final) == says


def test_where_nothing_is_final_every_month_is_named() -> None:
    assert "2026-01, 2026-02" in refusal([])
    assert "--until" not in refusal([])


def test_a_year_before_the_first_final_month_is_none() -> None:
    assert refusal(months("2027-03", "2027-04")) == (
        "The year 2026 cannot be settled: no month before 2027-03 became final; 'wijkenergie year 2027' makes the"
        " first year."
    )


def test_a_building_that_was_settled_later_has_not_ended() -> None:
    assert refusal(months("2026-01", "2026-05"), "2026-05", ("2026-06", "2026-07")) == (
        "The year 2026 does not end with 2026-05: 2026-06 was settled. Leave out --until, and make every month final."
    )
