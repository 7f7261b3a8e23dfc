"""From files into a real database and out again: `settle`, `export` and `replay` give the same bytes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core.db import config
from core.db.connection import connect
from core.db.people import Person, save_person
from settlement.tasks import rounds
from tests.data.synthetic import generate
from tests.support import heathouse
from wijkenergie.cli import main

pytestmark = pytest.mark.integration

DATA = Path(generate.__file__).parent
Run = Callable[..., str]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line on a fresh database; gives what it printed, or what it said when it must fail."""
    monkeypatch.setenv("WIJKENERGIE_DATABASE_URL", database_url)

    def command(*args: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["wijkenergie", *map(str, args)])
        ended: object = 0
        try:
            main()
        except SystemExit as end:
            ended = end.code or 0
        told = capsys.readouterr()
        assert ended == code, told.err
        return told.err if code else told.out

    return command


@pytest.fixture
def filled(run: Run) -> Run:
    """The synthetic month in the database, as a person would bring it there."""
    run("apply", DATA / "community.yaml")
    run("import", DATA / "readings.csv", "--yes")
    return run


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def replayed(run: Run, exported: Path, month: str, out: Path) -> dict[str, bytes]:
    run("replay", exported / "community.yaml", exported / "readings.csv", "--month", month, "--out", out)
    return bytes_of(out)


def test_settle_export_and_replay_give_the_same_bytes(filled: Run, tmp_path: Path) -> None:
    filled("settle", "2026-01", "--out", tmp_path / "settled")
    filled("export", "2026-01", "--out", tmp_path / "exported")
    settled = bytes_of(tmp_path / "settled")
    assert sorted(settled) == ["quarters.csv", "statement.json"]
    assert replayed(filled, tmp_path / "exported", "2026-01", tmp_path / "again") == settled
    # And the database neither adds nor loses anything that a direct replay of the files would show.
    assert settled["statement.json"] == (DATA / "statement.json").read_bytes()


def test_work_that_was_done_is_credited_and_both_sides_agree(filled: Run, database_url: str, tmp_path: Path) -> None:
    """A task done in the database earns a credit; export and replay give the same bytes, and can be applied again."""
    file = (DATA / "community.yaml").read_text(encoding="utf-8")
    file += "tasks: [{id: stairs, every_days: '7'}]\n"
    file += "work_credits: [{from: 2026-01-01, eur: {stairs: '4.00'}, paid_by: floor_area}]\n"
    (tmp_path / "community.yaml").write_text(file, encoding="utf-8")
    filled("apply", tmp_path / "community.yaml")
    now = datetime(2026, 1, 20, 10, 30, 0, 250_000, tzinfo=UTC)
    with connect(database_url) as connection:
        slug = config.communities(connection)[0]
        community = config.load(connection, slug).community
        household = next(home for home in community.households if home.until is None)
        save_person(connection, slug, Person("r1", "", ["resident", "volunteer"], household.id))
        rounds.check(connection, community, "http://localhost", now)
        task = next(row.id for row in rounds.open_tasks(connection, slug) if row.kind == "stairs")
        rounds.done(connection, community, task, "r1", now, None)
    filled("settle", "2026-01", "--out", tmp_path / "settled")
    filled("export", "2026-01", "--out", tmp_path / "exported")
    settled = bytes_of(tmp_path / "settled")
    assert replayed(filled, tmp_path / "exported", "2026-01", tmp_path / "again") == settled
    work = [
        (entry["party"], line["amount_eur"])
        for entry in json.loads(settled["statement.json"])["statements"]
        for line in entry["lines"]
        if line["code"] == "work"
    ]
    assert (household.id, "-4.00") in work
    assert sum(Decimal(amount) for _, amount in work) == 0
    filled("apply", tmp_path / "exported" / "community.yaml")  # what was exported is known already
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM event WHERE kind = 'work'").fetchone() == (1,)


def test_settling_again_changes_nothing(filled: Run, database_url: str) -> None:
    first = filled("settle", "2026-01", "--json")
    with connect(database_url) as connection:
        before = connection.execute("SELECT m::text FROM month m").fetchall()
        assert filled("settle", "2026-01", "--json") == first
        assert connection.execute("SELECT m::text FROM month m").fetchall() == before
    assert before


def test_a_month_that_only_began_settles_the_same_from_both_sides(filled: Run, tmp_path: Path) -> None:
    # February has one hour of readings and no count: pellets are estimated from the heat since the count of January.
    filled("settle", "2026-02", "--out", tmp_path / "settled")
    filled("export", "2026-02", "--out", tmp_path / "exported")
    settled = bytes_of(tmp_path / "settled")
    assert replayed(filled, tmp_path / "exported", "2026-02", tmp_path / "again") == settled
    statement: dict[str, Any] = json.loads(settled["statement.json"])
    assert statement["pellets"]["estimated"] is True
    assert {"month-incomplete", "pellets-estimated"} <= {finding["code"] for finding in statement["findings"]}


def test_a_reading_that_comes_late_changes_the_month_and_both_sides_agree(filled: Run, tmp_path: Path) -> None:
    filled("settle", "2026-01", "--out", tmp_path / "before")
    # In the hours in which the meter of A03 was silent, its register had hardly moved at first.
    known = (DATA / "readings.csv").read_text(encoding="utf-8").splitlines()
    last = next(row for row in known if row.startswith("2026-01-08T05:00:00Z,el-A03")).rsplit(",", 1)[1]
    late = tmp_path / "late.csv"
    late.write_text(f"time,meter,value\n2026-01-08T15:00:00Z,el-A03,{int(last) + 10}\n", encoding="utf-8")
    filled("import", late, "--yes")
    filled("settle", "2026-01", "--out", tmp_path / "after")
    before, after = (json.loads((tmp_path / name / "statement.json").read_bytes()) for name in ("before", "after"))
    assert before["energy"]["consumed_kwh"] == after["energy"]["consumed_kwh"]  # the register's ends did not move
    assert before["energy"]["shared_kwh"] != after["energy"]["shared_kwh"]
    assert before["input_sha256"] != after["input_sha256"]
    filled("export", "2026-01", "--out", tmp_path / "exported")
    assert replayed(filled, tmp_path / "exported", "2026-01", tmp_path / "again") == bytes_of(tmp_path / "after")


def test_a_month_without_readings_is_not_exported(filled: Run, tmp_path: Path) -> None:
    said = filled("export", "2026-05", "--out", tmp_path / "out", code=2)
    assert said == "There are no readings for 2026-05; nothing was written.\n"
    assert not (tmp_path / "out").exists()


def test_an_empty_database_says_what_to_do_first(run: Run) -> None:
    said = run("settle", "2026-01", code=2)
    assert said == "The database knows no community yet; run 'wijkenergie apply COMMUNITY.yaml' first.\n"


def test_a_wrong_month_is_refused_before_anything_is_asked(run: Run) -> None:
    assert "'2026-13' is not a month" in run("settle", "2026-13", code=2)


def test_a_database_that_is_away_is_one_sentence(monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    monkeypatch.setenv("WIJKENERGIE_DATABASE_URL", "postgresql://somebody:secret@127.0.0.1:9/nowhere")
    said = run("settle", "2026-01", code=3)
    assert "The database at 127.0.0.1:9/nowhere cannot be reached" in said
    assert "secret" not in said
    assert "Traceback" not in said


@pytest.mark.parametrize("kind", ["heat", "hot"])
def test_a_month_with_a_failed_meter_settles_the_same_from_both_sides(run: Run, tmp_path: Path, kind: str) -> None:
    """Estimates look back to the month before and to last year; an export holds what they need, and no more."""
    areas = {"A": "50", "B": "50", "C": "50", "D": "80", "E": "80"}
    town = heathouse.tree(areas, failed_meters="estimate")
    if kind == "hot":
        town = heathouse.with_water(
            heathouse.tree(areas, failed_meters="estimate", hot_water={"measured_percent": "60"})
        )
    town["households"][0]["until"] = "2026-01-21"
    (tmp_path / "community.yaml").write_text(json.dumps(town), encoding="utf-8")
    failed = datetime(2026, 1, 12, tzinfo=UTC)
    rows = ["time,meter,value"]
    for place, flat in enumerate(areas, 2):
        count = 100
        for hour in heathouse.hours(datetime(2024, 12, 20, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC))[::6]:
            count += place * hour.month
            rows += [
                f"{hour:%Y-%m-%dT%H:%M:%SZ},{meter['id']},{count}"
                for meter in town["meters"]
                if meter["flat"] == flat and (meter["id"] != f"{kind}-A" or hour < failed)
            ]
    (tmp_path / "readings.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    run("apply", tmp_path / "community.yaml")
    run("import", tmp_path / "readings.csv", "--yes")
    run("settle", "2026-01", "--out", tmp_path / "settled")
    run("export", "2026-01", "--out", tmp_path / "exported")
    settled = bytes_of(tmp_path / "settled")
    assert replayed(run, tmp_path / "exported", "2026-01", tmp_path / "again") == settled
    # Replaying everything there ever was gives the same too.
    assert replayed(run, tmp_path, "2026-01", tmp_path / "whole") == settled
    heat = {entry["party"]: entry["heat"] for entry in json.loads(settled["statement.json"])["statements"]}
    estimated = heat["h-A"] if kind == "heat" else heat["h-A"]["hot_water"]
    assert estimated["estimated_by"] == "same_flat_last_year"
    exported = (tmp_path / "exported" / "readings.csv").read_text(encoding="utf-8")
    assert not any(f"2025-0{month}-15" in exported for month in range(2, 10))
    for day in ("2025-01-15", "2025-12-15"):
        assert {row.split(",")[1].split("-")[0] for row in exported.split() if row.startswith(day)} == {kind}


def test_corrections_of_the_stock_are_kept_exported_and_replayed(filled: Run, tmp_path: Path) -> None:
    community = (DATA / "community.yaml").read_text(encoding="utf-8")
    correction = '{at: 2026-01-20T09:00:00+01:00, kg: "-40", eur: "-12.00", why: wet bags, by: a volunteer}'
    changed = community.replace("  counts:", f"  corrections: [{correction}]\n  counts:")
    assert changed != community
    (tmp_path / "community.yaml").write_text(changed, encoding="utf-8")
    assert "+ correction 2026-01-20T08:00:00Z" in filled("apply", tmp_path / "community.yaml")
    filled("settle", "2026-01", "--out", tmp_path / "settled")
    filled("export", "2026-01", "--out", tmp_path / "exported")
    settled = bytes_of(tmp_path / "settled")
    assert replayed(filled, tmp_path / "exported", "2026-01", tmp_path / "again") == settled
    assert json.loads(settled["statement.json"])["pellets"]["corrected_kg"] == "-40.000"
