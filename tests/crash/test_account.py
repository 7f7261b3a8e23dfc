"""The account itself: a loss, a doubling, a wrong value and a stranger are each seen and named."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.crash.account import Account, in_stretches
from tests.crash.faults import strikes
from tests.crash.publisher import meter_id, time_of, value_of


@pytest.fixture
def account(tmp_path: Path) -> Account:
    (tmp_path / "log").write_text(
        "S 0 0 3\nS 1 0 1\nA 0 0 3\nS 1 1 1\nD 0 0 3\nA 1 1 1\nA 0 0 3\nS 1 2 1\nA 1", "ascii"
    )
    return Account.read(tmp_path / "log")


def row(meter: int, number: int) -> tuple:
    return meter_id(meter), time_of(number), value_of(meter, number)


def test_what_was_acknowledged_must_be_there_and_what_was_only_sent_may_be(account):
    assert (account.messages, account.duplicates) == (5, 1)
    assert account.audit([row(0, 0), row(0, 1), row(0, 2), row(1, 1)]).clean
    assert account.audit([row(0, 0), row(0, 1), row(0, 2), row(1, 0), row(1, 1), row(1, 2)]).clean


def test_what_is_missing_is_named_by_meter_and_number(account):
    audit = account.audit([row(0, 1), row(1, 0)])
    assert audit.missing == [(0, 0), (0, 2), (1, 1)]
    assert account.messages_of(audit.missing) == 2
    assert str(audit).splitlines()[:3] == ["missing: 3", "  meter 0: 0 2", "  meter 1: 1"]


def test_doubles_wrong_values_and_strangers_are_seen(account):
    there = [row(0, 0), row(0, 1), row(0, 2), row(1, 1)]
    assert account.audit([*there, row(0, 1)]).twice == [(0, 1)]
    wrong = [row(0, 0), row(0, 1), (meter_id(0), time_of(2), Decimal(7)), row(1, 1)]
    assert account.audit(wrong).wrong == [(0, 2, Decimal(7))]
    assert account.audit([*there, row(1, 9)]).strangers == [row(1, 9)]


def test_numbers_are_written_in_stretches():
    assert in_stretches([1, 2, 3, 7, 9, 10]) == "1-3 7 9-10"


def test_the_same_seed_strikes_alike_and_another_part_differently():
    def first(seed: int, part: int = 0) -> list:
        plan = strikes(seed, part)
        return [next(plan) for _ in range(20)]

    assert first(7) == first(7)
    assert first(7) != first(7, 1) != first(8, 1)
