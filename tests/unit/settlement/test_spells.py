"""Who has a flat on which days, and on which days the same prices and rules hold: every day once, in order."""

from __future__ import annotations

from datetime import date

import pytest

from core.communityfile import build
from core.time import Month
from settlement import tariffs
from settlement.model import Spell
from tests.support import pricehouse

MARCH = Month(2026, 3)
FIRST, LAST = date(2026, 3, 1), date(2026, 4, 1)
HOUSEHOLDS = [
    {"id": "gone", "flat": "F1", "from": "2025-01-01", "until": "2026-03-01"},
    {"id": "early", "flat": "F1", "from": "2026-03-03", "until": "2026-03-10"},
    {"id": "late", "flat": "F1", "from": "2026-03-12", "until": "2026-03-30"},
    {"id": "next", "flat": "F1", "from": "2026-04-01"},
    {"id": "stays", "flat": "F2", "from": "2025-01-01"},
]


@pytest.mark.parametrize("turned", [False, True])
def test_every_day_of_every_flat_is_somebodys_in_whatever_order_the_file_names_them(*, turned: bool) -> None:
    tree = pricehouse.tree(households=HOUSEHOLDS[::-1] if turned else HOUSEHOLDS)
    tree["flats"] = tree["flats"][::-1] if turned else tree["flats"]
    community = build(tree, "the house").community
    assert tariffs.spells(community, MARCH) == [
        Spell("owner", "F1", FIRST, date(2026, 3, 3)),
        Spell("early", "F1", date(2026, 3, 3), date(2026, 3, 10)),
        Spell("owner", "F1", date(2026, 3, 10), date(2026, 3, 12)),
        Spell("late", "F1", date(2026, 3, 12), date(2026, 3, 30)),
        Spell("owner", "F1", date(2026, 3, 30), LAST),
        Spell("stays", "F2", FIRST, LAST),
    ]


def test_days_with_the_same_prices_and_rules_are_one_stretch() -> None:
    tree = pricehouse.tree(tariffs=[pricehouse.tariff(netting_until="2026-03-20")])
    tree["tariffs"].append(pricehouse.tariff(**{"from": "2026-03-25"}))
    tree["sharing"].append({"from": "2026-03-09", "key": "equal"})
    community = build(tree, "the house").community
    found = [(one.start, one.until, one.sharing.key, one.netting) for one in tariffs.stretches(community, MARCH)]
    assert found == [
        (FIRST, date(2026, 3, 9), "proportional", True),
        (date(2026, 3, 9), date(2026, 3, 20), "equal", True),
        (date(2026, 3, 20), date(2026, 3, 25), "equal", False),
        (date(2026, 3, 25), LAST, "equal", False),
    ]
