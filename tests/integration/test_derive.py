"""Stored quarter-hours: always what a settlement of their month would find, whatever came late, and with their past."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from core.communityfile import parse
from core.db import byhand, config, stale
from core.db.byhand import with_entry
from core.db.connection import Connection, connect
from core.db.readings import insert_readings
from core.time import Month, from_microseconds, rfc3339
from settlement import derive, intervals, store
from settlement.readings import boundaries

SLUG = "de-linde"
TOWN = """
community: de-linde
name: De Linde
timezone: Europe/Amsterdam
estimates: {estimates}
location: {{latitude: "52", longitude: "5"}}
owner: owner
flats: [{{id: A}}, {{id: B}}, {{id: C}}]
households: []
meters:
  - {{id: pv, measures: solar_generation, unit: Wh}}
  - {{id: el-A, measures: electricity, flat: A, unit: kWh}}
  - {{id: el-B, measures: electricity, flat: B, unit: kWh, digits: 3}}
  - {{id: el-C, measures: electricity, flat: C, unit: MWh}}
  - {{id: heat-A, measures: heat, flat: A, unit: GJ}}
sharing: [{{from: 2026-01-01, key: proportional}}]
tariffs: [{{from: 2026-01-01, solar_eur_per_kwh: "0", vat_percent: {{electricity: "0", heat: "0"}}}}]
heat: [{{from: 2026-01-01, measured_percent: "65", fixed_by: equal}}]
"""
START = datetime(2026, 3, 28, tzinfo=UTC)
"""Its fourth day is in another month, and clocks change on its second."""
NOW = datetime(2026, 4, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FACTORS = {"pv": Decimal(1000), "el-A": Decimal(1), "el-B": Decimal(1), "el-C": Decimal("0.001"),
           "heat-A": Decimal("0.0036")}  # fmt: skip
Row = tuple[str, datetime, Decimal]
ALL = "SELECT meter, start, energy, quality, method FROM quarter WHERE quality <> 'missing' ORDER BY 1, 2"


def make(connection: Connection, estimates: str, now: datetime) -> None:
    config.apply(connection, parse(TOWN.format(estimates=estimates)), now, "test")


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as opened:
        make(opened, "linear", START)
        yield opened


def days(random: Random, meter: str) -> list[Row]:
    """Four days of a register: read every few minutes, with gaps, dips, spikes, a roll-over and a reset."""
    often = [5, 10, 10, 15, 15, 15, 20] * random.choice([0, 1, 20])
    at, value, rows = START + random.randint(0, 900) * timedelta(seconds=1), Decimal(random.randint(980, 999)), []
    while at < START + timedelta(days=4):
        value += Decimal(random.randint(0, 300)) / 1000
        odd = random.random()
        shown = value % 1000 if meter == "el-B" else value
        if odd < 0.004 * (1 + 10 * (len(often) < 10)):
            shown = max(Decimal(0), shown - 5)
        elif odd < 0.008 * (1 + 10 * (len(often) < 10)):
            shown += 5
        elif odd > 0.999:
            value = Decimal(1)
            shown = value
        rows.append((meter, at, shown * FACTORS[meter]))
        at += random.choice([*often, 100, 300, 1500]) * MINUTE
        at += random.choice([0, 0, 17]) * timedelta(seconds=1)
    return rows


def put(connection: Connection, rows: Sequence[Row]) -> None:
    insert_readings(connection, SLUG, rows, "test")


def minute(meter: str, values: dict[int, str]) -> list[Row]:
    return [(meter, START + number * MINUTE, Decimal(value)) for number, value in values.items()]


def expected(connection: Connection) -> list[tuple]:
    """What the exact way finds, month by month."""
    community = config.load(connection, SLUG).community
    rows = []
    for month in (Month(2026, 3), Month(2026, 4)):
        bounds = boundaries(community, month)
        series, _ = intervals.of_all(community, store.readings_for(connection, community, bounds), bounds)
        rows += [
            (name, from_microseconds(start), energy, quality, method)
            for name, one in series.items()
            for start, energy, quality, method in zip(bounds, one.energy, one.quality, one.method, strict=False)
            if energy is not None
        ]
    return sorted(rows)


def shares(connection: Connection) -> list[tuple]:
    return connection.execute(
        "SELECT flat, start, consumed, shared, quality FROM shared_quarter WHERE quality <> 'missing' ORDER BY 1, 2"
    ).fetchall()


def settled(connection: Connection, number: int) -> None:
    """Work in what came; check that it is all there, and that it changes nothing to do it all again."""
    now = NOW + number * MINUTE
    derive.update(connection, SLUG, now)
    assert connection.execute(ALL).fetchall() == expected(connection)
    found = shares(connection)
    stale.everything(connection, SLUG)
    assert derive.update(connection, SLUG, now + timedelta(days=1)) == 0
    assert shares(connection) == found
    assert derive.update(connection, SLUG, now + timedelta(days=1)) == 0


@pytest.mark.parametrize("estimates", ["linear", "shaped"])
@pytest.mark.parametrize("seed", range(3))
def test_whatever_comes_late_or_twice_or_out_of_order_the_result_is_that_of_the_whole_month(
    connection: Connection, estimates: str, seed: int
) -> None:
    if estimates == "shaped":
        make(connection, estimates, NOW)
    random = Random(seed)
    rows = [row for meter in FACTORS for row in days(random, meter)]
    rows.sort(key=lambda row: row[1] + (random.random() < 0.1) * timedelta(minutes=random.randint(0, 3000)))
    cuts = sorted(random.sample(range(len(rows)), 6))
    for number, (first, end) in enumerate(zip([0, *cuts], [*cuts, len(rows)], strict=True)):
        put(connection, [*rows[first:end], *random.choices(rows[: max(1, end)], k=3)])
        settled(connection, number)


def test_only_what_changed_gets_a_new_time_and_leaves_a_past(connection: Connection) -> None:
    put(connection, minute("el-A", {number: f"{number}" for number in range(0, 181, 15)}))
    assert derive.update(connection, SLUG, NOW) == 12
    put(connection, minute("el-A", {67: "68", 240: "240"}))
    # Between two boundaries that were read nothing changes.
    assert derive.update(connection, SLUG, NOW + MINUTE) == 4
    newer = connection.execute("SELECT start FROM quarter WHERE known_at > %s ORDER BY 1", (NOW,)).fetchall()
    assert [start for (start,) in newer] == [START + number * MINUTE for number in (180, 195, 210, 225)]


def test_a_meter_that_was_away_for_days_is_worked_in_with_its_past_and_shares(connection: Connection) -> None:
    week = {number: f"{1000 + number}" for number in range(0, 4 * 1440, 15)}
    put(connection, [*minute("pv", {number: f"{number}" for number in week}), *minute("el-A", week)])
    put(connection, minute("el-B", {0: "100", 15: "101"}))
    derive.update(connection, SLUG, NOW)
    assert ("B", START + 15 * MINUTE) not in [row[:2] for row in shares(connection)]
    put(connection, minute("el-B", {number: f"{100 + number / 100:.2f}" for number in range(30, 4 * 1440, 15)}))
    settled(connection, 1)
    assert ("B", START + 15 * MINUTE) in [row[:2] for row in shares(connection)]
    given = {flat: shared for flat, start, _, shared, _ in shares(connection) if start == START + timedelta(days=1)}
    assert given["B"] > 0
    assert given["A"] + given["B"] == 15_000


@pytest.mark.parametrize(
    ("before", "late"),
    [
        # The jump at 360 is a spike, which only the reading after it shows; the boundary at 30 leans on it.
        ({0: "0", 20: "1", 360: "100", 540: "4", 720: "5"}, {10: "0.5"}),
        # What lies between 45 and 100 is a dip, as long as it lasts.
        ({0: "0", 45: "10", 50: "2", 55: "2.1", 70: "2.2", 80: "2.4", 100: "10.5", 115: "10.6"}, {75: "2.3"}),
    ],
)
def test_what_is_odd_beside_what_is_new_is_taken_for_what_it_is(
    connection: Connection, before: dict[int, str], late: dict[int, str]
) -> None:
    put(connection, minute("el-A", before))
    derive.update(connection, SLUG, NOW)
    connection.execute("UPDATE reading SET known_at = known_at - interval '1 hour'")
    put(connection, minute("el-A", late))
    derive.update(connection, SLUG, NOW + MINUTE)
    assert connection.execute(ALL).fetchall() == expected(connection)


def test_a_batch_that_is_taken_back_leaves_what_it_said_in_the_past(connection: Connection) -> None:
    put(connection, minute("el-A", {0: "1", 15: "2", 60: "5"}))
    derive.update(connection, SLUG, NOW)
    before = connection.execute(ALL).fetchall()
    number = store.add_batch(connection, SLUG, "file", NOW)
    insert_readings(connection, SLUG, minute("el-A", {30: "4.5", 75: "6", 90: "7"}), "file", number)
    derive.update(connection, SLUG, NOW + MINUTE)
    assert connection.execute(ALL).fetchall() != before
    assert store.remove_batch(connection, SLUG, number) == 3
    derive.update(connection, SLUG, NOW + 2 * MINUTE)
    assert connection.execute(ALL).fetchall() == before == expected(connection)
    lost = connection.execute("SELECT start FROM quarter WHERE quality = 'missing' ORDER BY 1").fetchall()
    assert [start for (start,) in lost] == [START + 60 * MINUTE, START + 75 * MINUTE]
    past = connection.execute(
        "SELECT energy FROM quarter_known(%s) WHERE start >= %s ORDER BY start",
        (NOW + MINUTE, START + 60 * MINUTE),
    ).fetchall()
    assert past == [(1_000_000,), (1_000_000,)]


def test_a_hand_on_one_meter_touches_that_meter_alone(connection: Connection) -> None:
    for meter in ("el-A", "el-C"):
        put(connection, minute(meter, {number: f"{number}" for number in range(0, 601, 15)}))
    derive.update(connection, SLUG, NOW)
    connection.execute("UPDATE reading SET known_at = known_at - interval '1 hour'")  # not new enough to be looked at
    connection.execute("UPDATE quarter SET energy = 7 WHERE meter = 'el-C'")  # which would mend this
    file = config.load(connection, SLUG)
    edit = {"meter": "el-A", "at": rfc3339(START + 300 * MINUTE), "value": "300.5", "by": "test", "why": "display"}
    config.apply(connection, with_entry(file, "edits", edit), NOW, "test")
    assert derive.update(connection, SLUG, NOW + MINUTE) == 2
    (entry,) = byhand.listed(connection, SLUG)
    byhand.withdraw(connection, SLUG, entry.kind, entry.key, "test", "misread", NOW)
    assert derive.update(connection, SLUG, NOW + 2 * MINUTE) == 2
    assert connection.execute("SELECT count(*) FROM quarter WHERE meter = 'el-C' AND energy = 7").fetchone() == (40,)
    stale.everything(connection, SLUG)
    assert derive.update(connection, SLUG, NOW + 3 * MINUTE) == 40


def test_readings_that_are_committed_late_are_not_missed(connection: Connection, database_url: str) -> None:
    put(connection, minute("el-A", {0: "1", 15: "2"}))
    derive.update(connection, SLUG, NOW)
    insert = "INSERT INTO reading (community, meter, time, value, known_at) VALUES (%s, 'el-A', %s, %s, now() + %s)"
    with connect(database_url) as slow:
        with slow.transaction():
            slow.execute(insert, (SLUG, START + 30 * MINUTE, Decimal("2.5"), timedelta(0)))
            # An hour passes, as far as the clock of the others is concerned.
            connection.execute(insert, (SLUG, START + 60 * MINUTE, 5, timedelta(hours=1)))
            derive.update(connection, SLUG, NOW + MINUTE)
            assert connection.execute(ALL).fetchall()[-1][3] == "estimated"
        assert derive.update(connection, SLUG, NOW + 2 * MINUTE) == 3
    assert connection.execute(ALL).fetchall() == expected(connection)


def test_a_request_made_during_a_run_is_met_by_the_next(connection: Connection) -> None:
    put(connection, minute("el-A", {0: "1", 15: "2", 30: "3"}))
    derive.update(connection, SLUG, NOW)
    stale.span(connection, SLUG, "el-A", START, START)
    found = derive.store.stale(connection, SLUG)
    assert found is not None
    stale.span(connection, SLUG, "el-A", START, START)
    derive.store.mark(connection, SLUG, found)
    assert connection.execute("SELECT count(*) FROM derive_again").fetchone() == (1,)


def test_what_was_known_when_is_found_by_its_instant(connection: Connection) -> None:
    third = datetime(2026, 4, 3, 12, tzinfo=UTC)
    put(connection, minute("el-A", {0: "0", 15: "1", 75: "5"}))
    derive.update(connection, SLUG, third)
    put(connection, minute("el-A", {30: "2", 45: "3", 60: "4.5"}))
    derive.update(connection, SLUG, third + timedelta(days=1))
    file = config.load(connection, SLUG)
    edit = {
        "meter": "el-A",
        "at": rfc3339(START + 60 * MINUTE),
        "exclude": "true",
        "by": "test",
        "why": "a wrong digit",
    }
    config.apply(connection, with_entry(file, "edits", edit), third, "test")
    derive.update(connection, SLUG, third + timedelta(days=2))

    def known(moment: datetime) -> list[tuple]:
        return connection.execute(
            "SELECT energy, quality FROM quarter_known(%s) WHERE community = %s AND meter = 'el-A'"
            " AND start >= %s ORDER BY start",
            (moment, SLUG, START + 15 * MINUTE),
        ).fetchall()

    assert known(third - MINUTE) == []
    assert known(third) == [(1_000_000, "estimated")] * 4
    assert known(third + timedelta(days=1)) == [
        (1_000_000, "measured"), (1_000_000, "measured"), (1_500_000, "measured"), (500_000, "measured")
    ]  # fmt: skip
    assert known(third + timedelta(days=2)) == [
        (1_000_000, "measured"), (1_000_000, "measured"), (1_000_000, "estimated"), (1_000_000, "estimated")
    ]  # fmt: skip
    assert connection.execute("SELECT count(*) FROM quarter_past").fetchone() == (6,)


def test_shares_follow_when_a_flats_consumption_is_lost(connection: Connection) -> None:
    put(connection, minute("pv", {0: "0", 15: "900", 30: "1800"}))
    put(connection, [*minute("el-A", {0: "0", 15: "1", 30: "2"}), *minute("el-B", {0: "0", 15: "1", 30: "2"})])
    derive.update(connection, SLUG, NOW)
    file = config.load(connection, SLUG)
    edit = {"meter": "el-B", "at": rfc3339(START + 30 * MINUTE), "exclude": "true", "by": "test", "why": "misread"}
    config.apply(connection, with_entry(file, "edits", edit), NOW, "test")
    derive.update(connection, SLUG, NOW + MINUTE)
    rows = connection.execute(
        "SELECT flat, consumed, shared, quality FROM shared_quarter ORDER BY start, flat"
    ).fetchall()
    assert rows == [
        ("A", 1_000_000, 450_000, "measured"),
        ("B", 1_000_000, 450_000, "measured"),
        ("A", 1_000_000, 900_000, "measured"),
        ("B", None, 0, "missing"),
    ]
