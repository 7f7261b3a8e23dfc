"""The expander of Grafana's macros, held against what Grafana makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.grafana import MacroError, Panel

NEWEST = datetime(2026, 10, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sql", "plain", "timescaledb"),
    [
        ("$__time(at)", 'at AS "time"', None),
        ("$__timeEpoch(at)", 'extract(epoch from at) as "time"', None),
        ("$__timeFilter(at)", "at BETWEEN '2026-10-30T12:00:00Z' AND '2026-10-31T12:00:00.5Z'", None),
        (
            "x >= $__timeFrom() AND x < $__timeTo()",
            "x >= '2026-10-30T12:00:00Z' AND x < '2026-10-31T12:00:00.5Z'",
            None,
        ),
        (
            "GROUP BY $__timeGroup(at, '5m')",
            "GROUP BY floor(extract(epoch from at)/300)*300",
            "GROUP BY time_bucket('300.000s',at)",
        ),
        ("$__timeGroup(at,'5m', NULL)", "floor(extract(epoch from at)/300)*300", "time_bucket('300.000s',at)"),
        (
            "$__timeGroup(at,'1h'), x",
            'floor(extract(epoch from at)/3600)*3600 AS "time", x',
            "time_bucket('3600.000s',at) AS \"time\", x",
        ),
        (
            "$__timeGroupAlias(at,$__interval)",
            'floor(extract(epoch from at)/900)*900 AS "time"',
            "time_bucket('900.000s',at) AS \"time\"",
        ),
        ("$__unixEpochFilter(e)", "e >= 1793361600 AND e <= 1793448000", None),
        ("$__unixEpochFrom() $__unixEpochTo()", "1793361600 1793448000", None),
        ("$__unixEpochNanoFrom()", "1793361600000000000", None),
        ("$__unixEpochGroupAlias(e,'1m')", 'floor((e)/60)*60 AS "time"', None),
        ("$__interval_ms", "900000", None),
        ("'$house' IN ($many) ${house}", "'d''n-hoek' IN ('a','b''c') d''n-hoek", None),
    ],
)
def test_macros_become_what_grafana_makes_of_them(sql: str, plain: str, timescaledb: str | None) -> None:
    end = NEWEST + timedelta(milliseconds=500)
    variables = {"house": "d'n-hoek", "many": ["a", "b'c"]}
    start = NEWEST - timedelta(days=1)
    assert Panel(start, end, timescaledb=False).expand(sql, variables) == plain
    assert Panel(start, end, timescaledb=True).expand(sql, variables) == (timescaledb or plain)


@pytest.mark.parametrize(
    "sql",
    ["$__timeBucket(at)", "$__timeGroup(at)", "$__timeGroup(at,'1d')", "$__timeGroup(at,'1h',nothing)", "$unknown",
     "$__timeGroup(date_trunc('h',at),'1h')"],
)  # fmt: skip
def test_what_grafana_or_the_house_refuses_is_refused(sql: str) -> None:
    with pytest.raises(MacroError):
        Panel(NEWEST, NEWEST, timescaledb=True).expand(sql, {})
