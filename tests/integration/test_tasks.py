"""The fuel forecast and the work it asks for, on a real database."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from core.db import config
from core.db.connection import Connection, connect
from core.errors import BadInput
from settlement.tasks import rounds, store
from settlement.tasks.forecast import outlook
from settlement.tasks.rounds import Refused
from tests.support import boilerhouse as house
from tests.support.boilerhouse import OPENED, SLUG

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
URL = "http://127.0.0.1:8000"
_DAY = timedelta(days=1)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as opened:
        yield opened


# --- outlook -------------------------------------------------------------------------------------------------------


def test_stock_is_the_opening_and_deliveries_less_what_the_heat_took(connection: Connection) -> None:
    extra = '  deliveries: [{at: 2026-01-15T09:00:00Z, kg: "1000", eur: "300.00", invoice: P-1}]\n'
    community = house.make(connection, extra=extra)
    house.burn(connection, OPENED, NOW, 48)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert view.source == "opening"
    assert view.stock_kg == Decimal(4000 + 1000) - Decimal(48) * Decimal("30.5")
    assert view.per_day_kg == pytest.approx(48)
    assert view.days_left == pytest.approx(float(view.stock_kg) / 48)


def test_a_correction_changes_what_is_left(connection: Connection) -> None:
    extra = '  corrections: [{at: 2026-01-20T12:00:00Z, kg: "-40", why: wet bags, by: a volunteer}]\n'
    community = house.make(connection, extra=extra)
    house.burn(connection, OPENED, NOW, 48)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert view.stock_kg == Decimal(4000 - 40) - Decimal(48) * Decimal("30.5")


def test_a_count_takes_over_from_the_opening(connection: Connection) -> None:
    extra = (
        '  deliveries: [{at: 2026-01-15T09:00:00Z, kg: "1000", eur: "300.00", invoice: P-1}]\n'
        '  counts: [{at: 2026-01-30T12:00:00Z, kg: "900"}, {at: 2026-01-20T12:00:00Z, kg: "1"}]\n'
    )
    community = house.make(connection, extra=extra)
    house.burn(connection, OPENED, NOW, 48)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert (view.source, view.stock_kg) == ("count", Decimal(852))
    earlier = outlook(connection, community, datetime(2026, 1, 10, tzinfo=UTC))
    assert earlier is not None
    assert earlier.source == "opening"


def test_the_range_comes_from_days_that_differ(connection: Connection) -> None:
    community = house.make(connection)
    for day in range(30):
        house.burn(connection, OPENED + day * _DAY, OPENED + (day + 1) * _DAY, 24 if day % 2 else 72)
    view = outlook(connection, community, OPENED + 30 * _DAY)
    assert view is not None
    assert view.days_low == pytest.approx(float(view.stock_kg) / 72, rel=0.1)
    assert view.days_high == pytest.approx(float(view.stock_kg) / 24, rel=0.1)
    assert view.days_low is not None
    assert view.days_left is not None
    assert view.days_high is not None
    assert view.days_low < view.days_left < view.days_high


def test_hours_without_a_reading_burn_like_the_others(connection: Connection) -> None:
    community = house.make(connection)
    house.burn(connection, OPENED, OPENED + 10 * _DAY, 48)
    house.burn(connection, OPENED + 20 * _DAY, OPENED + 30 * _DAY, 48)
    view = outlook(connection, community, OPENED + 30 * _DAY)
    assert view is not None
    assert view.stock_kg == Decimal(4000 - 48 * 30)
    assert view.per_day_kg == pytest.approx(48)


def test_a_boiler_that_went_silent_is_taken_to_burn_as_usual(connection: Connection) -> None:
    community = house.make(connection, extra='  counts: [{at: 2026-01-20T00:00:00Z, kg: "1000"}]\n')
    house.burn(connection, OPENED, OPENED + 19 * _DAY, 48)
    view = outlook(connection, community, OPENED + 24 * _DAY)
    assert view is not None
    assert view.stock_kg == Decimal(1000 - 48 * 5)


def test_in_summer_there_is_no_end_in_sight(connection: Connection) -> None:
    community = house.make(connection)
    house.burn(connection, OPENED, NOW, 0)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert (view.stock_kg, view.days_left, view.days_low) == (Decimal(4000), None, None)


def test_a_stock_on_the_books_is_never_below_nothing(connection: Connection) -> None:
    community = house.make(connection)
    house.burn(connection, OPENED, NOW, 480)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert (view.stock_kg, view.days_left) == (Decimal(0), 0)


def test_the_sensor_never_decides_but_is_doubted(connection: Connection) -> None:
    community = house.make(connection)
    house.burn(connection, OPENED, NOW, 24)
    stock = 4000 - 24 * 30.5
    house.level(connection, NOW - timedelta(hours=2), int(stock) - 850)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert not view.level_differs
    house.level(connection, NOW - timedelta(hours=1), int(stock) - 950)
    view = outlook(connection, community, NOW)
    assert view is not None
    assert view.level_differs
    assert view.stock_kg == Decimal(4000) - Decimal(24) * Decimal("30.5")


def test_the_hopper_is_followed_from_refill_to_refill(connection: Connection) -> None:
    community = house.make(connection)
    house.burn(connection, OPENED, NOW, 24)
    for day, bags in ((1, "30"), (11, "4")):
        at = (OPENED + day * _DAY).isoformat().replace("+00:00", "Z")
        config.add_event(connection, SLUG, "bags", at, {"at": at, "bags": bags, "bag_kg": "15"}, NOW, "test")
    view = outlook(connection, community, OPENED + 12 * _DAY)
    assert view is not None
    assert view.hopper is not None
    # 30 bags fill it to its 300 kg, ten days take 240, four bags bring 60, another day takes 24.
    assert view.hopper.kg == Decimal(96)
    assert view.hopper.days_left == pytest.approx(4)


def test_a_community_without_pellets_has_no_outlook(connection: Connection) -> None:
    community = house.make(connection)
    assert outlook(connection, community.model_copy(update={"pellets": None}), NOW) is None
    assert outlook(connection, community, OPENED - _DAY) is None


# --- opening work --------------------------------------------------------------------------------------------------


def test_a_refill_opens_once_when_an_early_empty_is_near(connection: Connection) -> None:
    community = house.make(connection, house.NO_HOPPER)
    house.burn(connection, OPENED, NOW, 120)  # 340 kg left: 2.8 days
    house.person(connection, "v1", "v1@example.org", ["volunteer"])
    house.person(connection, "v2", "v2@example.org", ["volunteer", "resident"], language="en", household="h-001")
    house.person(connection, "v3", None, ["volunteer"])
    house.person(connection, "r1", "r1@example.org", ["resident"], household="h-002")
    alerts = rounds.check(connection, community, URL, NOW)
    assert [(alert.kind, alert.text) for alert in alerts] == [("refill", "De ketel heeft pellets nodig")]
    assert rounds.check(connection, community, URL, NOW + _DAY / 24) == []
    (task,) = rounds.open_tasks(connection, SLUG)
    assert (task.kind, task.state, task.opened_at) == ("refill", "open", NOW)
    assert task.due_at == pytest.approx(NOW + _DAY * 340 / 120, abs=timedelta(minutes=1))
    rows = connection.execute("SELECT person, subject, body FROM message ORDER BY person").fetchall()
    assert [(who, subject) for who, subject, _ in rows] == [
        ("v1", "De ketel heeft pellets nodig"),
        ("v2", "The boiler needs pellets"),
    ]
    assert all(f"{URL}/work" in body for _, _, body in rows)


def test_with_enough_pellets_nobody_is_asked(connection: Connection) -> None:
    community = house.make(connection, house.NO_HOPPER)
    house.burn(connection, OPENED, NOW, 100)  # 950 kg left: 9.5 days
    assert rounds.check(connection, community, URL, NOW) == []
    assert rounds.open_tasks(connection, SLUG) == []


def test_a_hopper_nobody_wrote_about_is_looked_at(connection: Connection) -> None:
    community = house.make(connection, house.HOPPER)
    house.burn(connection, OPENED, NOW, 24)
    assert [alert.kind for alert in rounds.check(connection, community, URL, NOW)] == ["refill"]
    house.person(connection, "v1", "v1@example.org", ["volunteer"])
    (task,) = rounds.open_tasks(connection, SLUG)
    rounds.done(connection, community, task.id, "v1", NOW, 20)
    assert rounds.check(connection, community, URL, NOW) == []
    assert rounds.check(connection, community, URL, NOW + 9 * _DAY) == []
    assert [alert.kind for alert in rounds.check(connection, community, URL, NOW + 10 * _DAY)] == ["refill"]


def test_without_volunteers_the_call_goes_to_the_addresses_of_the_service(connection: Connection) -> None:
    community = house.make(connection, house.HOPPER)
    rounds.check(connection, community, URL, NOW)
    assert connection.execute("SELECT person, kind FROM message").fetchall() == [(None, "task")]


def test_ash_is_emptied_by_what_was_burnt(connection: Connection) -> None:
    community = house.make(connection, house.ASH)
    house.person(connection, "v1", None, ["volunteer"])
    house.burn(connection, OPENED, NOW, 26)  # 800 kg leave 4 kg of ash after 30.77 days
    assert rounds.check(connection, community, URL, NOW) == []
    later = NOW + _DAY / 3
    house.burn(connection, NOW, later, 26)
    assert [alert.kind for alert in rounds.check(connection, community, URL, later)] == ["ash"]
    (task,) = rounds.open_tasks(connection, SLUG)
    done = rounds.done(connection, community, task.id, "v1", later, 7)
    assert (done.state, done.bags) == ("done", None)
    assert rounds.check(connection, community, URL, later + _DAY) == []
    assert connection.execute("SELECT count(*) FROM event WHERE kind = 'bags'").fetchone() == (0,)


def test_other_work_opens_by_the_calendar(connection: Connection) -> None:
    community = house.make(connection, '  - {id: stairs, title: Trap vegen, every_days: "7"}\n')
    house.person(connection, "v1", None, ["volunteer"])
    (alert,) = rounds.check(connection, community, URL, NOW)
    assert alert.text == "Trap vegen"
    (task,) = rounds.open_tasks(connection, SLUG)
    rounds.done(connection, community, task.id, "v1", NOW, None)
    assert rounds.check(connection, community, URL, NOW + 6 * _DAY) == []
    assert len(rounds.check(connection, community, URL, NOW + 7 * _DAY)) == 1


def test_a_doubted_sensor_is_told_once_per_count(connection: Connection) -> None:
    community = house.make(connection, house.NO_HOPPER)
    house.burn(connection, OPENED, NOW, 24)
    house.level(connection, NOW - _DAY, 10)
    assert [alert.kind for alert in rounds.check(connection, community, URL, NOW)] == ["level"]
    assert rounds.check(connection, community, URL, NOW + _DAY / 24) == []
    assert connection.execute("SELECT person, kind FROM message").fetchall() == [(None, "note")]


def test_two_workers_open_one_task(connection: Connection, database_url: str) -> None:
    community = house.make(connection, house.HOPPER)
    house.person(connection, "v1", "v1@example.org", ["volunteer"])
    alerts: list[rounds.Alert] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        with connect(database_url) as own:
            barrier.wait()
            alerts.extend(rounds.check(own, community, URL, NOW))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(alerts) == 1
    assert connection.execute("SELECT (SELECT count(*) FROM task), (SELECT count(*) FROM message)").fetchone() == (1, 1)


# --- doing work ----------------------------------------------------------------------------------------------------


@pytest.fixture
def task(connection: Connection) -> int:
    """Return an open refill, with three people around."""
    community = house.make(connection, house.HOPPER)
    for name in ("v1", "v2"):
        house.person(connection, name, None, ["volunteer"])
    rounds.check(connection, community, URL, NOW)
    connection.commit()
    return rounds.open_tasks(connection, SLUG)[0].id


def steps(connection: Connection) -> list[tuple[str | None, str]]:
    return [(row.person_name, row.what) for row in reversed(rounds.history(connection, SLUG))]


def test_the_whole_round_is_logged(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    minute = timedelta(minutes=1)
    assert rounds.claim(connection, SLUG, task, "v1", NOW + minute).person == "v1"
    assert rounds.release(connection, SLUG, task, "v1", NOW + 2 * minute).state == "open"
    assert rounds.release(connection, SLUG, task, "v2", NOW + 3 * minute).state == "open"
    assert rounds.claim(connection, SLUG, task, "v2", NOW + 4 * minute).claimed_at == NOW + 4 * minute
    row = rounds.done(connection, community, task, "v2", NOW + 5 * minute, 12)
    assert (row.state, row.person_name, row.bags, row.done_at) == ("done", "a v2", 12, NOW + 5 * minute)
    assert steps(connection) == [
        (None, "opened"),
        ("a v1", "claimed"),
        ("a v1", "released"),
        ("a v2", "declined"),
        ("a v2", "claimed"),
        ("a v2", "done"),
    ]
    assert rounds.history(connection, SLUG)[0].bags == 12
    (event,) = connection.execute("SELECT body, author FROM event WHERE kind = 'bags'").fetchall()
    assert event == ({"at": "2026-01-31T12:05:00Z", "bags": "12", "bag_kg": "15"}, "v2")


def work_of(connection: Connection) -> list[tuple[str, dict[str, str], str]]:
    return connection.execute("SELECT key, body, author FROM event WHERE kind = 'work' ORDER BY key").fetchall()


def test_work_of_a_resident_is_written_down_for_the_household(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    house.person(connection, "r1", None, ["resident", "volunteer"], household="h-001")
    for _ in range(2):
        rounds.done(connection, community, task, "r1", NOW, 12)
    body = {"at": "2026-01-31T12:00:00Z", "household": "h-001", "task": "refill", "bags": "12"}
    assert work_of(connection) == [("h-001 refill@2026-01-31T12:00:00Z", body, "r1")]
    (work,) = config.load(connection, SLUG).community.work
    assert (work.household, work.task, work.bags, work.at) == ("h-001", "refill", 12, NOW)


@pytest.mark.parametrize("household", [None, "h-elsewhere", "h-moved"])
def test_who_does_not_live_here_earns_nothing(connection: Connection, task: int, household: str | None) -> None:
    moved = {"id": "h-moved", "flat": "A01", "from": "2020-01-01", "until": "2021-01-01"}
    config.add_event(connection, SLUG, "household", "h-moved", moved, NOW, "test")
    community = config.load(connection, SLUG).community
    house.person(connection, "x", None, ["volunteer"], household=household)
    assert rounds.done(connection, community, task, "x", NOW, 3).state == "done"
    assert work_of(connection) == []
    assert config.load(connection, SLUG).community.work == ()


def test_a_refused_step_leaves_no_work(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    house.person(connection, "r1", None, ["resident", "volunteer"], household="h-001")
    with pytest.raises(BadInput):
        rounds.done(connection, community, task, "r1", NOW, 101)
    assert work_of(connection) == []


def test_a_step_taken_twice_is_taken_once(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    first, second, third = (NOW + timedelta(minutes=minutes) for minutes in (1, 2, 3))
    for _ in range(2):
        rounds.release(connection, SLUG, task, "v2", first)
    for _ in range(2):
        rounds.claim(connection, SLUG, task, "v1", second)
    for later in (third, third + _DAY):
        assert rounds.done(connection, community, task, "v1", later, 3).done_at == third
    assert [what for _, what in steps(connection)] == ["opened", "declined", "claimed", "done"]
    assert connection.execute("SELECT count(*) FROM event WHERE kind = 'bags'").fetchone() == (1,)


def test_what_another_has_is_refused_with_their_name(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    rounds.claim(connection, SLUG, task, "v1", NOW)
    steps_taken: list[Callable[[], object]] = [
        lambda: rounds.claim(connection, SLUG, task, "v2", NOW),
        lambda: rounds.release(connection, SLUG, task, "v2", NOW),
        lambda: rounds.done(connection, community, task, "v2", NOW, 3),
    ]
    for step in steps_taken:
        with pytest.raises(Refused) as refused:
            step()
        assert (refused.value.reason, refused.value.by, refused.value.http_status) == ("taken", "a v1", 409)
        assert "a v1" in str(refused.value)


def test_finished_and_unknown_work_is_refused(connection: Connection, task: int) -> None:
    community = config.load(connection, SLUG).community
    rounds.done(connection, community, task, "v1", NOW, 3)
    with pytest.raises(Refused) as refused:
        rounds.claim(connection, SLUG, task, "v2", NOW)
    assert refused.value.reason == "finished"
    with pytest.raises(Refused) as refused:
        rounds.done(connection, community, task, "v1", NOW, 4)
    assert refused.value.reason == "finished"
    with pytest.raises(Refused) as refused:
        rounds.claim(connection, SLUG, task + 1, "v2", NOW)
    assert (refused.value.reason, refused.value.http_status) == ("unknown", 404)
    with pytest.raises(Refused) as refused:
        rounds.claim(connection, "elsewhere", task, "v2", NOW)
    assert refused.value.reason == "unknown"


@pytest.mark.parametrize("bags", [None, -1, 101])
def test_a_refill_needs_a_possible_number_of_bags(connection: Connection, task: int, bags: int | None) -> None:
    community = config.load(connection, SLUG).community
    with pytest.raises(BadInput, match="How many bags"):
        rounds.done(connection, community, task, "v1", NOW, bags)
    assert rounds.open_tasks(connection, SLUG)[0].state == "open"
    assert connection.execute("SELECT count(*) FROM event WHERE kind = 'bags'").fetchone() == (0,)


def test_of_many_who_claim_at_once_one_wins(connection: Connection, task: int, database_url: str) -> None:
    names = [f"p{number}" for number in range(6)]
    for name in names:
        house.person(connection, name, None, ["volunteer"])
    won: list[str] = []
    lost: list[str | None] = []
    barrier = threading.Barrier(len(names))

    def hurry(name: str) -> None:
        with connect(database_url) as own:
            barrier.wait()
            try:
                rounds.claim(own, SLUG, task, name, NOW)
                won.append(f"a {name}")
            except Refused as refused:
                lost.append(refused.by)

    threads = [threading.Thread(target=hurry, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert lost == won * 5
    assert store.task(connection, SLUG, task).person_name == won[0]
