"""A small building whose month can become final: two flats, hourly readings of everything, and ways to damage it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from core.community import Community
from core.communityfile import build
from core.time import Month, microseconds
from settlement import selection, statement
from settlement.changes import Inputs, inputs_of
from settlement.model import MeterReadings
from settlement.month import Settled, settle

FEBRUARY = Month(2026, 2)
HOUR = timedelta(hours=1)
START = datetime(2026, 1, 31, 22, tzinfo=UTC)
"""An hour before the local month."""
HOURS = 28 * 24 + 2
PER_HOUR = {"pv": 900, "grid-in": 1000, "grid-out": 300, "el-A": 700, "el-B": 600, "el-common": 290,
            "boiler": 5000, "heat-A": 2400, "heat-B": 1700}  # fmt: skip
"""What each meter counts in an hour [Wh]; what comes in is what is used, but for 10 Wh."""

TREE: dict[str, Any] = {
    "community": "linde",
    "name": "Linde",
    "timezone": "Europe/Amsterdam",
    "settlement_interval": "1h",
    "owner": "owner",
    "flats": [{"id": "A", "floor_area_m2": "60"}, {"id": "B", "floor_area_m2": "40"}],
    "households": [
        {"id": "h-a", "flat": "A", "from": "2025-01-01"},
        {"id": "h-b", "flat": "B", "from": "2025-01-01"},
    ],
    "meters": [
        {"id": "pv", "measures": "solar_generation", "unit": "kWh", "every": "1h"},
        {"id": "grid-in", "measures": "grid_import", "unit": "kWh", "every": "1h"},
        {"id": "grid-out", "measures": "grid_export", "unit": "kWh", "every": "1h"},
        {"id": "el-A", "measures": "electricity", "flat": "A", "unit": "kWh", "every": "1h"},
        {"id": "el-B", "measures": "electricity", "flat": "B", "unit": "kWh", "every": "1h"},
        {"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh", "every": "1h"},
        {"id": "boiler", "measures": "heat_produced", "unit": "kWh", "every": "1h"},
        {"id": "heat-A", "measures": "heat", "flat": "A", "unit": "kWh", "every": "1h"},
        {"id": "heat-B", "measures": "heat", "flat": "B", "unit": "kWh", "every": "1h"},
    ],
    "sharing": [{"from": "2025-01-01", "key": "proportional"}],
    "tariffs": [
        {
            "from": "2025-01-01",
            "solar_eur_per_kwh": "0.18",
            "feed_in_eur_per_kwh": "0.06",
            "fixed_eur_per_month": "4.50",
            "vat_percent": {"electricity": "21", "heat": "9"},
        }
    ],
    "heat": [{"from": "2025-01-01", "measured_percent": "65", "fixed_by": "floor_area"}],
    "pellets": {
        "kwh_per_kg": "4.8",
        "opening": {"at": "2026-02-01T00:00:00+01:00", "kg": "1000", "eur": "300.00"},
        "deliveries": [{"at": "2026-02-10T09:00:00+01:00", "kg": "1000", "eur": "310.00", "invoice": "P-17"}],
        "counts": [{"at": "2026-03-01T00:00:00+01:00", "kg": "1100"}],
    },
    "costs": [{"date": "2026-02-20", "pool": "heat", "eur": "61.00", "invoice": "M-4"}],
    "advances": [{"household": "h-a", "from": "2025-01-01", "eur_per_month": "85.00"}],
}


def tree(**sections: Any) -> dict[str, Any]:
    """The community file, with other sections."""
    return deepcopy(TREE) | sections


def town(**sections: Any) -> Community:
    """The community, with other sections."""
    return build(tree(**sections), "the case").community


def registers(hours: int = HOURS) -> dict[str, dict[datetime, Decimal]]:
    """Registers of every meter, hour by hour, from before the month to after it."""
    return {
        meter: {START + HOUR * hour: Decimal(watt_hours * hour) / 1000 for hour in range(hours)}
        for meter, watt_hours in PER_HOUR.items()
    }


def readings(values: Mapping[str, Mapping[datetime, Decimal]]) -> dict[str, MeterReadings]:
    """Registers as the settlement takes them; a meter without rows is absent."""
    return {
        meter: MeterReadings("register", [microseconds(at) for at in sorted(rows)], [rows[at] for at in sorted(rows)])
        for meter, rows in values.items()
        if rows
    }


def settled(
    community: Community, values: Mapping[str, Mapping[datetime, Decimal]], month: Month = FEBRUARY
) -> tuple[Settled, dict[str, Any], Inputs]:
    """A month with its statement, and what it was settled from."""
    selected = selection.used(community, month, readings(values))
    done = settle(community, month, selected)
    document = statement.document(done, selection.input_sha256(community, month, selected), status="final")
    return done, document, inputs_of(community, month, selected)
