"""A town of nothing but flats, a roof and one sharing rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from core.community import Community
from core.communityfile import build


def sharing_town(flats: Sequence[str], rule: Mapping[str, Any], *, common: bool, interval: str = "1h") -> Community:
    """Build a town in which every flat, and with ``common`` the common area, has a meter."""
    meters = [{"id": f"el-{name}", "measures": "electricity", "flat": name, "unit": "kWh"} for name in flats]
    if common:
        meters.append({"id": "el-common", "measures": "electricity", "common": "true", "unit": "kWh"})
    tree = {
        "community": "c",
        "name": "C",
        "timezone": "Europe/Amsterdam",
        "settlement_interval": interval,
        "owner": "owner",
        "flats": [{"id": name, "floor_area_m2": "50"} for name in flats],
        "households": [],
        "meters": meters,
        "sharing": [{"from": "2020-01-01", **rule}],
        "tariffs": [{"from": "2020-01-01", "solar_eur_per_kwh": "0.18", "vat_percent": {"electricity": "21"}}],
    }
    return build(tree, "the town").community
