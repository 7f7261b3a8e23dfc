"""`replay` as the contract states it: files in, files out, byte for byte.

The hashes are recomputed here from docs/hashes.md alone, from the text of the files.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from core.time import Month
from settlement.replay import replay
from tests.data.synthetic import generate

DATA = Path(generate.__file__).parent
JANUARY = Month(2026, 1)
FIRST = datetime(2025, 12, 31, 23, tzinfo=UTC)
LAST = datetime(2026, 1, 31, 23, tzinfo=UTC)
QUARTER = timedelta(minutes=15)

SMALL = """\
community: mees
name: Mees
timezone: Europe/Amsterdam
settlement_interval: 1h
owner: owner
flats: [{id: A, floor_area_m2: "50"}, {id: B, floor_area_m2: "50"}]
households: [{id: h-a, flat: A, from: 2025-01-01}, {id: h-b, flat: B, from: 2025-01-01}]
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: el-A, measures: electricity, flat: A, unit: kWh}
  - {id: el-B, measures: electricity, flat: B, unit: kWh}
  - {id: heat-A, measures: heat, flat: A, unit: kWh}
sharing: [{from: 2025-01-01, key: equal, weights: {A: "1", B: "3"}, order: [B, A]}]
tariffs: [{from: 2025-01-01, solar_eur_per_kwh: "0.20", vat_percent: {electricity: "21", heat: "21"}}]
"""


def command(*args: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wijkenergie", *map(str, args)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | (environment or {}),
    )


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic month, settled by the command; no database and no broker could be reached if it tried."""
    out = tmp_path_factory.mktemp("replayed") / "new" / "folder"
    nowhere = {
        "WIJKENERGIE_DATABASE_URL": "postgresql://127.0.0.1:9/nowhere",
        "WIJKENERGIE_MQTT_URL": "mqtt://127.0.0.1:9",
    }
    result = command(
        "replay", DATA / "community.yaml", DATA / "readings.csv", "--month", "2026-01", "--out", out,
        environment=nowhere,
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    return out


@pytest.fixture(scope="module")
def statement(replayed: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads((replayed / "statement.json").read_bytes())
    return parsed


@pytest.fixture(scope="module")
def quarters(replayed: Path) -> list[dict[str, str]]:
    with (replayed / "quarters.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def small(tmp_path: Path, rows: str, community: str = SMALL) -> dict[str, Any]:
    """Settle a small building from the text of its two files."""
    (tmp_path / "community.yaml").write_text(community, encoding="utf-8")
    (tmp_path / "readings.csv").write_text(rows, encoding="utf-8")
    parsed: dict[str, Any] = json.loads(replay(tmp_path / "community.yaml", tmp_path / "readings.csv", JANUARY)[1])
    return parsed


# The synthetic month


def test_the_committed_files_are_those_the_generator_writes() -> None:
    for name, text in generate.contents().items():
        assert (DATA / name).read_text(encoding="utf-8") == text


def test_the_synthetic_month_comes_out_as_committed(replayed: Path) -> None:
    assert sorted(path.name for path in replayed.iterdir()) == ["quarters.csv", "statement.json"]
    assert (replayed / "statement.json").read_bytes() == (DATA / "statement.json").read_bytes()
    quarters = generate.quarters_sha256((replayed / "quarters.csv").read_bytes())
    assert quarters == (DATA / "quarters.csv.sha256").read_text(encoding="utf-8")


@pytest.mark.parametrize("flat", ["A01", "A02", "A03"])
def test_roll_over_replacement_and_silence_lose_no_energy(flat: str, statement: dict[str, Any]) -> None:
    begin = (FIRST - generate.START) // generate.HOUR
    hours = range(begin, begin + (LAST - FIRST) // generate.HOUR)
    watt_hours = sum(generate.used(f"el-{flat}", hour) for hour in hours)
    entries = [entry for entry in statement["statements"] if entry["flat"] == flat]
    assert sum(Decimal(entry["electricity"]["consumed_kwh"]) for entry in entries) == Decimal(watt_hours) / 1000


def test_a_heat_meter_in_gigajoules_is_converted_once(statement: dict[str, Any]) -> None:
    begin = (FIRST - generate.START) // generate.HOUR
    hours = range(begin, begin + (LAST - FIRST) // generate.HOUR)
    kwh = Decimal(sum(generate.used("heat-A02", hour) for hour in hours)) / 1000
    told = sum(Decimal(e["heat"]["measured_kwh"]) for e in statement["statements"] if e["flat"] == "A02")
    # The meter shows thousandths of a gigajoule (0.28 kWh), and the month's ends lie between two of its readings.
    assert abs(told - kwh) < 5


# statement.json


def test_the_statement_is_written_as_the_contract_says(replayed: Path, statement: dict[str, Any]) -> None:
    raw = (replayed / "statement.json").read_bytes()
    assert raw.decode("utf-8") == json.dumps(statement, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert "m²·days" in raw.decode("utf-8")


def test_every_number_is_a_decimal_string_of_the_right_length(statement: dict[str, Any]) -> None:
    decimals = {"kwh": 6, "eur": 2, "kg": 3, "percent": 2}
    seen = set()

    def walk(value: object, name: str) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk(inner, key)
        elif isinstance(value, list):
            for inner in value:
                walk(inner, name)
        elif name in ("price_eur", "quantity"):
            assert value is None or re.fullmatch(r"-?\d+(\.\d+)?", str(value))
        elif name.rsplit("_", 1)[-1] in decimals and value is not None:
            places = decimals[name.rsplit("_", 1)[-1]]
            assert isinstance(value, str)
            assert re.fullmatch(rf"-?\d+\.\d{{{places}}}", value), (name, value)
            seen.add(name.rsplit("_", 1)[-1])
        else:
            assert isinstance(value, str | bool | None) or name == "revision", (name, value)

    walk(statement, "")
    assert seen == set(decimals)


def test_the_statement_has_the_fields_of_the_contract(statement: dict[str, Any]) -> None:
    assert set(statement) == {
        "community", "month", "status", "revision", "sharing_key", "energy", "pellets", "statements", "checks",
        "findings", "input_sha256", "result_sha256",
    }  # fmt: skip
    assert (statement["status"], statement["revision"], statement["sharing_key"]) == ("provisional", 1, "hybrid")
    for entry in statement["statements"]:
        assert set(entry) == {
            "party", "flat", "from", "until", "electricity", "heat", "lines", "total_eur", "advance_eur",
            "balance_eur", "quality",
        }  # fmt: skip
        for line in entry["lines"]:
            assert set(line) == {
                "code", "quantity", "unit", "price_eur", "net_eur", "vat_percent", "vat_eur", "amount_eur",
            }  # fmt: skip


def test_entries_are_sorted_and_empty_days_belong_to_the_owner(statement: dict[str, Any]) -> None:
    told = [(entry["flat"], entry["party"], entry["from"], entry["until"]) for entry in statement["statements"]]
    assert told == [
        ("A01", "h-001", "2026-01-01", "2026-02-01"),
        ("A02", "h-002", "2026-01-01", "2026-01-11"),
        ("A02", "owner", "2026-01-11", "2026-01-21"),
        ("A02", "h-003", "2026-01-21", "2026-02-01"),
        ("A03", "h-004", "2026-01-01", "2026-02-01"),
        (None, "owner", "2026-01-01", "2026-02-01"),
    ]


def test_sums_of_lines_are_the_totals(statement: dict[str, Any]) -> None:
    for entry in statement["statements"]:
        for line in entry["lines"]:
            assert Decimal(line["net_eur"]) + Decimal(line["vat_eur"]) == Decimal(line["amount_eur"])
        assert sum(Decimal(line["amount_eur"]) for line in entry["lines"]) == Decimal(entry["total_eur"])
        assert Decimal(entry["total_eur"]) - Decimal(entry["advance_eur"]) == Decimal(entry["balance_eur"])


def test_qualities_are_shares_of_intervals_that_add_up(statement: dict[str, Any]) -> None:
    by_party = {entry["party"]: entry["quality"] for entry in statement["statements"] if entry["flat"]}
    for quality in by_party.values():
        assert sum(map(Decimal, quality.values())) == 100
    # A03: of 2 x 2976 intervals, 96 of electricity estimated; of heat all after the last reading missing.
    assert by_party["h-004"]["estimated_percent"] == "1.61"
    assert Decimal(by_party["h-004"]["missing_percent"]) > 5


def test_prices_that_change_give_a_line_each(statement: dict[str, Any]) -> None:
    lines = [line for line in statement["statements"][0]["lines"] if line["code"] == "solar"]
    assert [line["price_eur"] for line in lines] == ["0.18", "0.19"]
    shared = Decimal(statement["statements"][0]["electricity"]["shared_kwh"])
    assert sum(Decimal(line["quantity"]) for line in lines) == shared


def test_findings_name_what_happened_and_where(statement: dict[str, Any]) -> None:
    told = {(finding["code"], finding["meter"]) for finding in statement["findings"]}
    assert told == {
        ("register-rolled-over", "el-A01"),
        ("estimated-intervals", "el-A03"),
        ("missing-intervals", "heat-A03"),
    }
    assert all("flat A0" in finding["text"] for finding in statement["findings"])


# quarters.csv


def test_quarters_have_one_row_per_interval_and_flat(quarters: list[dict[str, str]], replayed: Path) -> None:
    header = (replayed / "quarters.csv").read_text(encoding="utf-8").split("\n", 1)[0]
    assert header == "start,party,flat,consumed_kwh,shared_kwh,quality"
    starts = [FIRST + number * QUARTER for number in range(31 * 96)]
    expected = [(f"{start:%Y-%m-%dT%H:%M:%SZ}", flat) for start in starts for flat in ("A01", "A02", "A03", "common")]
    assert [(row["start"], row["flat"]) for row in quarters] == expected


def test_quarters_name_the_party_of_the_day(quarters: list[dict[str, str]]) -> None:
    def party(start: str, flat: str) -> str:
        return next(row["party"] for row in quarters if (row["start"], row["flat"]) == (start, flat))

    assert party("2026-01-10T22:45:00Z", "A02") == "h-002"
    assert party("2026-01-10T23:00:00Z", "A02") == "owner"
    assert party("2026-01-20T23:00:00Z", "A02") == "h-003"
    assert party("2026-01-20T23:00:00Z", "common") == ""


def test_quarters_add_up_to_the_entries(quarters: list[dict[str, str]], statement: dict[str, Any]) -> None:
    for entry in statement["statements"][:-1]:
        rows = [row for row in quarters if (row["party"], row["flat"]) == (entry["party"], entry["flat"])]
        for field in ("consumed_kwh", "shared_kwh"):
            assert sum(Decimal(row[field]) for row in rows) == Decimal(entry["electricity"][field])
    for field in ("consumed_kwh", "shared_kwh"):
        assert sum(Decimal(row[field]) for row in quarters) == Decimal(statement["energy"][field])


# The hashes, recomputed from docs/hashes.md


def test_result_hash_is_what_the_document_says(statement: dict[str, Any]) -> None:
    rest = {k: v for k, v in statement.items() if k not in ("status", "revision", "input_sha256", "result_sha256")}
    text = json.dumps(rest, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == statement["result_sha256"]


def test_input_hash_is_what_the_document_says(statement: dict[str, Any]) -> None:
    yaml = YAML(typ="base")  # every scalar is text
    tree = yaml.load((DATA / "community.yaml").read_text(encoding="utf-8"))
    assert documented_hash(tree, (DATA / "readings.csv").read_text(encoding="utf-8")) == statement["input_sha256"]


def test_input_hash_of_interval_values_is_what_the_document_says(tmp_path: Path) -> None:
    rows = "start,meter,value\n" + "".join(
        f"{FIRST + h * generate.HOUR:%Y-%m-%dT%H:%M:%SZ},el-A,0.50\n" for h in range(9)
    )
    told = small(tmp_path, rows)["input_sha256"]
    assert documented_hash(YAML(typ="base").load(SMALL), rows) == told


def test_input_hash_reaches_back_to_the_stock_that_pellets_are_reckoned_from(tmp_path: Path) -> None:
    fuel = 'pellets: {kwh_per_kg: "4.8", opening: {at: 2025-12-10T12:00:00Z, kg: "5000", eur: "1500.00"}, counts: ['
    file = SMALL.replace("sharing:", "  - {id: boiler, measures: heat_produced, unit: kWh}\nsharing:") + fuel
    every = [datetime(2025, 12, 1, tzinfo=UTC) + timedelta(hours=6) * number for number in range(4 * 75)]
    rows = "time,meter,value\n" + "".join(f"{t:%Y-%m-%dT%H:%M:%SZ},boiler,{n * 10}\n" for n, t in enumerate(every))
    january = "{at: 2026-01-31T20:00:00+01:00, kg: '2000'}"
    for counts, since in (
        ("", datetime(2025, 12, 10, 12, tzinfo=UTC)),  # from the opening
        (january, datetime(2025, 12, 10, 12, tzinfo=UTC)),  # December too ended without a count
        ("{at: 2025-12-31T20:00:00+01:00, kg: '4000'}", datetime(2025, 12, 31, 19, tzinfo=UTC)),
        ("{at: 2025-12-31T20:00:00+01:00, kg: '4000'}, " + january, FIRST),
    ):
        text = f"{file}{counts}]}}\n"
        told = small(tmp_path, rows, text)
        assert documented_hash(YAML(typ="base").load(text), rows, heat_since=since) == told["input_sha256"]
        assert told["pellets"]["estimated"] == (january not in counts)


def documented_hash(tree: dict[str, Any], readings: str, heat_since: datetime = FIRST) -> str:
    """Follow the document for January 2026 in Amsterdam; ``heat_since``: from where pellets need boiler heat."""
    defaults: dict[str, dict[str, Any]] = {
        "flats": {"floor_area_m2": None, "building": "main"},
        "households": {"until": None, "building": "main"},
        "meters": {"flat": None, "common": "false", "digits": None, "every": None, "building": "main"},
        "replacements": {},
        "sharing": {"weights": None, "order": None, "surplus": "owner", "common": "first", "common_weight": None},
        "tariffs": {
            "feed_in_eur_per_kwh": "0", "grid_eur_per_kwh": None, "fixed_eur_per_month": "0",
            "prices_include_vat": "true",
        },
        "heat": {"fixed_by": "floor_area"},
        "costs": {"what": ""},
        "advances": {},
    }  # fmt: skip
    top = {"currency": "EUR", "settlement_interval": "15min", "month": "2026-01", "pellets": None}
    line = top | {key: tree[key] for key in ("community", "owner", "timezone", "settlement_interval") if key in tree}
    for section, missing in defaults.items():
        empty: list[Any] | None = None if section == "heat" else []
        line[section] = [missing | dict(entry) for entry in tree[section]] if section in tree else empty
    for meter in line["meters"]:
        meter["common"] = meter["common"] == "true"
        meter["digits"] = None if meter["digits"] is None else int(meter["digits"])
        meter["every"] = None if meter["every"] is None else int(meter["every"][:-1]) * 3_600_000
    for tariff in line["tariffs"]:
        tariff["prices_include_vat"] = tariff["prices_include_vat"] == "true"
        tariff["vat_percent"] = {"heat": None} | dict(tariff["vat_percent"])
    if "pellets" in tree:
        line["pellets"] = {
            "ash_percent": "0.5", "silo_kg": None, "efficiency_percent": "85", "valuation": "average",
            "deliveries": [], "counts": [],
        } | dict(tree["pellets"])  # fmt: skip
    line = utc(line)
    line["households"] = sorted((h for h in line["households"] if h["from"] <= "2026-01-31"), key=lambda h: h["id"])
    for section, day in (("advances", "from"), ("costs", "date")):
        line[section] = sorted((entry for entry in line[section] if entry[day] <= "2026-01-31"), key=compact)
    line["replacements"].sort(key=compact)
    if line["pellets"]:
        for section in ("deliveries", "counts"):
            kept = [entry for entry in line["pellets"][section] if entry["at"] <= "2026-02-01T11:00:00Z"]
            line["pellets"][section] = sorted(kept, key=compact)
    kind, *rows = readings.splitlines()
    found: dict[str, dict[datetime, str]] = {}
    for row in rows:
        time, meter, value = row.split(",")
        plain = value.rstrip("0").rstrip(".") if "." in value else value
        found.setdefault(meter, {})[datetime.fromisoformat(time)] = plain
    lines = [compact(line)]
    for meter in sorted(found):
        times = sorted(found[meter])
        begin = (heat_since if meter.startswith("boiler") else FIRST) - generate.HOUR
        inside = [t for t in times if begin <= t <= LAST + generate.HOUR]
        before = [t for t in times if t < begin][-1:]
        after = [t for t in times if t > LAST + generate.HOUR][:1]
        suffix = ",interval" if kind.startswith("start") else ""
        lines += [f"{meter},{t:%Y-%m-%dT%H:%M:%SZ},{found[meter][t]}{suffix}" for t in (*before, *inside, *after)]
    return hashlib.sha256("".join(text + "\n" for text in lines).encode()).hexdigest()


def compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def utc(value: Any) -> Any:
    """Instants of a text tree in UTC; they are the fields called ``at``."""
    if isinstance(value, dict):
        return {
            key: f"{datetime.fromisoformat(inner).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if key == "at" else utc(inner)
            for key, inner in value.items()
        }
    return [utc(inner) for inner in value] if isinstance(value, list) else value


CHANGES: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "a comment": (lambda file: file + "# nothing\n", str),
    "another name": (lambda file: file.replace("name: Linde", "name: Lindeboom"), str),
    "the rows the other way round": (str, lambda rows: "\n".join([rows.split("\n")[0], *rows.split("\n")[-2:0:-1]])),
    "a row twice": (str, lambda rows: rows + rows.split("\n")[7] + "\n"),
    "the line ends and the mark of another system": (str, lambda rows: "\ufeff" + rows.replace("\n", "\r\n")),
    "a needless zero": (str, lambda rows: re.sub(r"(?m)(\.\d+)$", r"\g<1>0", rows)),
    "another zone for the same time": (
        str,
        lambda rows: rows.replace("2026-01-05T12:00:00Z", "2026-01-05T13:00:00+01:00"),
    ),
    "a household of next month": (
        lambda file: file.replace("meters:", "  - {id: h-9, flat: A02, from: 2026-02-01}\nmeters:").replace(
            "from: 2026-01-21}\n", "from: 2026-01-21, until: 2026-02-01}\n", 1
        ),
        str,
    ),
}


@pytest.mark.parametrize("change", [change for change in CHANGES if change != "a household of next month"])
def test_what_means_the_same_gives_the_same_bytes(change: str, tmp_path: Path) -> None:
    file, rows = CHANGES[change]
    (tmp_path / "community.yaml").write_text(file((DATA / "community.yaml").read_text(encoding="utf-8")), "utf-8")
    (tmp_path / "readings.csv").write_text(rows((DATA / "readings.csv").read_text(encoding="utf-8")), "utf-8")
    document = replay(tmp_path / "community.yaml", tmp_path / "readings.csv", JANUARY)[1]
    assert document == (DATA / "statement.json").read_bytes()


def test_who_comes_next_month_changes_no_amount(tmp_path: Path, statement: dict[str, Any]) -> None:
    file, _ = CHANGES["a household of next month"]
    (tmp_path / "community.yaml").write_text(file((DATA / "community.yaml").read_text(encoding="utf-8")), "utf-8")
    told = json.loads(replay(tmp_path / "community.yaml", DATA / "readings.csv", JANUARY)[1])
    assert told["result_sha256"] == statement["result_sha256"]


def test_a_count_twelve_hours_after_the_month_is_part_of_the_input(tmp_path: Path) -> None:
    def with_count(kg: str) -> dict[str, Any]:
        text = (DATA / "community.yaml").read_text(encoding="utf-8")
        count = f'counts: [{{at: 2026-02-01T12:00:00+01:00, kg: "{kg}"}}]'
        (tmp_path / "community.yaml").write_text(re.sub(r"counts: \[.*\]", count, text), encoding="utf-8")
        told: dict[str, Any] = json.loads(replay(tmp_path / "community.yaml", DATA / "readings.csv", JANUARY)[1])
        return told

    first, second = with_count("2000"), with_count("2100")
    assert (first["pellets"]["closing_kg"], second["pellets"]["closing_kg"]) == ("2000.000", "2100.000")
    assert first["input_sha256"] != second["input_sha256"]


# The table of readings files


def hourly(meter: str, values: list[str], first: datetime = FIRST) -> str:
    return "".join(f"{first + n * generate.HOUR:%Y-%m-%dT%H:%M:%SZ},{meter},{v}\n" for n, v in enumerate(values) if v)


def test_a_known_meter_without_rows_is_found_and_its_intervals_are_missing(tmp_path: Path) -> None:
    told = small(tmp_path, "start,meter,value\n" + hourly("el-A", ["1"] * 744))
    codes = {(finding["code"], finding["meter"]) for finding in told["findings"]}
    assert {("no-readings", "pv"), ("no-readings", "el-B"), ("no-readings", "heat-A")} <= codes
    assert any("flat B" in finding["text"] for finding in told["findings"] if finding["meter"] == "el-B")
    assert told["statements"][1]["quality"]["missing_percent"] == "100.00"
    assert told["energy"]["solar_kwh"] == "0.000000"
    assert told["energy"]["shared_kwh"] == "0.000000"


def test_a_missing_consumption_takes_no_part_and_a_missing_sun_shares_nothing(tmp_path: Path) -> None:
    rows = hourly("pv", ["1", "1", ""]) + hourly("el-A", ["1", "1", "1"]) + hourly("el-B", ["1", "", ""])
    told = small(tmp_path, "start,meter,value\n" + rows, SMALL.replace("key: equal", "key: proportional"))
    shared = [entry["electricity"]["shared_kwh"] for entry in told["statements"]]
    assert shared == ["1.500000", "0.500000"]  # together in the first hour, A alone in the second
    assert told["energy"]["consumed_kwh"] == "4.000000"


def test_rows_outside_the_month_are_used_at_its_edges(tmp_path: Path) -> None:
    inside = "time,meter,value\n2026-01-01T00:30:00Z,el-A,11.5\n2026-01-31T22:30:00Z,el-A,21.5\n"
    edges = "2025-12-31T22:30:00Z,el-A,10.5\n2026-01-31T23:30:00Z,el-A,22.5\n"
    alone, helped = small(tmp_path, inside), small(tmp_path, inside + edges)
    # From 01:00Z to 22:00Z on the last day without, from midnight to midnight with the rows outside.
    assert Decimal(alone["energy"]["consumed_kwh"]) < 10
    assert helped["energy"]["consumed_kwh"] == "11.250000"


def test_without_a_boiler_meter_its_heat_and_the_loss_are_null(tmp_path: Path) -> None:
    energy = small(tmp_path, "start,meter,value\n" + hourly("heat-A", ["2", "3"]))["energy"]
    assert energy["heat_measured_kwh"] == "5.000000"
    assert (energy["heat_produced_kwh"], energy["heat_lost_kwh"]) == (None, None)


def test_without_pellets_and_heat_these_parts_are_null(tmp_path: Path) -> None:
    told = small(tmp_path, "start,meter,value\n" + hourly("el-A", ["1"]))
    assert told["pellets"] is None
    assert {entry["heat"] is None for entry in told["statements"]} == {True}


def test_another_key_can_be_tried_out(tmp_path: Path) -> None:
    (tmp_path / "community.yaml").write_text(SMALL, encoding="utf-8")
    rows = "start,meter,value\n" + hourly("pv", ["4"]) + hourly("el-A", ["3"]) + hourly("el-B", ["5"])
    (tmp_path / "readings.csv").write_text(rows, encoding="utf-8")
    shares = {}
    for key in ("equal", "fixed", "proportional", "optimal", "hybrid", "priority"):
        told = json.loads(replay(tmp_path / "community.yaml", tmp_path / "readings.csv", JANUARY, key)[1])
        assert told["sharing_key"] == key
        shares[key] = [Decimal(entry["electricity"]["shared_kwh"]) for entry in told["statements"]]
    assert shares == {
        "equal": [2, 2],
        "fixed": [1, 3],
        "proportional": [Decimal("1.5"), Decimal("2.5")],
        "optimal": [1, 3],
        "hybrid": [1, 3],
        "priority": [0, 4],
    }


def test_json_prints_the_statement_itself(tmp_path: Path) -> None:
    result = command(
        "replay", DATA / "community.yaml", DATA / "readings.csv", "--month", "2026-01", "--out", tmp_path, "--json"
    )
    assert result.returncode == 0
    assert result.stdout.encode() == (tmp_path / "statement.json").read_bytes()
