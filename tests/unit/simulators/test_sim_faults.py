"""Faults change what a meter shows, never what is true, and only when asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.errors import BadInput
from simulators.display import meter_named, parts_at
from simulators.faults import Fault, plan
from simulators.history import history
from simulators.truth import live_truth

START = datetime(2026, 5, 4, 10, tzinfo=UTC)
END = START + timedelta(hours=2)


def values(meter: str, faults: tuple[Fault, ...]) -> dict[str, Decimal]:
    lines = "".join(history(3, START - timedelta(hours=1), END + timedelta(hours=1), faults)).splitlines()
    rows = (line.split("\t") for line in lines)
    return {time: Decimal(value) for name, time, value in rows if name == meter}


def test_without_faults_every_meter_speaks_every_quarter_hour():
    assert len(values("el-A01", ())) == 17


def test_a_silent_meter_leaves_a_gap_and_the_others_speak_on():
    gap = (Fault("gap", "el-A01", START, END),)
    assert len(values("el-A01", gap)) == 17 - 8
    assert values("el-A02", gap) == values("el-A02", ())
    assert parts_at(3, meter_named("el-A01"), START + timedelta(minutes=7), gap) is None
    assert live_truth(3, "el-A01", START) > 0


def test_a_dip_shows_too_little_and_recovers():
    dip = (Fault("dip", "heat-B01", START, END, depth=25),)
    true, shown = values("heat-B01", ()), values("heat-B01", dip)
    assert {true[time] - shown[time] for time in true} == {Decimal(0), Decimal("2.5")}
    assert sum(true[time] != shown[time] for time in true) == 8


def test_a_reset_falls_back_to_zero_and_counts_on():
    reset = (Fault("reset", "el-A03", START, datetime.max.replace(tzinfo=UTC)),)
    true, shown = values("el-A03", ()), values("el-A03", reset)
    fallen = [time for time in true if time >= f"{START:%Y-%m-%dT%H:%M:%SZ}"]
    assert shown[fallen[0]] == 0
    assert shown[fallen[-1]] == true[fallen[-1]] - true[fallen[0]] > 0


def test_planned_faults_are_seeded_and_chosen_by_kind():
    until = datetime(2026, 11, 1, tzinfo=UTC)
    assert plan(5, (), until) == ()
    assert plan(5, ("gap", "dip"), until) == plan(5, ("dip", "gap"), until)
    assert {fault.kind for fault in plan(5, ("gap", "dip", "reset"), until)} == {"gap", "dip", "reset"}
    assert plan(5, ("gap",), until)[:10] == plan(5, ("gap",), until - timedelta(days=60))[:10]
    with pytest.raises(BadInput, match="'flood' is not a fault"):
        plan(5, ("flood",), until)
