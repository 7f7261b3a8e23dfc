"""What a new key changed is told exactly: the month's sun divided once more by the rules of the earlier month.

The oracle is a whole settlement by those rules, as its statement prints it; what is tested divides the sun only.
"""

from __future__ import annotations

from copy import deepcopy
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings

from core.communityfile import build
from core.time import Month, microseconds
from settlement.model import Series
from settlement.replay import settle_document
from settlement.why.facts import Facts
from settlement.why.parts import change
from settlement.why.samerule import Divided, by_rules_of, divided, redivided
from tests.property.test_settlement_oracle import readings
from tests.property.test_why_parts import AFTER, BEFORE, OWN, SEEDS, Twin
from tests.support import month_oracle as oracle

KEYS = ("proportional", "equal", "fixed", "optimal", "hybrid", "priority")
MILLIWATT_HOUR = Fraction(1, 1_000_000)


def two_rules(seed: int) -> Twin:
    """A building whose key, surplus and common area's place changed between the months, and so did what people used."""
    twin = Twin(seed, pellets=False)
    rules = []
    for _ in range(2):
        key = twin.chance.choice(KEYS)
        surplus = twin.chance.choice(
            ["owner", "community"] + ["unused_share"] * (key not in ("proportional", "priority"))
        )
        common = twin.chance.choice(["first", "last", "never"])
        rules.append(twin.tree["sharing"][0] | {"key": key, "surplus": surplus, "common": common})
    twin.tree["sharing"] = [rules[0]]
    twin.later["sharing"] = [rules[0], rules[1] | {"from": "2026-01-01"}]
    for meter in ("el-A", "el-B", "pv"):
        twin.use(meter)
    return twin


def intervals(twin: Twin) -> dict[str, Series]:
    """The later month's intervals, as the worker keeps them."""
    begins = [microseconds(hour) for hour in oracle.hours(AFTER.first_day, AFTER.end_day, ZoneInfo("Europe/Amsterdam"))]
    settled, _ = settle_document(build(twin.later, "the case"), AFTER, readings(twin.after, begins))
    return dict(settled.energy.series)


def by_old_rule(twin: Twin, after: Facts, household: str = OWN) -> Divided:
    found = redivided(build(twin.later, "the case").community, BEFORE, after, intervals(twin), household)
    assert found is not None
    return found


@settings(max_examples=4)
@given(SEEDS)
def test_the_part_of_the_key_is_what_the_two_rules_give_of_the_same_sun_and_use(seed: int) -> None:
    twin = two_rules(seed)
    before, after, whole = twin.facts(OWN, with_rule=True)
    same = by_old_rule(twin, after)
    for name in ("sun", "surplus", "used", "used_by_others", "given", "common_sun"):
        assert getattr(same, name) == getattr(whole, name), name
    assert abs(same.credited - whole.credited) <= MILLIWATT_HOUR  # a statement prints whole milliwatt-hours
    found = change(before, after, same)
    assert sum(found.parts.values()) == found.after - found.before
    exact = (
        (after.given - whole.given) * before.solar_price
        - (after.credited - whole.credited) * before.feed_in_price
        + (after.common_sun - whole.common_sun) * before.common_price * before.by_common_area
    ) * before.electricity_vat
    # Half a cent for each of six lines and their VAT goes to the largest part, which may be this one.
    assert abs(found.parts.get("key", 0) - exact) <= 16


def test_without_the_old_rule_use_is_taken_for_the_key() -> None:
    """The case that it is for: a household halves its use when the sun shines, in the month of a new key."""
    twin = Twin(7, pellets=False)
    rule = twin.tree["sharing"][0] | {"key": "proportional", "surplus": "owner"}
    twin.tree["sharing"] = [rule]
    twin.later["sharing"] = [rule, rule | {"key": "equal", "from": "2026-01-01"}]
    noon = [value if hour % 24 in range(9, 17) else None for hour, value in enumerate(twin.before["el-A"])]
    twin.after["el-A"] = [
        (own or 0) // 2 if at is not None else own for own, at in zip(twin.before["el-A"], noon, strict=True)
    ]
    before, after = twin.facts(OWN)
    told, untold = change(before, after, by_old_rule(twin, after)), change(before, after)
    assert sum(told.parts.values()) == sum(untold.parts.values()) == after.total - before.total
    assert told.parts["own_use"] < untold.parts["own_use"]
    assert told.parts["key"] != untold.parts["key"]


def test_what_was_read_since_the_statement_leaves_it_at_the_key() -> None:
    """Where the intervals of today do not come to the statement, nobody can say what the old rule would have given."""
    twin = two_rules(3)
    _, after = twin.facts(OWN)
    community, series = build(twin.later, "the case").community, intervals(twin)
    assert redivided(community, BEFORE, after, series, OWN) is not None
    for meter in ("el-A", "el-B", "pv"):
        other = deepcopy(list(series[meter].energy))
        other[next(place for place, value in enumerate(other) if value)] += 1
        late = series | {meter: Series.of(meter, other, ["measured"] * len(other), [None] * len(other))}
        assert redivided(community, BEFORE, after, late, OWN) is None
        gone = series | {meter: Series.missing(meter, len(other))}
        assert redivided(community, BEFORE, after, gone, OWN) is None


def test_whoever_does_not_live_here_is_given_nothing() -> None:
    twin = two_rules(4)
    assert divided(build(twin.later, "the case").community, AFTER, intervals(twin), "h-X") is None


@pytest.mark.parametrize(
    ("month", "expected"),
    [
        (Month(2025, 4), [("2025-04-01", "equal"), ("2025-04-20", "fixed")]),
        (Month(2025, 2), [("2025-02-01", "equal"), ("2025-02-20", "fixed")]),  # the 31st does not come to it
        (Month(2025, 5), [("2025-05-01", "equal"), ("2025-05-20", "fixed"), ("2025-05-31", "optimal")]),
    ],
)
def test_rules_of_a_month_in_which_they_changed_hold_on_the_same_days(
    month: Month, expected: list[tuple[str, str]]
) -> None:
    twin = Twin(1, pellets=False)
    rule = twin.tree["sharing"][0] | {"surplus": "owner"}
    twin.tree["sharing"] = [
        rule | {"key": "equal"},
        rule | {"key": "fixed", "from": "2025-03-20"},
        rule | {"key": "optimal", "from": "2025-03-31"},
        rule | {"key": "priority", "from": "2025-04-01"},
    ]
    twin.tree["tariffs"].append(twin.tree["tariffs"][0] | {"from": "2025-03-10"})  # cuts the month, not the rule
    moved = by_rules_of(build(twin.tree, "the case").community, Month(2025, 3), month)
    assert [(str(one.start), one.key) for one in moved.sharing] == expected
