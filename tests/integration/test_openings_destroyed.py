"""Openings of sealed months are destroyed by the clock, on record, and only where nothing is left to dispute."""

from __future__ import annotations

import io
import sys
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from babel.dates import format_date
from structlog.testing import capture_logs

from core.communityfile import build
from core.db import config
from core.db.connection import Connection, connect
from core.time import Month
from settlement import jobs
from settlement.final import issue, store
from settlement.seal import verify
from settlement.seal.bundle import COMMON, SUN, resident_bundle
from tests.support import finalhouse, finaltown
from tests.support import house as april
from tests.support.finalhouse import LATER, NOW, SLUG
from tests.support.finaltown import FEBRUARY
from tests.support.postgres import clone
from wijkenergie.cli import main

pytestmark = pytest.mark.integration

LABELS = ["h-a|A|2026-02-01", "h-b|B|2026-02-01", SUN, COMMON]
LAST_NIGHT = datetime(2026, 4, 5, 0, 40, tzinfo=UTC)
"""In the night of 5 April, the last day of one month of keeping after the seal of 5 March."""
DAY = timedelta(days=1)
DEARER = {"date": "2026-02-21", "pool": "heat", "eur": "10.00", "invoice": "M-5"}
KEPT = {"openings_kept_months": "1"}


@pytest.fixture
def url(server_url: str, town_name: str) -> Iterator[str]:
    with clone(server_url, town_name) as fresh:
        yield fresh


@pytest.fixture
def house(url: str) -> Iterator[Connection]:
    """The small building, February final since noon of 5 March, openings kept for a month."""
    with connect(url) as connection:
        agree(connection, NOW, final=KEPT)
        issue.finalise(connection, SLUG, FEBRUARY, NOW, "corporation")
        yield connection


def day(of_june: int) -> str:
    return format_date(date(2026, 6, of_june), "d MMMM y", locale="nl")


def agree(connection: Connection, now: datetime, **sections: Any) -> None:
    """Bring the database in line with a changed file, as of an instant."""
    with connection.transaction():
        config.apply(connection, build(finaltown.tree(**sections), "the case"), now, "test")


def night(url: str, now: datetime) -> list[dict[str, object]]:
    """Let the worker's clock come to an instant; what it says."""
    with capture_logs() as said:
        jobs.do(jobs.Work(url, finalhouse.SETTINGS, SLUG), "openings", jobs.SCHEDULE["openings"][1], now)
    return [dict(entry) for entry in said if entry["log_level"] != "debug"]


def opened(connection: Connection, number: str = "2026-0001") -> set[str]:
    """Labels of what can still be opened of a document."""
    with connection.transaction():
        return set(store.openings(connection, SLUG, number, LABELS))


def recorded(connection: Connection) -> list[tuple[object, ...]]:
    with connection.transaction():
        return connection.execute(
            "SELECT key, body, recorded_at, author FROM event WHERE kind = 'openings-destroyed' ORDER BY key"
        ).fetchall()


def test_the_day_before_nothing_the_day_after_gone_and_the_second_time_nothing(house: Connection, url: str) -> None:
    assert night(url, LAST_NIGHT) == []
    assert opened(house) == set(LABELS)
    (said,) = night(url, LAST_NIGHT + DAY)
    assert (said["event"], said["month"], said["openings"]) == ("openings destroyed", "2026-02", 4)
    assert opened(house) == set()
    on_record = [
        ("2026-0001", {"month": "2026-02", "openings": "4", "kept_months": "1"}, LAST_NIGHT + DAY, "worker"),
    ]
    assert recorded(house) == on_record
    assert night(url, LAST_NIGHT + 2 * DAY) == []
    assert recorded(house) == on_record
    assert house.execute("SELECT DISTINCT destroyed_at FROM opening").fetchall() == [(LAST_NIGHT + DAY,)]


def test_it_is_done_at_night_only(house: Connection, url: str) -> None:
    assert night(url, LAST_NIGHT + 2 * DAY + timedelta(hours=9)) == []
    assert opened(house) == set(LABELS)


def test_without_a_setting_the_clock_destroys_nothing(house: Connection, url: str) -> None:
    agree(house, LATER)
    assert night(url, LAST_NIGHT + 9999 * DAY) == []
    assert opened(house) == set(LABELS)


def test_what_is_left_still_proves_the_month(
    house: Connection, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = store.bundle(house, SLUG, "2026-0001") or b""
    (final,) = store.of_month(house, SLUG, "2026-02")
    before = verify.verify(resident_bundle(whole, LABELS[0], store.openings(house, SLUG, "2026-0001", LABELS)))
    house.commit()
    night(url, LAST_NIGHT + DAY)
    assert store.bundle(house, SLUG, "2026-0001") == whole
    proven = verify.verify(whole, seal_sha256=final.seal_sha256)
    assert (proven.wrong, len(proven.proved) > 10) == ([], True)
    after = verify.verify(resident_bundle(whole, LABELS[0], store.openings(house, SLUG, "2026-0001", LABELS)))
    assert (before.wrong, after.wrong) == ([], [])
    assert "Your intervals are what was sealed, and come to your totals." in before.proved
    assert "Your statement is one of those in the seal." in after.proved
    assert "Your intervals are not in this bundle, so your totals were not recomputed from them." in after.unchecked
    (tmp_path / "month.zip").write_bytes(whole)
    monkeypatch.setattr(sys, "argv", ["wijkenergie", "verify", str(tmp_path / "month.zip")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert "Nothing is wrong with this bundle." in capsys.readouterr().out


def test_a_month_with_a_waiting_correction_is_left_alone_and_counts_from_its_correction(
    house: Connection, url: str
) -> None:
    agree(house, LATER, final=KEPT, costs=[*finaltown.tree()["costs"], DEARER])
    (said,) = night(url, LAST_NIGHT + DAY)  # nobody looked for the correction before; the job looks itself
    assert (said["event"], said["month"]) == ("openings are kept, a correction waits", "2026-02")
    assert opened(house) == set(LABELS)
    assert store.candidate(house, SLUG, "2026-02") is not None
    house.commit()
    corrected = issue.correct(house, SLUG, FEBRUARY, LATER, "corporation")  # on 20 March
    assert corrected is not None
    assert night(url, LAST_NIGHT + 15 * DAY) == []  # 20 April
    assert opened(house) == set(LABELS)
    assert [entry["event"] for entry in night(url, LAST_NIGHT + 16 * DAY)] == ["openings destroyed"]
    assert opened(house) == set()
    proven = verify.verify(
        store.bundle(house, SLUG, "2026-0002") or b"", previous=store.bundle(house, SLUG, "2026-0001")
    )
    assert proven.wrong == []


def test_a_month_that_cannot_be_settled_any_more_is_left_alone(house: Connection, url: str) -> None:
    house.execute("DELETE FROM reading")
    house.commit()
    (said,) = night(url, LAST_NIGHT + DAY)
    assert said["event"] == "openings are kept, their month could not be looked at"
    assert said["reason"] == "There are no readings for 2026-02; nothing was changed."
    assert opened(house) == set(LABELS)


def test_what_is_due_is_asked_again_when_it_is_done(house: Connection) -> None:
    """A month that is not due, or is not final, loses nothing, whoever asks."""
    assert issue.destroy_openings(house, SLUG, FEBRUARY, LAST_NIGHT) == 0
    assert issue.destroy_openings(house, SLUG, Month(2026, 3), LAST_NIGHT + 2 * DAY) == 0
    assert opened(house) == set(LABELS)


def test_two_workers_at_once_destroy_once(house: Connection, url: str) -> None:
    ready, destroyed = threading.Barrier(2), []

    def worker() -> None:
        with connect(url) as connection:
            ready.wait()
            destroyed.append(issue.destroy_openings(connection, SLUG, FEBRUARY, LAST_NIGHT + DAY))

    threads = [threading.Thread(target=worker) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(destroyed, key=bool) == [0, 4]
    assert len(recorded(house)) == 1


def test_a_resident_reads_until_when_and_then_that_it_is_gone(server_url: str, house_name: str) -> None:
    gone = datetime(2026, 6, 14, 0, 40, tzinfo=UTC)  # the night after the last day of a month from 13 May
    with clone(server_url, house_name) as url:
        with connect(url) as connection, connection.transaction():
            tree = config.load(connection, april.SLUG).tree | {"final": KEPT}
            config.apply(connection, build(tree, "the case"), april.NOW, "test")
        with connect(url) as connection:
            issue.finalise(connection, april.SLUG, Month(2026, 4), april.NOW, "corporation")
        with april.served(url) as address, april.client(address, url, "resident") as resident:
            told = resident.get("/api/v1/me/statements/2026-04.json").json()["opening"]
            assert told == {"kept_through": "2026-06-13", "destroyed_at": None}
            assert resident.get("/api/v1/me/statements/2026-05.json").json()["opening"] is None
            page = unescape(resident.get("/statements/2026-04").text)
            assert 'href="/api/v1/me/statements/2026-04.zip"' in page
            assert f"Tot en met {day(13)} zit ook uw verbruik door de dag erin." in page
            assert "verzegeld" not in resident.get("/statements/2026-05").text
        jobs.do(jobs.Work(url, april.SETTINGS, april.SLUG), "openings", jobs.SCHEDULE["openings"][1], gone)
        with (
            april.served(url, now=gone) as address,
            april.client(address, url, "resident") as resident,
            april.client(address, url, "corporation") as corporation,
        ):
            told = resident.get("/api/v1/me/statements/2026-04.json").json()["opening"]
            assert told == {"kept_through": None, "destroyed_at": "2026-06-14T00:40:00Z"}
            page = unescape(resident.get("/statements/2026-04").text)
            assert (
                f"Op {day(14)} hebben we uw verbruik door de dag uit deze verzegelde maand vernietigd."
                " Uw bedragen zijn nog steeds te bewijzen. De meterstanden bewaren we nog wel." in page
            )
            own = resident.get("/api/v1/me/statements/2026-04.zip")
            assert own.status_code == 200
            with zipfile.ZipFile(io.BytesIO(own.content)) as files:
                assert {"own.json", "proof.json"} <= set(files.namelist())
                assert not {"opening.json", "sun.json"} & set(files.namelist())
            assert verify.verify(own.content).wrong == []
            assert resident.get("/api/v1/me/statements/2026-04.pdf").status_code == 200
            assert corporation.get("/api/v1/months/2026-04").json()["openings_destroyed_at"] == "2026-06-14T00:40:00Z"


def test_what_was_destroyed_keeps_nobody_from_a_correction(house: Connection, url: str) -> None:
    night(url, LAST_NIGHT + DAY)
    agree(house, LATER, final=KEPT, costs=[*finaltown.tree()["costs"], DEARER])
    corrected = issue.correct(house, SLUG, FEBRUARY, LAST_NIGHT + 2 * DAY, "corporation")
    assert corrected is not None
    assert corrected.sealed.revision == 2
    assert night(url, LAST_NIGHT + 400 * DAY) == []  # it has no openings of its own
    assert len(recorded(house)) == 1
