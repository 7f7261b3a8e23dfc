"""``wijkenergie device read`` on first contact: real Modbus servers, a real database with the simulated building."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from collector.catalogue import FOLDER, load
from collector.evidence import Building
from collector.probe import Check, check
from collector.raw import Raw, Registers
from core.communityfile import parse
from core.db import config
from core.db.connection import connect
from core.db.readings import insert_copy_lines
from core.errors import BadInput, WijkError
from core.settings import Settings
from core.time import utc_now
from settlement import derive
from simulators import inverter
from simulators.building import COMMUNITY
from simulators.description import community_text
from simulators.history import history
from simulators.truth import live_truth
from tests.support.broker import free_port
from tests.support.fielddevice import Words, f32, field_device, swapped
from tests.support.postgres import clone
from wijkenergie.surroundings import look_around

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
LINK = "modbus-tcp://10.0.0.7:502/1"
WATTS = 2831
Run = Callable[..., subprocess.CompletedProcess[str]]


def fill(url: str, now: datetime, port: int = 502) -> None:
    """Apply the simulated building and give it what its meters said over the last day."""
    with connect(url) as connection:
        config.apply(connection, parse(community_text(1, now, inverter_port=port, boiler_port=503)), now, "tests")
        insert_copy_lines(connection, COMMUNITY, history(1, now - timedelta(days=1), now), "tests")
        derive.update(connection, COMMUNITY, now)


@pytest.fixture(scope="module")
def noon_url(server_url: str, template_name: str) -> Iterator[str]:
    with clone(server_url, template_name) as url:
        fill(url, NOON)
        yield url


@pytest.fixture
def read() -> Run:
    def command(profile: str, link: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "wijkenergie", "device", "read", profile, link, "--pause", "2", *words],
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return command


def sdm630(kilowatt_hours: float, order: Callable[[Words], Words] = list) -> Callable[[], Mapping[int, Words]]:
    """Return the registers of a meter that stood at this when the test began and has counted since."""
    began = time.monotonic()

    def image() -> Mapping[int, Words]:
        counted = WATTS / 1000 * (time.monotonic() - began) / 3600
        return {0x34: order(f32(WATTS)), 0x48: order(f32(kilowatt_hours + counted)) + order(f32(12.5))}

    return image


def test_a_meter_that_fits_prints_its_readings_and_the_answer_beside_them(read: Run) -> None:
    with field_device(4, sdm630(6057.339)) as link:
        said = read("eastron.sdm630", link)
    assert said.returncode == 0, said.stderr
    readings = [json.loads(line) for line in said.stdout.splitlines()]
    assert [reading["point"] for reading in readings] == ["import", "export", "power"]
    assert "The profile as written fits." in said.stderr
    assert said.stderr.rstrip().endswith("No building data was used: WIJKENERGIE_DATABASE_URL is not set.")


def test_a_meter_with_swapped_words_is_refused_with_what_would_fit(read: Run) -> None:
    with field_device(4, sdm630(6144, swapped)) as link:
        said = read("eastron.sdm630", link)
    assert said.returncode == 1
    assert "The profile as written does not fit." in said.stderr
    assert "This would fit: word order little." in said.stderr
    assert [json.loads(line)["point"] for line in said.stdout.splitlines()] == ["import", "export", "power"]


@pytest.mark.long
def test_the_answer_is_one_object_behind_the_readings_for_machines(read: Run) -> None:
    with field_device(4, sdm630(6144, swapped)) as link:
        said = read("eastron.sdm630", link, "--json")
    *readings, last = map(json.loads, said.stdout.splitlines())
    assert (said.returncode, len(readings), list(last)) == (1, 3, ["check"])
    answer = last["check"]
    assert answer["verdict"] == "does not fit"
    assert [one["change"] for one in answer["would_fit"]] == ["word order little"]
    assert answer["would_fit"][0]["points"][2] == {"point": "power", "says": "2,831 W", "because": "possible"}


@pytest.mark.long
def test_without_the_check_a_device_is_asked_once_and_nothing_is_judged(read: Run) -> None:
    asked: list[float] = []
    plain = sdm630(6144, swapped)

    def image() -> Mapping[int, Words]:
        asked.append(time.monotonic())
        return plain()

    with field_device(4, image) as link:
        asked.clear()
        said = read("eastron.sdm630", link, "--no-check")
    assert (said.returncode, said.stderr, len(said.stdout.splitlines())) == (0, "", 3)
    assert len(asked) == 2  # one request per block


@pytest.mark.long
def test_a_device_that_goes_away_between_two_looks_is_judged_by_the_first(read: Run, tmp_path: Path) -> None:
    hasty = (
        (FOLDER / "eastron.sdm630.yaml").read_text(encoding="utf-8").replace("{transport", "{timeout: 300ms, transport")
    )
    (tmp_path / "hasty.yaml").write_text(hasty, encoding="utf-8")
    asked: list[float] = []
    plain = sdm630(6057.339)

    def image() -> Mapping[int, Words]:
        asked.append(time.monotonic())
        if len(asked) > 3:  # once to lay out the registers, and once per block
            time.sleep(0.5)
        return plain()

    with field_device(4, image) as link:
        said = read(str(tmp_path / "hasty.yaml"), link)
    assert said.returncode == 0, said.stderr
    assert "There was but one look" in said.stderr


def test_the_stored_value_of_the_meter_tells_which_word_order_and_which_scale(read: Run, database_url: str) -> None:
    now = utc_now()
    fill(database_url, now)
    shown = float(live_truth(1, "el-A01", now))
    place = {"WIJKENERGIE_DATABASE_URL": database_url}
    with field_device(4, sdm630(shown)) as link:
        right = read("eastron.sdm630", link, "--meter", "el-A01", **place)
    assert right.returncode == 0, right.stderr
    assert "follows on " in right.stderr
    assert "Compared with the data of Flat De Ster, for meter el-A01." in right.stderr
    with field_device(4, sdm630(shown * 10)) as link:
        tenfold = read("eastron.sdm630", link, "--meter", "el-A01", **place)
    assert tenfold.returncode == 1
    assert "more than can have been added to " in tenfold.stderr
    assert "This would fit: energy x 0.1" in tenfold.stderr


@pytest.mark.long
def test_a_device_of_the_community_is_recognised_by_its_link(read: Run, database_url: str) -> None:
    with field_device(3, lambda: inverter.image(1, utc_now()) or {}) as link:
        port = int(link.rpartition(":")[2].partition("/")[0])
        fill(database_url, utc_now(), port)
        said = read("sunspec.inverter", link, WIJKENERGIE_DATABASE_URL=database_url)
    assert said.returncode == 0, said.stderr
    assert "Compared with the data of Flat De Ster, for meter pv." in said.stderr
    assert "which meter pv showed on " in said.stderr


def known(url: str, name: str, meter: str | None, now: datetime = NOON):
    return look_around(Settings(database_url=SecretStr(url)), name, LINK, meter, now)


@pytest.mark.long
def test_a_database_that_is_away_or_empty_costs_one_sentence_unless_a_meter_was_named(
    read: Run, empty_database_url: str, database_url: str
) -> None:
    away = f"postgresql://127.0.0.1:{free_port()}/none"
    for url, why, code in (
        (away, "cannot be reached", 3),
        (empty_database_url, "The database has no schema yet", 3),
        (database_url, "The database knows no community yet", 2),
    ):
        building, told = known(url, "eastron.sdm630", None)
        assert building == Building()
        assert told.startswith("No building data was used: ")
        assert why in told
        with pytest.raises(WijkError) as refused:
            known(url, "eastron.sdm630", "el-A01")
        assert refused.value.exit_code == code
    said = read("eastron.sdm630", LINK, "--meter", "el-A01")
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr == "--meter needs the building's data; set WIJKENERGIE_DATABASE_URL.\n"


def because(found: Check) -> dict[str, str]:
    return {name: why for name, _, why in found.written.lines()}


def test_the_building_s_balance_is_that_of_the_truth(noon_url: str) -> None:
    building, _ = known(noon_url, "eastron.sdm630", "el-A01")
    began = NOON - timedelta(hours=1)

    def watts(meter: str) -> Decimal:
        return 1000 * (live_truth(1, meter, NOON) - live_truth(1, meter, began))

    assert building.electricity is not None
    assert building.electricity.taken_w == watts("grid-in") + watts("pv") - watts("grid-out")
    assert building.electricity.minutes == 60
    left = building.electricity.taken_w - building.electricity.others_w
    assert abs(left - watts("el-A01")) <= 20  # every meter cuts off what it shows
    assert building.fed[0].value == live_truth(1, "el-A01", NOON)


def test_a_flat_s_meter_that_shows_more_than_the_building_takes_in_does_not_fit(noon_url: str) -> None:
    building, _ = known(noon_url, "eastron.sdm630", "el-A01")
    value = float(live_truth(1, "el-A01", NOON)) + 0.01

    def look(watts: float) -> Raw:
        return Raw(NOON, (Registers(4, 0x34, tuple(f32(watts))), Registers(4, 0x48, (*f32(value), 0, 0))))

    assert check(load("eastron.sdm630"), [look(850)], building).verdict == "fits"
    found = check(load("eastron.sdm630"), [look(85_000)], building)
    assert found.verdict == "does not fit"
    assert "the building took in" in because(found)["power"]


def test_an_inverter_that_shines_at_midnight_does_not_fit(noon_url: str) -> None:
    night, _ = known(noon_url, "sunspec.inverter", "pv", NOON + timedelta(hours=11))
    assert night.sun is not None
    assert -20 < night.sun.elevation < -10  # 53 degrees north in May
    image = inverter.image(1, NOON)
    assert image is not None
    look = Raw(NOON + timedelta(hours=11), (Registers(3, inverter.BASE, tuple(image[inverter.BASE])),))
    found = check(load("sunspec.inverter"), [look], night)
    assert found.verdict == "does not fit"
    assert "below the horizon" in because(found)["W"]
    day, _ = known(noon_url, "sunspec.inverter", "pv")
    assert day.sun is not None
    assert day.sun.elevation > 50
    assert check(load("sunspec.inverter"), [look], day).verdict == "fits"


@pytest.mark.long
def test_a_meter_that_is_not_there_or_that_the_device_cannot_fill_is_named(noon_url: str) -> None:
    with pytest.raises(BadInput, match=r"^There is no meter 'el-A0'; the nearest is 'el-A0\d'\.$"):
        known(noon_url, "eastron.sdm630", "el-A0")
    with pytest.raises(BadInput, match=r"^'eastron\.sdm630' has nothing that meter 'silo' measures"):
        known(noon_url, "eastron.sdm630", "silo")
