"""Sealed months with credits for work: the bundle's own program reckons them from what was done."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.communityfile import build
from core.time import Month
from settlement.seal.commitments import canonical
from settlement.seal.verify import verify
from tests.support.pricehouse import Tree, readings, tree
from tests.support.sealhouse import House, flipped, leaves_of, resealed, sealed_house

FEBRUARY = Month(2026, 2)
FOLLOWS = "Lines for work follow from what was done and its rule, and come to nothing."
RULE: Tree = {"from": "2025-01-01", "eur_per_bag": "0.50", "eur": {"ash": "5.01"}}


def done(household: str, task: str, at: str = "2026-02-10T11:00:00Z", bags: int = 0) -> Tree:
    return {"at": at, "household": household, "task": task, "bags": str(bags)}


WORK = [
    done("h-F1", "ash"),
    done("h-F1", "refill", bags=13),
    done("h-F2", "ash", at="2026-01-31T23:30:00Z"),  # the first of February by the clock on the wall
    done("h-F2", "ash", at="2026-02-20T11:00:00Z"),  # moved out by then
    done("h-F3", "refill", bags=1),
]


def house(*rules: Tree, work: list[Tree] | None = None) -> House:
    """Three flats, the second left on the 15th."""
    tasks = [{"id": "refill"}, {"id": "ash"}]
    given = tree(3, settlement_interval="1h", tasks=tasks, work=WORK if work is None else work, work_credits=[*rules])
    given["households"][1]["until"] = "2026-02-15"
    file = build(given, "the house")
    counting = {meter.id: (lambda _: 1_000_000) for meter in file.community.meters if meter.unit == "kWh"}
    return sealed_house(file, FEBRUARY, readings(file, FEBRUARY, counting))


@pytest.mark.parametrize(
    ("rules", "work"),
    [
        ([RULE], None),
        ([RULE | {"paid_by": "floor_area"}], None),
        ([RULE | {"at_most_eur_per_month": "7.25"}], None),
        ([RULE, RULE | {"from": "2026-02-01", "eur_per_bag": "0.07"}], None),
        ([RULE | {"from": "2026-03-01"}], None),
        ([RULE], []),
    ],
)
def test_credits_for_work_are_proved(rules: list[Tree], work: list[Tree] | None) -> None:
    sealed = house(*rules, work=work).sealed
    report = verify(sealed.bundle, seal_sha256=sealed.sha256, openings=list(sealed.openings.values()))
    assert report.wrong == []
    assert report.unchecked == []
    assert FOLLOWS in report.proved


def test_in_a_building_without_credits_nothing_is_said_of_work() -> None:
    report = verify(house(work=[]).sealed.bundle)
    assert report.wrong == []
    assert FOLLOWS not in report.proved


def test_nothing_of_work_can_be_another() -> None:
    files = house(RULE).sealed.files
    tried: list[Any] = []
    for name in ("community.json", "charges.json"):
        told = json.loads(files[name])
        for at, value in leaves_of(told):
            of_work = at[0] in ("work", "work_credits") or (name == "charges.json" and told[at[0]]["code"] == "work")
            # Hours within a day decide nothing, nor what was done by who had left, nor which task earns nothing.
            idle = at[-1] in ("origin", "at", "from", "paid_by") or at[:2] == ("work", 4) or value == "refill"
            if not of_work or idle:
                continue
            tried.append((name, at))
            report = verify(resealed(files, {name: canonical(flipped(told, at))}))
            assert report.wrong, (name, at)
    assert len(tried) > 20


def test_another_most_that_a_month_earns_is_found() -> None:
    files = house(RULE | {"at_most_eur_per_month": "9.99"}).sealed.files
    rules = json.loads(files["community.json"])
    rules["work_credits"][0]["at_most_eur_per_month"] = "9.98"
    report = verify(resealed(files, {"community.json": canonical(rules)}))
    assert [text for text in report.wrong if FOLLOWS in text]


def test_credits_that_no_rule_gives_are_found() -> None:
    files = house(RULE).sealed.files
    rules = json.loads(files["community.json"])
    del rules["work_credits"], rules["work"]
    report = verify(resealed(files, {"community.json": canonical(rules)}))
    assert [text for text in report.wrong if FOLLOWS in text]
