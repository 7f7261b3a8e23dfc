"""Eighteen real homes, a whole year under every rule: fast enough to try out, and true to the settled year."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from pathlib import Path

import pytest

from core.communityfile import parse
from core.time import Month
from settlement import readingsfile
from settlement.whatif import document
from settlement.whatif.compare import compare
from tests.realyear.building import community_yaml
from tests.realyear.converter import convert, readings_csv
from tests.realyear.golden import TABLE

SECONDS = 120


@pytest.mark.long
def test_a_year_under_every_rule(shared_data: Path, tmp_path: Path) -> None:
    year = convert(shared_data)
    community = parse(community_yaml(year)).community
    (tmp_path / "readings.csv").write_text(readings_csv(year, 0, len(year.starts)), encoding="utf-8")
    readings = readingsfile.read(tmp_path / "readings.csv", community)
    begin = time.monotonic()
    comparison = compare(community, Month(2016, 1), Month(2016, 12), readings)
    took = time.monotonic() - begin
    told = document.document(comparison)
    golden = json.loads(TABLE.read_text(encoding="utf-8"))["months"]

    def of_year(name: str) -> Decimal:
        return sum((Decimal(month["energy"][name]) for month in golden), Decimal(0))

    def charged(*codes: str) -> Decimal:
        return sum((Decimal(m["amounts_eur"].get(code, 0)) for m in golden for code in codes), Decimal(0))

    today = told["today"]
    assert {name: Decimal(today["energy"][name]) for name in ("solar_kwh", "shared_kwh", "surplus_kwh")} == {
        name: of_year(name) for name in ("solar_kwh", "shared_kwh", "surplus_kwh")
    }
    assert Decimal(today["paid_by_all_eur"]) == charged("solar", "feed_in", "common", "fixed")
    assert len(told["rules"]) == 16  # the weights are the floor areas, so these are not tried twice
    assert took < SECONDS, f"{took:.1f} s for {len(told['rules'])} rules"
