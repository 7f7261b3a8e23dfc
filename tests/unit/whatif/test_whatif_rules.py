"""Which rules can be compared, what they come to, and what the files say; the smallest building by hand."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.communityfile import parse
from core.errors import BadInput
from core.time import Month, microseconds
from settlement.documents.whatif import drawing
from settlement.documents.wording import Wording
from settlement.model import MeterReadings, Readings
from settlement.whatif import document
from settlement.whatif.candidates import candidates
from settlement.whatif.compare import Comparison, compare
from settlement.whatif.fairness import gini, spread

JANUARY, FEBRUARY = Month(2026, 1), Month(2026, 2)
FIRST = datetime(2025, 12, 31, 23, tzinfo=UTC)

BUILDING = """\
community: mees
name: Mees
timezone: Europe/Amsterdam
settlement_interval: 1h
owner: owner
flats: [{id: A, floor_area_m2: "50"}, {id: B, floor_area_m2: "150"}]
households: [{id: h-a, flat: A, from: 2025-01-01}, {id: h-b, flat: B, from: 2025-01-01}]
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: el-A, measures: electricity, flat: A, unit: kWh}
  - {id: el-B, measures: electricity, flat: B, unit: kWh}
  - {id: heat-A, measures: heat, flat: A, unit: kWh}
sharing: [{from: 2025-01-01, key: proportional, weights: {A: "3", B: "1"}, order: [B, A], common: never}]
tariffs:
  - from: 2025-01-01
    solar_eur_per_kwh: "0.20"
    feed_in_eur_per_kwh: "0.05"
    grid_eur_per_kwh: "0.30"
    vat_percent: {electricity: "21", heat: "21"}
"""


def hours(columns: dict[str, list[str]], first: datetime = FIRST) -> Readings:
    known = {}
    for meter, values in columns.items():
        rows = [(microseconds(first + n * timedelta(hours=1)), Decimal(v)) for n, v in enumerate(values) if v]
        known[meter] = MeterReadings("interval", tuple(t for t, _ in rows), tuple(v for _, v in rows))
    return known


HOUR = hours({"pv": ["10"], "el-A": ["4"], "el-B": ["16"]})


def compared(text: str = BUILDING, known: Readings = HOUR, last: Month = JANUARY) -> Comparison:
    return compare(parse(text).community, JANUARY, last, known)


def rules(comparison: Comparison) -> dict[str, Any]:
    return {rule["rule"]: rule for rule in document.document(comparison)["rules"]}


def gains(comparison: Comparison) -> dict[str, dict[str, int | None]]:
    return {
        one.candidate.name: {flat: comparison.gain_of_flat(one.outcome, flat) for flat in ("A", "B")}
        for one in comparison.tried
    }


def test_one_hour_by_hand() -> None:
    """10 kWh of sun, A used 4 and B 16: by use A gets 2 and B 8; a kWh of sun saves 10 cents, a kWh sold brings 5."""
    found = gains(compared())
    assert found["proportional/owner"] == {"A": 0, "B": 0}
    assert found["equal/owner"] == {"A": 20, "B": -30}  # A 4, B 5, one kWh is sold
    assert found["equal/community"] == {"A": 23, "B": -28} or found["equal/community"] == {"A": 22, "B": -27}
    assert found["equal/unused_share"] == {"A": 25, "B": -30}  # the kWh sold was A's
    assert found["fixed/owner"] == {"A": 20, "B": -55}  # A 4 of its 7.5, B 2.5
    assert found["optimal/owner"] == {"A": 20, "B": -20}  # A 4, B 6
    assert found["fixed-by-area/owner"] == {"A": 5, "B": -5}  # A 2.5, B 7.5
    assert found["priority/owner"] == {"A": -20, "B": 20}  # B all of it


def test_every_rule_that_the_file_allows_is_tried() -> None:
    weighted = ("fixed", "fixed-by-area", "optimal", "optimal-by-area", "hybrid", "hybrid-by-area")
    expected = {f"{key}/{surplus}" for key in ("proportional", "priority") for surplus in ("owner", "community")}
    expected |= {f"{key}/{s}" for key, s in product(("equal", *weighted), ("owner", "community", "unused_share"))}
    found = rules(compared())
    assert set(found) == expected
    assert [name for name, rule in found.items() if rule["today"]] == ["proportional/owner"]


def test_a_key_without_weights_or_order_is_named_with_what_to_add() -> None:
    bare = BUILDING.replace(', weights: {A: "3", B: "1"}, order: [B, A]', "")
    told = document.document(compared(bare))
    assert {entry["key"] for entry in told["not_possible"]} == {"fixed", "optimal", "hybrid", "priority"}
    for entry in told["not_possible"]:
        assert "2025-01-01" in entry["what_to_do"]
        assert ("weight" if entry["key"] != "priority" else "every flat exactly once") in entry["what_to_do"]
    assert {"fixed-by-area/owner", "hybrid-by-area/unused_share"} <= set(rules(compared(bare)))


def test_floor_areas_are_offered_only_where_they_are_known_and_not_the_files_weights_anyhow() -> None:
    same = BUILDING.replace('{A: "3", B: "1"}', '{A: "0.5", B: "1.5"}')
    unknown = BUILDING.replace(', floor_area_m2: "150"', "")
    for text in (same, unknown):
        assert not [name for name in rules(compared(text)) if "by-area" in name]


def test_floor_areas_are_offered_where_one_rule_of_the_span_has_other_weights() -> None:
    """Half a square metre each: the first rule's weights are the areas in other words; February's are not, or none."""
    for other in (", weights: {A: '1', B: '1'}", ", weights: {A: '0.5'}"):
        later = f"}}, {{from: 2026-02-01, key: equal{other}, order: [B, A], common: never}}]"
        text = BUILDING.replace('{A: "3", B: "1"}', '{A: "0.5", B: "1.5"}').replace(
            "common: never}]", "common: never" + later
        )
        for last, offered in ((JANUARY, False), (FEBRUARY, True)):
            tried, _ = candidates(parse(text).community, JANUARY, last)
            assert any(one.weights == "floor_area" for one in tried) is offered


def test_a_participating_common_area_needs_a_weight_under_keys_with_weights() -> None:
    text = BUILDING.replace("common: never", "common: participant").replace(
        "  - {id: heat-A", "  - {id: el-common, measures: electricity, common: true, unit: kWh}\n  - {id: heat-A"
    )
    told = document.document(compared(text))
    assert {one["key"] for one in told["not_possible"]} >= {"fixed", "fixed-by-area", "hybrid", "hybrid-by-area"}
    assert all("common_weight" in one["what_to_do"] for one in told["not_possible"])


def test_rules_outside_the_span_decide_nothing() -> None:
    text = BUILDING.replace(
        "sharing: [{from: 2025-01-01,", "sharing: [{from: 2024-01-01, key: equal}, {from: 2025-01-01,"
    )
    _, impossible = candidates(parse(text).community, JANUARY, JANUARY)
    assert impossible == []
    assert gains(compared(text)) == gains(compared())


def test_a_rule_outside_the_span_stays_as_it_is_under_every_candidate() -> None:
    """So the file's own rule is today's, though the one before it gave the surplus to others."""
    text = BUILDING.replace(
        "sharing: [{from: 2025-01-01,",
        "sharing: [{from: 2024-01-01, key: equal, surplus: community}, {from: 2025-01-01,",
    )
    community = parse(text).community
    tried, _ = candidates(community, JANUARY, JANUARY)
    assert all(one.community.sharing[0] == community.sharing[0] for one in tried)
    assert [one.name for one in tried if one.today] == ["proportional/owner"]


def test_todays_rule_may_change_within_the_span() -> None:
    later = "}, {from: 2026-02-01, key: equal, weights: {A: '3', B: '1'}, order: [B, A], common: never}]"
    text = BUILDING.replace("common: never}]", "common: never" + later)
    known = hours({"pv": ["10"] + [""] * 743 + ["10"], "el-A": ["4"] + [""] * 743 + ["4"], "el-B": ["16"] * 745})
    comparison = compared(text, known, FEBRUARY)
    assert document.document(comparison)["today"]["same_as"] is None
    assert gains(comparison)["equal/owner"] == {"A": 20, "B": -30}  # January only: February is equal already
    assert gains(comparison)["proportional/owner"] == {"A": -20, "B": 30}


def test_benefit_is_against_a_building_without_a_roof() -> None:
    comparison = compared()
    by_use = next(one.outcome for one in comparison.tried if one.candidate.name == "proportional/owner")
    assert comparison.benefits(by_use) == {"A": 20, "B": 80}
    assert comparison.benefits_per_kwh(by_use) == {"A": Fraction(5), "B": Fraction(5)}
    fair = comparison.fairness(by_use)
    assert fair == {"spread": 60, "gini": Fraction(3, 10), "spread_per_kwh": 0, "gini_per_kwh": 0}
    assert rules(comparison)["proportional/owner"]["gini"] == "0.3000"


def test_fixed_amounts_and_invoices_are_no_benefit_of_the_roof() -> None:
    dear = (
        BUILDING.replace("    vat_percent", '    fixed_eur_per_month: "12.00"\n    vat_percent')
        + 'costs: [{date: 2026-01-05, pool: common, eur: "100.00", invoice: M-1}]\n'
    )
    plain, charged = compared(), compared(dear)
    assert [plain.benefits(one.outcome) for one in plain.tried] == [
        charged.benefits(one.outcome) for one in charged.tried
    ]
    assert gains(plain) == gains(charged)


def test_what_is_missing_is_said_and_never_silently_nothing() -> None:
    comparison = compared(known=hours({"pv": ["10", "10"], "el-A": ["4", ""], "el-B": ["16", "16"]}), last=FEBRUARY)
    told = document.document(comparison)
    assert [(month["month"], month["counted"]) for month in told["months"]] == [("2026-01", True), ("2026-02", False)]
    assert told["months"][0]["missing_at"] == ["A", "B", "sun"]
    assert any(note.startswith("2026-02: no readings") for note in told["notes"])
    assert any("99.78 %" in note and "A, B, sun" in note for note in told["notes"])  # 5 of 2232 are known
    picture = drawing(comparison, Wording("nl"))
    assert "februari 2026 telt niet mee" in picture
    assert "januari 2026: 99,78\N{NO-BREAK SPACE}% van de metingen ontbreekt." in picture


def test_a_note_stands_for_every_month_that_is_not_wholly_known_and_for_no_other() -> None:
    """January is known, February is not, of March the first of 743 hours is; three columns: A, B and the sun."""
    column = ["1"] * 744 + [""] * 672 + ["1"]
    told = document.document(compared(known=hours({"pv": column, "el-A": column, "el-B": column}), last=Month(2026, 3)))
    assert told["notes"] == [
        "2026-02: no readings of electricity or sun, so this month counts for nothing here.",
        "2026-03: 99.87 % of the intervals are missing (A, B, sun); what is missing counts for nobody.",
    ]


def test_no_readings_at_all_are_refused() -> None:
    with pytest.raises(BadInput, match="no readings of electricity or sun from 2026-02 to 2026-02"):
        compare(parse(BUILDING).community, FEBRUARY, FEBRUARY, HOUR)
    with pytest.raises(BadInput, match="lies before"):
        compare(parse(BUILDING).community, FEBRUARY, JANUARY, HOUR)
    with pytest.raises(BadInput, match="There is no tariff for 2024-12-01"):
        compare(parse(BUILDING).community, Month(2024, 12), JANUARY, HOUR)


def test_without_a_grid_price_energy_is_told_and_money_is_not() -> None:
    comparison = compared(BUILDING.replace('    grid_eur_per_kwh: "0.30"\n', ""))
    equal = rules(comparison)["equal/owner"]
    assert equal["energy"]["self_consumption_percent"] == "90.00"
    assert equal["energy"]["self_sufficiency_percent"] == "45.00"
    assert (equal["spread_eur"], equal["gini"], equal["flats"][0]["gain_eur"]) == (None, None, None)
    assert any("grid_eur_per_kwh" in note for note in document.document(comparison)["notes"])
    assert "netprijs" in drawing(comparison, Wording("nl"))


def test_the_csv_has_every_party_of_every_rule() -> None:
    comparison = compared()
    rows = list(csv.DictReader(io.StringIO(document.table(comparison), newline="")))
    assert len(rows) == (len(comparison.tried) + 1) * 3
    by_name = {(row["rule"], row["flat"]): row for row in rows}
    assert by_name["equal/owner", "A"] == {
        "rule": "equal/owner", "key": "equal", "weights": "", "surplus": "owner", "flat": "A", "party": "h-a",
        "consumed_kwh": "4.000000", "shared_kwh": "4.000000", "self_sufficiency_percent": "100.00",
        "self_consumption_percent": "40.00", "paid_eur": "0.80", "grid_eur": "0.00", "cost_eur": "0.80",
        "gain_eur": "0.20", "benefit_eur": "0.40",
    }  # fmt: skip
    assert by_name["equal/owner", ""]["gain_eur"] == "0.05"


def test_the_drawing_can_be_read_without_seeing_it_and_without_colours() -> None:
    picture = drawing(compared(), Wording("nl"))
    root = ET.fromstring(picture)
    space = {"s": "http://www.w3.org/2000/svg"}
    assert root.get("role") == "img"
    title, description = root.find("s:title", space), root.find("s:desc", space)
    assert title is not None
    assert description is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    assert "In gelijke delen" in (description.text or "")
    assert "woning B: €\N{NO-BREAK SPACE}0,30 nadeel; woning A: €\N{NO-BREAK SPACE}0,20 voordeel" in (
        description.text or ""
    )
    gaining, losing = picture.count("<circle"), picture.count('fill="none"')
    assert gaining > 1
    assert losing > 1  # two shapes, not two colours
    assert re.search(r'viewBox="0 0 360 \d+"', picture)


def test_names_cannot_break_the_drawing() -> None:
    ET.fromstring(drawing(compared(BUILDING.replace("name: Mees", 'name: "<Mees & co>"')), Wording("en")))


@pytest.mark.parametrize(
    ("benefits", "expected"),
    [
        ([5], 0),
        ([1, 1, 1], 0),
        ([0, 0, 6], Fraction(2, 3)),
        ([1, 1, 2], Fraction(1, 6)),
        ([0, 0], None),
        ([-1, 5], None),
        ([], None),
    ],
)
def test_gini_by_hand(benefits: list[int], expected: Fraction | None) -> None:
    assert gini(benefits) == expected


@given(st.lists(st.fractions(min_value=0, max_value=1000), min_size=1, max_size=12))
def test_gini_is_half_the_mean_difference_over_the_mean(benefits: list[Fraction]) -> None:
    if not sum(benefits):
        assert gini(benefits) is None
        return
    pairs = sum(abs(one - other) for one in benefits for other in benefits)
    assert gini(benefits) == pairs / (2 * len(benefits) * sum(benefits))
    assert gini([3 * one for one in benefits]) == gini(benefits)
    assert spread(benefits) == max(benefits) - min(benefits)


def test_the_command_writes_three_files(tmp_path: Path) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415 - only here

    from wijkenergie.cli import app  # noqa: PLC0415 - only here

    (tmp_path / "c.yaml").write_text(BUILDING, encoding="utf-8")
    rows = "start,meter,value\n2025-12-31T23:00:00Z,pv,10\n2025-12-31T23:00:00Z,el-A,4\n2025-12-31T23:00:00Z,el-B,16\n"
    (tmp_path / "r.csv").write_text(rows, encoding="utf-8")
    arguments = ["whatif", f"{tmp_path}/c.yaml", f"{tmp_path}/r.csv", "--from", "2026-01", "--until", "2026-01"]
    shown = CliRunner().invoke(app, [*arguments, "--out", f"{tmp_path}/out"])
    assert shown.exit_code == 0, shown.output
    assert "equal/unused_share" in shown.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["whatif.csv", "whatif.json", "whatif.svg"]
    told = CliRunner().invoke(app, [*arguments, "--out", f"{tmp_path}/out", "--json"])
    assert json.loads(told.stdout) == json.loads((tmp_path / "out" / "whatif.json").read_text(encoding="utf-8"))


def test_how_even_a_benefit_is_does_not_depend_on_who_comes_first() -> None:
    # Differences of 1, 1 and 0, each twice: 4 / (2 x 3 x 4).
    assert {gini(order) for order in ([2, 1, 1], [1, 2, 1], [1, 1, 2])} == {Fraction(1, 6)}
