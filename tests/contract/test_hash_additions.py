"""The input's hash with the settings that came later, recomputed from docs/hashes.md alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.contract.test_replay import SMALL, compact, documented_hash, hourly, small, utc

HEAT = """heat:
  - {from: 2025-01-01, measured_percent: "65", failed_meters: as_read}
  - {from: 2026-01-01, measured_percent: "65", failed_meters: estimate, hot_water: {measured_percent: "60"}}
"""
FUEL = """pellets:
  kwh_per_kg: "4.8"
  level_tolerance_percent: "11"
  opening: {at: 2026-01-01T00:00:00+01:00, kg: "5000", eur: "1500.00"}
  counts: [{at: 2026-02-01T00:00:00+01:00, kg: "4000"}]
  corrections:
    - {at: 2026-01-20T09:00:00+01:00, kg: "-40", why: wet bags, by: a volunteer}
    - {at: 2026-01-10T09:00:00+01:00, kg: "0", eur: "-12.00", why: credit note, by: a volunteer}
    - {at: 2026-02-20T09:00:00+01:00, kg: "7", why: found, by: a volunteer}
"""


def spelled_out(tree: dict[str, Any]) -> dict[str, Any]:
    """Give the additions their canonical form: what says nothing is not there, what is has its defaults."""
    for rule in tree["heat"]:
        if rule.get("failed_meters") == "as_read":
            del rule["failed_meters"]
        if "hot_water" in rule:
            rule["hot_water"] = {"fixed_by": "floor_area", "warm_celsius": "60"} | rule["hot_water"]
    corrections = utc([{"eur": "0"} | entry for entry in tree["pellets"]["corrections"]])
    kept = [entry for entry in corrections if entry["at"] <= "2026-02-01T11:00:00Z"]
    tree["pellets"]["corrections"] = sorted(kept, key=compact)
    return tree


def test_input_hash_of_heat_and_pellet_settings_is_what_the_document_says(tmp_path: Path) -> None:
    text = SMALL.replace("sharing:", "  - {id: hot-A, measures: hot_water, flat: A, unit: m3}\nsharing:") + HEAT + FUEL
    rows = "start,meter,value\n" + "".join(
        hourly(meter, ["0.5"] * 744) for meter in ("el-A", "el-B", "heat-A", "hot-A")
    )
    told = small(tmp_path, rows, text)
    assert documented_hash(spelled_out(YAML(typ="base").load(text)), rows) == told["input_sha256"]
