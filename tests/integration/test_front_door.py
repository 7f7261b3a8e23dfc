"""The command line as people use it: files in, files out, people, and what it says when something is wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.db.connection import connect
from settlement import derive
from tests.support.commandline import CommandLine

COMMUNITY = """\
community: de-mees
name: De Mees
timezone: Europe/Amsterdam
owner: owner
flats:
  - {id: A, floor_area_m2: "50"}
households:
  - {id: h-a, flat: A, from: 2026-01-01}
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: el-A, measures: electricity, flat: A, unit: kWh}
sharing:
  - {from: 2026-01-01, key: proportional}
tariffs:
  - from: 2026-01-01
    solar_eur_per_kwh: "0.20"
    vat_percent: {electricity: "21"}
"""
READINGS = """\
time,meter,value
2026-01-01T00:00:00+01:00,pv,10
2026-01-01T00:00:00+01:00,el-A,100
2026-01-01T00:15:00+01:00,pv,11
2026-01-01T00:15:00+01:00,el-A,102
"""

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    (tmp_path / "house.yaml").write_text(COMMUNITY, encoding="utf-8")
    (tmp_path / "readings.csv").write_text(READINGS, encoding="utf-8")
    return tmp_path


@pytest.fixture
def run(house: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(capsys, house, database_url)


def program(house: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Start the program itself, as it is installed."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "wijkenergie", *words],
        cwd=house,
        env={"PATH": "/usr/bin:/bin", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def count(url: str, table: str) -> int:
    with connect(url) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    return int(row[0]) if row else -1


def test_the_program_itself_works_and_fails_in_a_sentence_with_its_code(house: Path, database_url: str) -> None:
    well = program(house, "apply", "house.yaml", WIJKENERGIE_DATABASE_URL=database_url)
    assert (well.returncode, well.stderr) == (0, "")
    assert "+ household h-a" in well.stdout
    asked = program(house, "import", "readings.csv", WIJKENERGIE_DATABASE_URL=database_url)
    assert asked.returncode == 2  # nobody is there to say yes
    assert count(database_url, "reading") == 0
    away = program(house, "settle", "2026-01", WIJKENERGIE_DATABASE_URL="postgresql://u:secret@127.0.0.1:1/x")
    assert away.returncode == 3
    (sentence,) = away.stderr.splitlines()
    assert sentence.startswith("The database at 127.0.0.1:1/x cannot be reached (Connection refused).")


def test_apply_shows_the_difference_once_and_changes_nothing_twice(run: CommandLine) -> None:
    first = run("apply", "house.yaml")
    assert first.returncode == 0, first.stderr
    assert "+ household h-a" in first.stdout
    second = run("apply", "house.yaml")
    assert second.stdout.splitlines()[-1] == "The database is in line with the file."


def test_apply_reports_an_event_the_database_knows_differently_and_keeps_its_own(run: CommandLine, house: Path) -> None:
    run("apply", "house.yaml")
    text = COMMUNITY.replace("flat: A, from: 2026-01-01}", "flat: A, from: 2026-01-02}")
    (house / "house.yaml").write_text(text, encoding="utf-8")
    said = run("apply", "house.yaml")
    assert "household h-a is known differently and stays as it is" in said.stdout
    assert run("export", "2026-01", "--out", "out").returncode == 2  # no readings: nothing is written
    assert not (house / "out").exists()


def test_a_meter_with_readings_keeps_its_unit(run: CommandLine, house: Path) -> None:
    run("apply", "house.yaml")
    run("import", "readings.csv", "--yes")
    changed = COMMUNITY.replace("electricity, flat: A, unit: kWh", "electricity, flat: A, unit: MWh")
    (house / "house.yaml").write_text(changed, encoding="utf-8")
    said = run("apply", "house.yaml")
    assert said.returncode == 2
    assert "has readings in kWh" in said.stderr


def test_an_import_asks_then_counts_each_reading_once_and_can_be_taken_back(
    run: CommandLine, database_url: str
) -> None:
    run("apply", "house.yaml")
    asked = run("import", "readings.csv")
    assert asked.returncode == 2
    assert "4 new" in asked.stdout
    assert count(database_url, "reading") == 0
    assert run("import", "readings.csv", "--yes").returncode == 0
    assert "0 new, 4 known already" in run("import", "readings.csv", "--yes").stdout
    settled = run("settle", "2026-01", "--json")
    assert '"shared_kwh": "1.000000"' in settled.stdout, settled.stderr
    assert run("import", "--undo", "1").returncode == 0
    assert count(database_url, "reading") == 0
    assert run("import", "--undo", "1").returncode == 2


def test_gaps_names_the_meter_the_time_and_how_many_readings_are_missing(run: CommandLine, house: Path) -> None:
    run("apply", "house.yaml")
    quarters = [f"2026-01-{day:02}T{hour:02}:{minute:02}:00+01:00" for day in range(1, 32) for hour in range(24)
                for minute in (0, 15, 30, 45)]  # fmt: skip
    lines = [f"{at},pv,1" for at in quarters if not at.startswith("2026-01-07T0")]
    lines += [f"{at},el-A,1" for at in quarters]
    (house / "readings.csv").write_text("time,meter,value\n" + "\n".join(lines) + "\n", encoding="utf-8")
    run("import", "readings.csv", "--yes")
    said = run("gaps", "2026-01")
    assert said.stdout == "pv: 40 missing between 2026-01-06T22:45:00Z and 2026-01-07T09:00:00Z\n", said.stderr
    (house / "readings.csv").write_text(
        "time,meter,value\n" + "".join(f"{at},pv,1\n" for at in quarters), encoding="utf-8"
    )
    run("import", "readings.csv", "--yes")
    assert run("gaps", "2026-01").stdout == "No reading is missing in 2026-01.\n"


def test_a_conflicting_import_keeps_the_known_value_and_sets_the_other_aside(
    run: CommandLine, house: Path, database_url: str
) -> None:
    run("apply", "house.yaml")
    run("import", "readings.csv", "--yes")
    (house / "other.csv").write_text("time,meter,value\n2026-01-01T00:15:00+01:00,pv,12\n", encoding="utf-8")
    said = run("import", "other.csv", "--yes")
    assert "1 in conflict" in said.stdout
    assert count(database_url, "reading") == 4


def test_people_are_added_get_a_link_and_are_removed(run: CommandLine) -> None:
    run("apply", "house.yaml")
    assert run("person", "add", "bewoner-A", "--role", "resident", "--household", "h-a").returncode == 0
    assert run("person", "link", "bewoner-A").stdout.startswith("http://127.0.0.1:8000/signin/")
    assert "bewoner-A\tresident\th-a" in run("person", "list").stdout
    assert run("person", "add", "x", "--role", "king").returncode == 2
    assert run("person", "add", "x", "--role", "resident").returncode == 2
    assert run("person", "add", "x", "--role", "resident", "--household", "h-z").returncode == 2
    assert run("person", "remove", "bewoner-A").returncode == 0
    assert run("person", "link", "bewoner-A").returncode == 2


def test_a_backup_restores_into_an_empty_database_and_refuses_a_full_one(
    run: CommandLine, house: Path, empty_database_url: str
) -> None:
    run("apply", "house.yaml")
    run("import", "readings.csv", "--yes")
    statement = run("settle", "2026-01", "--json").stdout
    assert run("backup", "backup").returncode == 0
    assert run("restore", "backup").returncode == 2
    elsewhere = {"WIJKENERGIE_DATABASE_URL": empty_database_url}
    restored = run("restore", "backup", **elsewhere)
    assert restored.returncode == 0, restored.stderr
    assert run("settle", "2026-01", "--json", **elsewhere).stdout == statement


@pytest.mark.parametrize(
    ("words", "environment", "code", "sentence"),
    [
        (("settle", "2026-01"), {"WIJKENERGIE_DATABASE": "x"}, 2, "WIJKENERGIE_DATABASE is unknown"),
        (("settle", "2026-01"), {"WIJKENERGIE_MQTT_URL": "http://x"}, 2, "WIJKENERGIE_MQTT_URL is wrong"),
        (("settle", "2026-01"), {"WIJKENERGIE_DATABASE_URL": "x"}, 2, "WIJKENERGIE_DATABASE_URL is no address"),
        (("settle", "2026-13"), {}, 2, "is not a month"),
        (("settle", "2026-01"), {}, 2, "knows no community"),
        (
            ("settle", "2026-01"),
            {"WIJKENERGIE_DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/x"},
            3,
            "The database at 127.0.0.1:1/x cannot be reached (Connection refused).",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_sentence(
    run: CommandLine, words: tuple[str, ...], environment: dict[str, str], code: int, sentence: str
) -> None:
    said = run(*words, **environment)
    assert said.returncode == code
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
    assert "secret" not in said.stderr


def test_the_demo_says_that_its_port_is_in_use(run: CommandLine, house: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = run("demo", "--port", str(port), "--data", str(house / "demo"))
    assert said.returncode == 3
    assert f"Port {port} is in use" in said.stderr
    assert not (house / "demo").exists()


def test_a_rule_that_changes_the_shares_has_them_derived_anew(run: CommandLine, house: Path, database_url: str) -> None:
    run("apply", "house.yaml")
    run("import", "readings.csv", "--yes")
    with connect(database_url) as connection:
        assert derive.update(connection, "de-mees", NOW) == 2
        assert derive.update(connection, "de-mees", NOW) == 0
        swap = "replacements:\n  - {meter: pv, at: 2026-01-01T00:10:00+01:00, old_end: '10.5', new_start: '10.9'}\n"
        (house / "house.yaml").write_text(COMMUNITY + swap, encoding="utf-8")
        assert "+ replacement pv@2025-12-31T23:10:00Z" in run("apply", "house.yaml").stdout
        assert derive.update(connection, "de-mees", NOW) == 1
        row = connection.execute("SELECT energy FROM quarter WHERE meter = 'pv'").fetchone()
        assert row == (600_000,)


def test_a_device_that_does_not_fit_is_named_with_its_line(run: CommandLine, house: Path) -> None:
    device = "devices:\n  - {id: inverter, profile: sunspec.invertr, link: 'modbus-tcp://127.0.0.1:502/1', feeds: {}}\n"
    (house / "house.yaml").write_text(COMMUNITY + device, encoding="utf-8")
    said = run("check", "house.yaml")
    assert said.returncode == 2
    assert f"house.yaml:{COMMUNITY.count(chr(10)) + 2}: devices[0].profile: " in said.stderr
