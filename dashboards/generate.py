"""Write the dashboards: ``python -m dashboards.generate`` after a change here, and commit the JSON with it.

Each dashboard is one function in ``DASHBOARDS``. Queries see schema ``grafana`` only. Three rules
keep their sums right:

- Energy is summed over ``time >= $__timeFrom() AND time < $__timeTo()``: Grafana's own ``$__timeFilter`` includes both
  ends and would count an interval on the border of two ranges twice.
- A day is a local day, by `date_trunc` with the time zone: ``$__timeGroup(time, '1d')`` would give UTC days.
- Energy is shown per hour or per day, never per interval: an interval's length is each community's own choice.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from dashboards.panels import Json, choice, dashboard, over_time, row, stat, table

TIMEZONE = "Europe/Amsterdam"
_HERE = Path(__file__).parent
_SUN, _HEAT, _USE, _GRID, _STOCK = "#f2b01e", "#d9480f", "#1f6f8b", "#868e96", "#8d6e3f"

_HERE_ONLY = "community = '$community'"
_IN_RANGE = f"{_HERE_ONLY} AND time >= $__timeFrom() AND time < $__timeTo()"
# From the start of the first day, so that no bar is cut off by the edge of the chosen range.
_WHOLE_DAYS = (
    f"{_HERE_ONLY} AND time >= date_trunc('day', timestamptz $__timeFrom(), '{TIMEZONE}') AND time < $__timeTo()"
)
_TODAY = f"{_HERE_ONLY} AND time >= date_trunc('day', now(), '{TIMEZONE}')"


def _per_hour(columns: dict[str, str]) -> str:
    sums = ", ".join(f'sum({column}) AS "{name}"' for name, column in columns.items())
    return (
        f"SELECT $__timeGroupAlias(time, '1h'), {sums} FROM grafana.building_quarter"
        f" WHERE {_IN_RANGE} GROUP BY 1 ORDER BY 1"
    )


def _per_day(columns: dict[str, str]) -> str:
    sums = ", ".join(f'sum({column}) AS "{name}"' for name, column in columns.items())
    return (
        f"SELECT date_trunc('day', time, '{TIMEZONE}') AS time, {sums} FROM grafana.building_quarter"
        f" WHERE {_WHOLE_DAYS} GROUP BY 1 ORDER BY 1"
    )


def _today(expression: str) -> str:
    return f'SELECT {expression} AS "vandaag" FROM grafana.building_quarter WHERE {_TODAY}'


def _sun() -> list[Json]:
    from_roof = {
        "Zon": "solar_kwh",
        "Verbruik": "consumed_kwh",
        "Naar het net": "export_kwh",
        "Van het net": "import_kwh",
    }
    colours = {"Zon": _SUN, "Verbruik": _USE, "Naar het net": _GRID, "Van het net": "#495057"}
    return [
        row("Zon", 0),
        stat(
            "Zon vandaag",
            "Zoveel stroom maakte het dak vandaag. De dag begint om middernacht.",
            _today("sum(solar_kwh)"),
            "kwatth",
            (0, 1, 6, 4),
        ),
        stat(
            "Verbruik vandaag",
            "Zoveel stroom gebruikten alle woningen en de gangen samen.",
            _today("sum(consumed_kwh)"),
            "kwatth",
            (6, 1, 6, 4),
        ),
        stat(
            "Zon zelf gebruikt vandaag",
            "Dit deel van de zonnestroom bleef in het gebouw. De rest ging naar het net.",
            _today("(sum(solar_kwh) - sum(export_kwh)) / nullif(sum(solar_kwh), 0)"),
            "percentunit",
            (12, 1, 6, 4),
        ),
        stat(
            "Stroom van het dak vandaag",
            "Dit deel van het verbruik kwam rechtstreeks van het dak.",
            _today("(sum(solar_kwh) - sum(export_kwh)) / nullif(sum(consumed_kwh), 0)"),
            "percentunit",
            (18, 1, 6, 4),
        ),
        over_time(
            "Stroom per uur",
            "Alle stroom van het gebouw, per uur.",
            _per_hour(from_roof),
            "kwatth",
            (0, 5, 12, 8),
            colours=colours,
        ),
        over_time(
            "Stroom per dag",
            "Zon en verbruik van het hele gebouw, per dag.",
            _per_day({"Zon": "solar_kwh", "Verbruik": "consumed_kwh"}),
            "kwatth",
            (12, 5, 12, 8),
            "bars",
            colours={"Zon": _SUN, "Verbruik": _USE},
        ),
    ]


def _heat() -> list[Json]:
    return [
        row("Warmte", 13),
        over_time(
            "Warmte per uur",
            "Wat de ketel maakte, en wat de woningen samen afnamen. Het verschil blijft in de leidingen.",
            _per_hour({"Ketel": "heat_produced_kwh", "Woningen": "heat_used_kwh"}),
            "kwatth",
            (0, 14, 12, 8),
            colours={"Ketel": _HEAT, "Woningen": _USE},
        ),
        over_time(
            "Warmte per dag",
            "Wat de ketel maakte, en wat de woningen samen afnamen, per dag.",
            _per_day({"Ketel": "heat_produced_kwh", "Woningen": "heat_used_kwh"}),
            "kwatth",
            (12, 14, 8, 8),
            "bars",
            colours={"Ketel": _HEAT, "Woningen": _USE},
        ),
        stat(
            "Warmte in de leidingen",
            "Dit deel van de warmte kwam niet bij de woningen aan, in de gekozen dagen.",
            "SELECT (sum(heat_produced_kwh) - sum(heat_used_kwh)) / nullif(sum(heat_produced_kwh), 0)"
            f' AS "verlies" FROM grafana.building_quarter WHERE {_IN_RANGE}',
            "percentunit",
            (20, 14, 4, 8),
            [
                {"color": "green", "value": None},
                {"color": "orange", "value": 0.25},
                {"color": "red", "value": 0.4},
            ],
        ),
    ]


def _pellets() -> list[Json]:
    return [
        row("Pellets", 22),
        stat(
            "Nu in de silo",
            "De laatste stand van de sensor. Zakken tellen is preciezer.",
            f'SELECT kg AS "voorraad" FROM grafana.pellet_stock WHERE {_HERE_ONLY} ORDER BY time DESC LIMIT 1',
            "masskg",
            (0, 23, 6, 8),
        ),
        over_time(
            "Stand van de silo",
            "De sensor, gemiddeld per uur. Een sprong omhoog is een levering.",
            f"SELECT $__timeGroupAlias(time, '1h'), avg(kg) AS \"Pellets\" FROM grafana.pellet_stock"
            f" WHERE {_IN_RANGE} GROUP BY 1 ORDER BY 1",
            "masskg",
            (6, 23, 18, 8),
            colours={"Pellets": _STOCK},
        ),
    ]


def _freshness() -> list[Json]:
    names = {
        "solar_generation": "zon",
        "electricity": "stroom",
        "grid_import": "van het net",
        "grid_export": "naar het net",
        "heat_produced": "warmte van de ketel",
        "heat": "warmte van de woningen",
        "hot_water": "warm water",
        "pellet_stock": "pellets",
    }
    kinds = {
        "inverter": "omvormers",
        "electricity_meter": "stroommeters",
        "heat_meter": "warmtemeters",
        "boiler": "ketels",
        "level_sensor": "niveaumeters",
    }
    cases, kind_cases = (
        " ".join(f"WHEN '{code}' THEN '{name}'" for code, name in named.items()) for named in (names, kinds)
    )
    return [
        row("Versheid", 31),
        stat(
            "Langst stil",
            "Zo lang geleden kwam de laatste meting van de meter die het langst stil is.",
            f'SELECT extract(epoch FROM now() - min(stalest)) AS "stil" FROM grafana.freshness WHERE {_HERE_ONLY}',
            "s",
            (0, 32, 6, 8),
            [
                {"color": "green", "value": None},
                {"color": "orange", "value": 3600},
                {"color": "red", "value": 86400},
            ],
        ),
        table(
            "Laatste meting per soort",
            "Een lange stilte is een meter of een verbinding die hapert. Het is geen stroomstoring.",
            f'SELECT CASE measures {cases} ELSE measures END AS "soort", meters AS "meters", never AS "nooit gehoord",'
            ' newest AS "laatste meting", extract(epoch FROM now() - stalest) AS "langst stil"'
            f" FROM grafana.freshness WHERE {_HERE_ONLY} ORDER BY stalest",
            "short",
            (6, 32, 18, 8),
            {"laatste meting": "dateTimeAsLocal", "langst stil": "s"},
        ),
        table(
            "Stille apparaten",
            "Zoveel apparaten zwijgen langer dan gewoon. Omvormers slapen 's nachts; dan tellen ze ook als stil.",
            f'SELECT CASE kind {kind_cases} ELSE kind END AS "soort", devices AS "apparaten", silent AS "stil",'
            f' never AS "nooit gehoord" FROM grafana.devices WHERE {_HERE_ONLY} ORDER BY silent DESC, kind',
            "short",
            (0, 40, 24, 7),
            {},
        ),
    ]


def building() -> Json:
    """Sun, heat, pellets and freshness of one building."""
    return dashboard(
        uid="wijkenergie-gebouw",
        title="Gebouw",
        description="Zon, warmte en pellets van het hele gebouw. Nooit van een woning.",
        timezone=TIMEZONE,
        panels=[*_sun(), *_heat(), *_pellets(), *_freshness()],
        variables=[
            choice("community", "Gebouw", "SELECT DISTINCT community FROM grafana.freshness ORDER BY community")
        ],
    )


DASHBOARDS: dict[str, Callable[[], Json]] = {"gebouw.json": building}
"""File name and what makes its content."""


def text(made: Json) -> str:
    """Write a dashboard as the bytes that are committed: sorted keys, so that a change shows as itself."""
    return json.dumps(made, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def main() -> None:
    """Write every dashboard beside this module."""
    for name, make in DASHBOARDS.items():
        (_HERE / name).write_text(text(make()), encoding="utf-8")
        sys.stdout.write(f"wrote dashboards/{name}\n")


if __name__ == "__main__":
    main()
