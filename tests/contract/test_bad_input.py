"""What is wrong is said in a sentence that names file, line and field; the exit code is 2 and nothing is written.

Most cases run the command's own `main` in this process; that a process behaves the same is tested at the end.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wijkenergie.cli import main

COMMUNITY = """\
community: mees
name: Mees
timezone: Europe/Amsterdam
settlement_interval: 1h
owner: owner
flats:
  - {id: A, floor_area_m2: "50"}
  - {id: B, floor_area_m2: "50"}
households:
  - {id: h-a, flat: A, from: 2025-01-01}
  - {id: h-b, flat: B, from: 2025-01-01}
meters:
  - {id: pv, measures: solar_generation, unit: kWh}
  - {id: el-A, measures: electricity, flat: A, unit: kWh}
  - {id: el-B, measures: electricity, flat: B, unit: kWh}
  - {id: heat-A, measures: heat, flat: A, unit: kWh}
sharing:
  - {from: 2025-01-01, key: proportional}
tariffs:
  - {from: 2025-01-01, solar_eur_per_kwh: "0.20", vat_percent: {electricity: "21", heat: "21"}}
heat:
  - {from: 2025-01-01, measured_percent: "65"}
pellets:
  kwh_per_kg: "4.8"
  opening: {at: 2026-01-01T00:00:00+01:00, kg: "1000", eur: "300.00"}
  deliveries: [{at: 2026-01-15T09:00:00+01:00, kg: "3000", eur: "1200.00", invoice: P-17}]
  counts: [{at: 2026-02-01T00:00:00+01:00, kg: "1500"}]
costs:
  - {date: 2026-01-20, pool: heat, eur: "150.00", invoice: M-4}
advances:
  - {household: h-a, from: 2025-01-01, eur_per_month: "85.00"}
"""
ROWS = """\
time,meter,value
2025-12-31T23:00:00Z,pv,0
2026-01-31T23:00:00Z,pv,80
2025-12-31T23:00:00Z,el-A,100.5
2026-01-31T23:00:00Z,el-A,250
"""

Run = Callable[..., tuple[int, str, str]]


def line_of(text: str, piece: str) -> int:
    return text[: text.index(piece)].count("\n") + 1


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*args: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["wijkenergie", *map(str, args)])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        told = capsys.readouterr()
        assert isinstance(code, int)
        return code, told.out, told.err

    return command


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "community.yaml").write_text(COMMUNITY, encoding="utf-8")
    (tmp_path / "readings.csv").write_text(ROWS, encoding="utf-8")
    return tmp_path


def arguments(folder: Path, month: str = "2026-01") -> list[object]:
    return [
        "replay", folder / "community.yaml", folder / "readings.csv", "--month", month, "--out", folder / "out",
    ]  # fmt: skip


def refused(run: Run, folder: Path, *extra: object, month: str = "2026-01") -> str:
    """Run `replay`, see that it refuses as it must, and return what it says."""
    code, out, err = run(*arguments(folder, month), *extra)
    assert (code, out) == (2, "")
    assert not (folder / "out").exists()
    assert "Traceback" not in err
    for line in err.strip().splitlines():
        assert len(line) < 300
        assert line[-1] in ".?", line
    return err


def test_the_files_the_cases_start_from_are_in_order(run: Run, folder: Path) -> None:
    code, _, err = run(*arguments(folder))
    assert (code, err) == (0, "")
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["quarters.csv", "statement.json"]


WRONG_COMMUNITY = {
    "a list is not closed": ("flats:\n", "flats: [\n", None, "not valid YAML"),
    "a field is written twice": ("name: Mees\n", "name: Mees\nname: M\n", "name: M\n", "'name' is written twice"),
    "a field is misspelt": ("owner: owner", "ownr: owner", "ownr", r"ownr: unknown field; did you mean 'owner'\?"),
    "a field is misspelt inside": (
        '{id: B, floor_area_m2: "50"}', '{id: B, floor_area: "50"}', "floor_area:", "did you mean 'floor_area_m2'",
    ),
    "a field is missing": ("timezone: Europe/Amsterdam\n", "", None, "timezone: this field is missing"),
    "a zone that is none": ("Europe/Amsterdam", "Europe/Amsterdm", "Amsterdm", "timezone: .*not a known time zone"),
    "a month without a 30th": ("A, from: 2025-01-01", "A, from: 2025-02-30", "2025-02-30", "from: .*not a day"),
    "a decimal comma": ('"4.8"', '"4,8"', '"4,8"', "kwh_per_kg: '4,8' is not a plain number"),
    "a negative area": ('B, floor_area_m2: "50"}', 'B, floor_area_m2: "-50"}', "-50", "floor_area_m2: .*negative"),
    "more than everything": ('"65"', '"165"', '"165"', "measured_percent: .*more than 100"),
    "half a cent": ('"150.00"', '"150.005"', "150.005", "eur: .*parts of a cent"),
    "a key that is none": ("key: proportional", "key: fair", "fair", "key: 'fair' is not possible here; choose"),
    "an instant without zone": ("T09:00:00+01:00", "T09:00:00", "09:00:00,", "at: .*without a zone"),
    "nobody's flat": ("{id: h-b, flat: B", "{id: h-b, flat: C", "flat: C", "flat: there is no flat 'C'"),
    "two households at once": ("h-b, flat: B", "h-b, flat: A", "id: h-b", "'h-b' moves into A while 'h-a' still"),
    "an id used twice": ("{id: B, floor", "{id: A, floor", 'A, floor_area_m2: "50"}\nhouse', "'A' is used twice"),
    "electricity in kilograms": ("flat: B, unit: kWh", "flat: B, unit: kg", "unit: kg", "electricity cannot be in kg"),
    "units and kilowatt-hours": (
        "heat, flat: A, unit: kWh}", "heat, flat: A, unit: kWh}\n  - {id: x, measures: heat, flat: B, unit: units}",
        None, "heat in 'units' and heat in kWh cannot share one pool",
    ),
    "no weights": ("key: proportional", "key: fixed", None, "key 'fixed' needs one weight for every flat; look at A"),
    "no order": ("key: proportional", "key: priority", None, "order: key 'priority' needs every flat exactly once"),
    "unused shares of nothing": (
        "proportional", "proportional, surplus: unused_share", "unused_share", "'unused_share' has no meaning",
    ),
    "no rate for heat": (', heat: "21"', "", None, "this needs a rate for 'heat'"),
    "a delivery before the opening": ("2026-01-15T09", "2025-12-15T09", "2025-12-15T09", "before the opening stock"),
    "an advance of nobody": ("household: h-a", "household: h-z", "h-z", "there is no household 'h-z'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_COMMUNITY)
def test_a_wrong_community_file_is_refused_with_line_and_field(case: str, run: Run, folder: Path) -> None:
    old, new, marker, sentence = WRONG_COMMUNITY[case]
    assert COMMUNITY.count(old) == 1, "the case must change one place"
    text = COMMUNITY.replace(old, new)
    (folder / "community.yaml").write_text(text, encoding="utf-8")
    said = refused(run, folder).splitlines()
    place = "community.yaml:" if marker is None else f"community.yaml:{line_of(text, marker)}: "
    assert any(line.startswith(place) and re.search(sentence, line) for line in said), said
    assert all(line.startswith("community.yaml:") for line in said)


@pytest.mark.parametrize("command", ["check", "apply"])
def test_check_and_apply_refuse_the_same_file(command: str, run: Run, folder: Path) -> None:
    (folder / "community.yaml").write_text(COMMUNITY.replace("ner: owner", "nr: owner"), encoding="utf-8")
    code, out, err = run(command, folder / "community.yaml")
    assert (code, out) == (2, "")
    assert "community.yaml:5: ownr: unknown field; did you mean 'owner'?\n" in err


def test_every_fault_of_a_file_is_told_at_once(run: Run, folder: Path) -> None:
    text = COMMUNITY.replace('"4.8"', '"4,8"').replace("Amsterdam", "Amsterdm").replace('"165"', "x")
    (folder / "community.yaml").write_text(text, encoding="utf-8")
    assert len(refused(run, folder).strip().splitlines()) == 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no such file"),
        (b"\xff\xfe\x00", "not UTF-8 text"),
        (b"", "must be a list of 'field: value' lines"),
        (b"- a\n- b\n", "must be a list of 'field: value' lines"),
        (b"a: &x [*x]\n", "community.yaml"),
    ],
    ids=["missing", "not text", "empty", "a list", "a loop"],
)
def test_what_is_no_community_file_is_refused(content: bytes | None, sentence: str, run: Run, folder: Path) -> None:
    if content is None:
        (folder / "community.yaml").unlink()
    else:
        (folder / "community.yaml").write_bytes(content)
    assert sentence in refused(run, folder)


WRONG_ROWS = {
    "a header of its own": ("time,meter,value", "when,meter,value", 1, "first line must be 'time,meter,value' or"),
    "a meter nobody knows": ("Z,el-A,250", "Z,el-Z,250", 5, "knows no meter 'el-Z'"),
    "a naive time": ("2026-01-31T23:00:00Z,pv", "2026-01-31T23:00:00,pv", 3, "a time without a zone"),
    "a day that does not exist": ("2026-01-31T23:00:00Z,pv", "2026-01-32T23:00:00Z,pv", 3, "not a time that exists"),
    "a year nobody lives in": ("2026-01-31T23:00:00Z,pv", "9999-12-31T23:00:00Z,pv", 3, "between 1900 and 2200"),
    "no time at all": ("2026-01-31T23:00:00Z,pv", "yesterday,pv", 3, "not a time like"),
    "a decimal comma": ("el-A,100.5", 'el-A,"100,5"', 4, "'100,5' is not a plain decimal number"),
    "an exponent": ("el-A,100.5", "el-A,1e3", 4, "'1e3' is not a plain decimal number"),
    "no number": ("el-A,100.5", "el-A,NaN", 4, "'NaN' is not a plain decimal number"),
    "nothing": ("el-A,100.5", "el-A,", 4, "'' is not a plain decimal number"),
    "two columns": ("el-A,100.5", "100.5", 4, "expected three values, found 2"),
    "four columns": ("el-A,100.5", "el-A,100.5,kWh", 4, "expected three values, found 4"),
}


@pytest.mark.parametrize("case", WRONG_ROWS)
def test_a_wrong_row_is_refused_with_its_line(case: str, run: Run, folder: Path) -> None:
    old, new, line, sentence = WRONG_ROWS[case]
    assert ROWS.count(old) == 1
    (folder / "readings.csv").write_text(ROWS.replace(old, new), encoding="utf-8")
    said = refused(run, folder)
    assert said.startswith(f"readings.csv:{line}: "), said
    assert sentence in said


def test_two_values_for_one_instant_are_refused_naming_both_lines(run: Run, folder: Path) -> None:
    again = "2026-02-01T00:00:00+01:00,el-A,251\n"  # the instant of line 5 in another zone
    (folder / "readings.csv").write_text(ROWS + again, encoding="utf-8")
    said = refused(run, folder)
    assert said.startswith("readings.csv:6: meter el-A has 251 at 2026-01-31T23:00:00Z, but line 5 says 250;")


def test_the_same_value_again_is_no_fault(run: Run, folder: Path) -> None:
    (folder / "readings.csv").write_text(ROWS + "2026-02-01T00:00:00+01:00,el-A,250.00\n", encoding="utf-8")
    assert run(*arguments(folder))[0] == 0


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("2026-01-01T00:15:00Z,el-A,1", "not the start of a settlement interval; they start every 60 minutes"),
        ("2026-01-01T00:00:00Z,el-A,-1", "'-1' is negative"),
    ],
)
def test_quantities_must_be_aligned_and_not_negative(row: str, sentence: str, run: Run, folder: Path) -> None:
    (folder / "readings.csv").write_text(f"start,meter,value\n{row}\n", encoding="utf-8")
    said = refused(run, folder)
    assert said.startswith("readings.csv:2: ")
    assert sentence in said


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "there is no such file"),
        (b"time,meter,value\n\xff\xfe,\n", "not UTF-8 text"),
        (b"", "the first line must be"),
        (b"x" * 200_000, "readings.csv:1: this is not CSV: field larger than"),
        (b"time,meter,value\n\n" + b"x" * 200_000, "readings.csv:3: this is not CSV: field larger than"),
    ],
    ids=["missing", "not text", "empty", "an endless header", "an endless row"],
)
def test_what_is_no_readings_file_is_refused(content: bytes | None, sentence: str, run: Run, folder: Path) -> None:
    if content is None:
        (folder / "readings.csv").unlink()
    else:
        (folder / "readings.csv").write_bytes(content)
    said = refused(run, folder)
    assert "readings.csv" in said
    assert sentence in said


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "2026-1", "26-01", "January", "2026-01-01", "0000-01", ""])
def test_what_is_no_month_is_refused(month: str, run: Run, folder: Path) -> None:
    assert (
        refused(run, folder, month=month) == f"'{month}' is not a month; write it as YYYY-MM, for instance 2026-01.\n"
    )


def test_a_month_before_all_rules_is_refused(run: Run, folder: Path) -> None:
    assert "There is no tariff for 2024-12-01" in refused(run, folder, month="2024-12")


@pytest.mark.parametrize("month", ["0001-01", "9999-12"])
def test_months_at_the_end_of_time_are_refused(month: str, run: Run, folder: Path) -> None:
    refused(run, folder, month=month)


def test_an_unknown_key_is_refused(run: Run, folder: Path) -> None:
    assert "no sharing key 'fair'; choose one of fixed, equal" in refused(run, folder, "--key", "fair")


def test_a_key_whose_weights_are_not_there_is_refused(run: Run, folder: Path) -> None:
    assert "key 'optimal' needs one weight for every flat" in refused(run, folder, "--key", "optimal")


def test_a_negative_stock_is_refused_naming_the_document(run: Run, folder: Path) -> None:
    (folder / "community.yaml").write_text(COMMUNITY.replace('kg: "1500"', 'kg: "4500"'), encoding="utf-8")
    said = refused(run, folder)
    assert "the count of 2026-01-31 says 4500.0 kg" in said or "the count of 2026-02-01 says 4500.0 kg" in said


def test_pellets_without_count_and_heat_are_refused(run: Run, folder: Path) -> None:
    (folder / "community.yaml").write_text(COMMUNITY.replace("2026-02-01T00:00", "2026-01-20T00:00"), encoding="utf-8")
    assert "add a count within 12 hours of the month's end" in refused(run, folder)


def test_a_folder_that_cannot_be_written_is_refused(run: Run, folder: Path) -> None:
    (folder / "taken").write_text("a file", encoding="utf-8")
    code, _, err = run(*arguments(folder)[:-1], folder / "taken")
    assert code == 2
    assert "nothing could be written there" in err
    assert (folder / "taken").read_text(encoding="utf-8") == "a file"


def test_an_error_leaves_what_was_written_before(run: Run, folder: Path) -> None:
    assert run(*arguments(folder))[0] == 0
    before = {path.name: path.read_bytes() for path in (folder / "out").iterdir()}
    (folder / "readings.csv").write_text(ROWS + "2026-02-01T00:00:00Z,el-Z,1\n", encoding="utf-8")
    assert run(*arguments(folder))[0] == 2
    assert {path.name: path.read_bytes() for path in (folder / "out").iterdir()} == before


def test_a_forgotten_month_is_asked_for(run: Run, folder: Path) -> None:
    code, _, err = run(*arguments(folder)[:3], "--out", folder / "out")
    assert code == 2
    assert "--month" in err
    assert "Traceback" not in err


def test_a_process_refuses_in_one_sentence_too(folder: Path) -> None:
    (folder / "readings.csv").write_text(ROWS.replace("el-A,250", "el-Z,250"), encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "wijkenergie", *map(str, arguments(folder))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    sentence = "readings.csv:5: the community file knows no meter 'el-Z'; add it or correct the name.\n"
    assert (result.returncode, result.stdout, result.stderr) == (2, "", sentence)
    assert not (folder / "out").exists()


def test_a_folder_is_no_readings_file(run: Run, folder: Path) -> None:
    (folder / "readings.csv").unlink()
    (folder / "readings.csv").mkdir()
    said = refused(run, folder)
    assert "readings.csv: the file cannot be read: " in said


def test_empty_lines_are_no_rows(run: Run, folder: Path) -> None:
    (folder / "readings.csv").write_text(ROWS.replace("\n", "\n\n,,\n"), encoding="utf-8")
    assert run(*arguments(folder))[0] == 0
