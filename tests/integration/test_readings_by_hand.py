"""What a coordinator does by hand: read a display, set a reading aside, declare a swap, take it back; raw stays raw."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from core.db.connection import connect
from core.time import Month, utc_now
from settlement import derive, run
from settlement.run import exported
from tests.integration.test_front_door import COMMUNITY
from tests.support.commandline import CommandLine, Said

READINGS = """\
time,meter,value
2026-01-01T00:00:00+01:00,el-A,100
2026-01-01T00:15:00+01:00,el-A,101
2026-01-01T00:30:00+01:00,el-A,1020
2026-01-01T00:45:00+01:00,el-A,1030
2026-01-01T01:00:00+01:00,el-A,104
2026-01-01T01:15:00+01:00,el-A,105
"""
WHO = ("--by", "coordinator", "--why", "the display says otherwise")
Command = Callable[..., Said]
QUARTERS = "SELECT energy, quality, method FROM quarter WHERE meter = 'el-A' AND energy IS NOT NULL ORDER BY start"


@pytest.fixture
def command(tmp_path: Path, database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    (tmp_path / "house.yaml").write_text(COMMUNITY, encoding="utf-8")
    (tmp_path / "readings.csv").write_text(READINGS, encoding="utf-8")

    line = CommandLine(capsys, tmp_path, database_url)

    def call(*words: str, code: int = 0) -> Said:
        done = line(*words)
        assert done.returncode == code, done.stderr
        return done

    call("apply", "house.yaml")
    call("import", "readings.csv", "--yes")
    return call


def quarters(database_url: str) -> list[tuple]:
    with connect(database_url, autocommit=True) as connection:
        derive.update(connection, "de-mees", utc_now())
        return connection.execute(QUARTERS).fetchall()


def test_wrong_readings_are_set_aside_a_display_is_read_and_both_can_be_taken_back(command, database_url):
    before = quarters(database_url)
    wrong = ("--at", "2026-01-01T00:30:00+01:00", "--until", "2026-01-01T00:45:00+01:00")
    said = command("reading", "exclude", "el-A", *wrong, *WHO, "--yes").stdout
    assert "2025-12-31T23:30:00Z  1020 kWh" in said
    assert [energy for energy, _, _ in quarters(database_url)] == [1_000_000] * 5
    command("reading", "add", "el-A", "102.5", "--at", "2026-01-01T00:30:00+01:00", *WHO, "--yes", code=2)
    added = ("--at", "2026-01-01T00:37:30+01:00", "--photo", "display-17")
    command("reading", "add", "el-A", "102.750", *added, *WHO, "--yes")
    mended = quarters(database_url)
    assert sum(energy for energy, _, _ in mended) == 5_000_000
    assert [quality for _, quality, _ in mended] == ["measured", "edited", "edited", "edited", "measured"]
    listed = command("reading", "list").stdout.splitlines()
    assert [line.split("\t")[:2] for line in listed] == [
        ["edit", "el-A@2025-12-31T23:30:00Z"],
        ["edit", "el-A@2025-12-31T23:37:30Z"],
    ]
    for line in listed:
        command("reading", "withdraw", *line.split("\t")[:2], *WHO)
    assert quarters(database_url) == before
    assert "coordinator: the display says otherwise" in command("reading", "list").stdout
    assert "was withdrawn already" in command("reading", "withdraw", *listed[0].split("\t")[:2], *WHO, code=2).stderr
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM reading").fetchone() == (6,)


def test_a_statement_names_what_was_done_by_hand_and_its_export_replays_to_it(command, database_url):
    command(
        "reading", "add", "el-A", "105.5", "--at", "2026-01-01T01:20:00+01:00", *WHO, "--photo", "display-18", "--yes"
    )
    with connect(database_url, autocommit=True) as connection:
        settled = run.settle(connection, "de-mees", Month(2026, 1), utc_now())
        file, _ = exported(connection, "de-mees", Month(2026, 1))
    (finding,) = [one for one in settled.statement["findings"] if one["code"] == "reading-by-hand"]
    assert finding["text"] == (
        "Meter el-A: 105.5 was read by hand by coordinator: the display says otherwise. Photo: display-18."
    )
    assert [str(edit.value) for edit in file.community.edits] == ["105.5"]


def test_a_swap_is_declared_with_who_and_why(command, database_url):
    before = sum(energy for energy, _, _ in quarters(database_url))
    swap = ("--at", "2026-01-01T00:52:00+01:00", "--old-end", "1031", "--new-start", "103.5")
    command("reading", "replace", "el-A", *swap, *WHO, "--yes")
    after = sum(energy for energy, _, _ in quarters(database_url))
    assert after == 1_000_000 + (1031 - 101) * 1_000_000 + int(Decimal("1.5") * 1_000_000)
    assert after != before


def test_a_swap_that_was_stored_twice_is_refused_by_name_and_one_can_be_taken_back(command, database_url):
    """Such an event may be older than the rule that refuses it."""
    swap = ("--at", "2026-01-01T00:52:00+01:00", "--old-end", "1031", "--new-start", "103.5")
    command("reading", "replace", "el-A", *swap, *WHO, "--yes")
    once = quarters(database_url)
    with connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO event (community, kind, key, body, recorded_at, author)"
            " SELECT community, kind, key || '#2', body, recorded_at, author FROM event WHERE kind = 'replacement'"
        )
    assert (
        "meter 'el-A' was replaced 2 times at 2025-12-31 23:52:00+00:00; keep one"
        in command("settle", "2026-01", code=2).stderr
    )
    twice = [line.split("\t")[1] for line in command("reading", "list").stdout.splitlines()]
    assert len(twice) == 2
    command("reading", "withdraw", "replacement", twice[1], *WHO)
    assert quarters(database_url) == once


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("add", "el-B", "1", "--at", "2026-01-01T00:30:00+01:00", *WHO), "there is no meter 'el-B'"),
        (("add", "--at", "2026-01-01T00:30:00+01:00", *WHO, "--", "el-A", "-1"), "negative"),
        (("add", "el-A", "1", "--at", "2026-01-01T00:30:00", *WHO), "a time without a zone"),
        (
            ("exclude", "el-A", "--at", "2026-01-01T00:30:00Z", "--until", "2025-01-01T00:30:00Z", *WHO),
            "only an exclusion",
        ),
    ],
)
def test_a_slip_of_the_pen_is_one_sentence_and_changes_nothing(command, database_url, words, sentence):
    said = command("reading", *words[:1], "--yes", *words[1:], code=2)
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM event WHERE kind = 'edit'").fetchone() == (0,)
