"""Messages leave the house: over a real SMTP server, each once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from core.db.connection import Connection, connect
from core.settings import Settings
from core.time import Month
from settlement.tasks import messages, rounds
from settlement.tasks.letters import Letter
from settlement.tasks.messages import Delivered, addressed_to, deliver, enqueue
from tests.support import boilerhouse as house
from tests.support.boilerhouse import SLUG
from tests.support.mailbox import Mailbox, text_of

# The notification library imports a module of the standard library that is on its way out, on Python 3.11 and 3.12.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
LETTER = Letter("Eén vráág", "Hallo,\n\nÉén regel met € 12,34 en een link:\nhttp://127.0.0.1:8000/work?a=1&b=<2>\n")
_MINUTE = timedelta(minutes=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as opened:
        house.make(opened)
        yield opened


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    box = Mailbox()
    box.start()
    try:
        yield box
    finally:
        box.stop()


def settings(*urls: str) -> Settings:
    return Settings(notify_urls=SecretStr(" ".join(urls)))


def write(connection: Connection, person: str | None, key: str = "k", kind: str = "task", now: datetime = NOW) -> bool:
    return enqueue(connection, SLUG, key=key, person=person, kind=kind, letter=LETTER, now=now)


def send(connection: Connection, urls: Settings, now: datetime = NOW) -> Delivered:
    return deliver(connection, urls, SLUG, ZONE, now)


def test_a_refill_alert_reaches_the_volunteer_once(connection: Connection, mailbox: Mailbox) -> None:
    community = house.make(connection)
    house.person(connection, "v1", "vrijwilliger@example.org", ["volunteer"])
    rounds.check(connection, community, "https://wijk.example.org", NOW)
    assert send(connection, settings(mailbox.url)) == Delivered(1, 0, 0)
    assert send(connection, settings(mailbox.url)) == Delivered(0, 0, 0)
    rounds.check(connection, community, "https://wijk.example.org", NOW + _MINUTE)
    assert send(connection, settings(mailbox.url), NOW + _MINUTE) == Delivered(0, 0, 0)
    ((sender, recipients, message),) = mailbox.received
    assert (sender, recipients) == ("wijk@example.org", ["vrijwilliger@example.org"])
    assert message["Subject"] == "De ketel heeft pellets nodig"
    assert message["To"] == "vrijwilliger@example.org"
    assert message.get_content_type() == "text/plain"
    body = text_of(message)
    assert "\nhttps://wijk.example.org/work\n" in body
    assert body.endswith("Met groet,\nFlat De Ster\n")


def test_letters_outside_ascii_arrive_as_they_were_written(connection: Connection, mailbox: Mailbox) -> None:
    house.person(connection, "p", "b+a@example.org", ["resident"])
    write(connection, "p")
    send(connection, settings(mailbox.url))
    ((_, recipients, message),) = mailbox.received
    assert recipients == ["b+a@example.org"]
    assert message["Subject"] == LETTER.subject
    assert message.get_content_charset() == "utf-8"
    assert text_of(message).rstrip("\n") == LETTER.body.rstrip("\n")


def test_a_message_to_the_service_goes_to_every_address(connection: Connection, mailbox: Mailbox) -> None:
    second = mailbox.url.replace("beheer", "techniek")
    write(connection, None)
    assert send(connection, settings(mailbox.url, second)) == Delivered(1, 0, 0)
    assert mailbox.recipients == ["beheer@example.org", "techniek@example.org"]


def test_an_address_that_fails_does_not_make_the_others_hear_it_twice(connection: Connection, mailbox: Mailbox) -> None:
    write(connection, None)
    with capture_logs() as logs:
        assert send(connection, settings(mailbox.url, "json://127.0.0.1:1/")) == Delivered(1, 0, 0)
        assert send(connection, settings(mailbox.url, "json://127.0.0.1:1/"), NOW + _MINUTE) == Delivered(0, 0, 0)
    assert mailbox.recipients == ["beheer@example.org"]
    assert any("did not take" in entry["event"] for entry in logs)


def test_a_key_is_written_once_per_person(connection: Connection) -> None:
    for name in ("p", "q"):
        house.person(connection, name, f"{name}@example.org", ["resident"])
    assert [write(connection, who) for who in ("p", "q", None, "p", None)] == [True, True, True, False, False]


def test_a_message_is_written_with_its_cause_or_not_at_all(connection: Connection) -> None:
    with connection.transaction(force_rollback=True):
        assert write(connection, None)
    assert connection.execute("SELECT count(*) FROM message").fetchone() == (0,)


def test_a_refused_message_is_tried_again_later_and_arrives_once(connection: Connection, mailbox: Mailbox) -> None:
    house.person(connection, "p", "p@example.org", ["resident"])
    write(connection, "p")
    mailbox.refusing = True
    with capture_logs() as logs:
        assert send(connection, settings(mailbox.url)) == Delivered(0, 1, 1)
    assert "p@example.org" not in str(logs)
    row = connection.execute("SELECT attempts, last_error, next_try, sent_at FROM message").fetchone()
    assert row is not None
    assert (row[0], row[2], row[3]) == (1, NOW + 2 * _MINUTE, None)
    assert row[1]
    assert "p@example.org" not in row[1]
    mailbox.refusing = False
    assert send(connection, settings(mailbox.url), NOW + _MINUTE) == Delivered(0, 0, 1)
    assert send(connection, settings(mailbox.url), NOW + 2 * _MINUTE) == Delivered(1, 0, 0)
    assert mailbox.recipients == ["p@example.org"]
    row = connection.execute("SELECT attempts, last_error, sent_at FROM message").fetchone()
    assert row == (2, None, NOW + 2 * _MINUTE)


def test_a_mail_server_that_is_away_is_asked_less_and_less_and_then_no_more(connection: Connection) -> None:
    house.person(connection, "p", "p@example.org", ["resident"])
    write(connection, "p", kind="alarm")
    away = Mailbox()  # never started: nobody listens on its port
    waits = []
    now = NOW
    while send(connection, settings(away.url), now).failed:
        (then,) = connection.execute("SELECT next_try FROM message").fetchone() or (None,)
        assert then is not None
        waits.append((then - now) / _MINUTE)
        now = then
    assert waits[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 360]
    assert set(waits[9:]) == {360}
    assert now - NOW >= messages.GIVE_UP_AFTER
    assert send(connection, settings(away.url), now) == Delivered(0, 0, 0)


def test_at_night_only_alarms_are_sent(connection: Connection, mailbox: Mailbox) -> None:
    night = datetime(2026, 2, 3, 20, 30, tzinfo=UTC)  # 21:30 local
    write(connection, None, "task", now=night)
    write(connection, None, "alarm", kind="alarm", now=night)
    assert send(connection, settings(mailbox.url), night) == Delivered(1, 0, 1)
    early = datetime(2026, 2, 4, 6, 59, tzinfo=UTC)  # 07:59 local
    assert send(connection, settings(mailbox.url), early) == Delivered(0, 0, 1)
    assert send(connection, settings(mailbox.url), early + _MINUTE) == Delivered(1, 0, 0)


def test_a_demonstration_may_write_at_night(connection: Connection, mailbox: Mailbox) -> None:
    night = datetime(2026, 2, 3, 23, tzinfo=UTC)
    write(connection, None, now=night)
    assert deliver(connection, settings(mailbox.url), SLUG, ZONE, night, quiet_hours=False) == Delivered(1, 0, 0)


def test_without_addresses_messages_wait(connection: Connection) -> None:
    write(connection, None)
    assert send(connection, settings()) == Delivered(0, 0, 1)
    assert connection.execute("SELECT attempts FROM message").fetchone() == (0,)


def test_a_person_needs_a_mail_server_and_an_address(connection: Connection, mailbox: Mailbox) -> None:
    house.person(connection, "p", "p@example.org", ["resident"])
    house.person(connection, "q", None, ["resident"])
    write(connection, "p", "first")
    assert send(connection, settings("json://127.0.0.1:1/")).failed == 1
    write(connection, "q", "second")
    assert send(connection, settings(mailbox.url)).failed == 1
    errors = connection.execute("SELECT last_error FROM message ORDER BY key").fetchall()
    assert "names no mail server" in errors[0][0]
    assert "no e-mail address" in errors[1][0]
    assert mailbox.received == []


def test_two_workers_send_a_message_once(connection: Connection, mailbox: Mailbox, database_url: str) -> None:
    house.person(connection, "p", "p@example.org", ["resident"])
    for number in range(10):
        write(connection, "p", f"k{number}")
    results: list[Delivered] = []
    barrier = threading.Barrier(3)

    def work() -> None:
        with connect(database_url, autocommit=True) as own:
            barrier.wait()
            results.append(send(own, settings(mailbox.url)))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.sent for result in results) == len(mailbox.received) == 10
    assert connection.execute("SELECT count(*) FROM message WHERE attempts = 1").fetchone() == (10,)


def test_only_the_recipient_of_an_address_changes() -> None:
    url = "mailtos://user:p%40ss@mail.example.org:465/boss@example.org?smtp=mx.example.org&to=boss@x.org&CC=a@b.org"
    changed = addressed_to(url, "bewoner+1@example.org")
    assert changed == "mailtos://user:p%40ss@mail.example.org:465?smtp=mx.example.org&to=bewoner%2B1@example.org"


def settle(connection: Connection, month: str, parties: list[str]) -> None:
    entries = ", ".join(f'{{"party": "{party}"}}' for party in parties)
    connection.execute(
        "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement)"
        " VALUES (%s, %s, 1, 'provisional', '', '', %s)",
        (SLUG, month, f'{{"statements": [{entries}]}}'),
    )


def test_residents_of_a_settled_month_hear_once_that_it_is_ready(connection: Connection, mailbox: Mailbox) -> None:
    community = house.make(connection)
    house.person(connection, "r1", "r1@example.org", ["resident"], household="h-001")
    house.person(connection, "r2", "r2@example.org", ["resident"], household="h-001", language="en")
    house.person(connection, "r3", "r3@example.org", ["resident"], household="h-002")
    house.person(connection, "r4", None, ["resident"], household="h-001")
    house.person(connection, "c1", "c1@example.org", ["corporation"])
    month = Month(2026, 1)
    assert messages.statements_ready(connection, community, month, "https://wijk.example.org", NOW) == 0
    settle(connection, "2026-01", ["h-001", "owner"])
    assert messages.statements_ready(connection, community, month, "https://wijk.example.org", NOW) == 2
    assert messages.statements_ready(connection, community, month, "https://wijk.example.org", NOW) == 0
    send(connection, settings(mailbox.url))
    assert mailbox.recipients == ["r1@example.org", "r2@example.org"]
    dutch, english = (message for _, _, message in mailbox.received)
    assert dutch["Subject"] == "Uw overzicht van januari 2026 staat klaar"
    assert english["Subject"] == "Your statement for January 2026 is ready"
    for message in (dutch, english):
        assert "\nhttps://wijk.example.org/statements\n" in text_of(message)
        assert "€" not in text_of(message)
        assert "A01" not in text_of(message)
