"""What a resident reads of failed meters on the page of a statement, and a volunteer among a month's remarks."""

from __future__ import annotations

from html import unescape
from zoneinfo import ZoneInfo

import pytest
from starlette.requests import Request

from api.pages.render import Reader, page
from api.pages.words import Words
from core.communityfile import build
from core.time import Month
from tests.support import heathouse as house
from tests.support.heathouse import Tree, settled, utc

JANUARY = Month(2026, 1)
START, END = utc("2025-12-31 23:00"), utc("2026-01-31 23:00")
AREAS = {"A": "50", "B": "50", "C": "50", "D": "50"}
ESTIMATED = "Een warmwatermeter was stuk. Een deel van uw warme water is geschat."
DIVIDED = "Te veel warmwatermeters waren stuk. Al het warme water wordt verdeeld zoals het vaste deel."


def statement(*failed: str) -> tuple[Tree, Tree]:
    """January of a building of which some hot water meters failed, and its community."""
    town = house.with_water(
        house.tree(AREAS, failed_meters="estimate", hot_water={"measured_percent": "60"}), unit="kWh"
    )
    known = house.quantities(AREAS, lambda flat, hour: 1000, START, END)
    known |= house.quantities([flat for flat in AREAS if flat not in failed], lambda flat, hour: 500, START, END, "hot")
    return settled(town, known, JANUARY)[1], town


def shown(told: Tree, town: Tree, party: str) -> str:
    community = build(town, "the case").community
    request = Request({"type": "http", "path": "/statements/2026-01", "headers": [], "query_string": b""})
    answer = page(
        Reader(request, None, community, Words("nl", community.zone)),
        "statement.html",
        month={"month": "2026-01", "status": "provisional"},
        entry=next(entry for entry in told["statements"] if entry["party"] == party),
        number=None,
        opened="",
        corrections=[],
        changes=[],
        running=False,
    )
    return unescape(bytes(answer.body).decode())


def test_a_resident_reads_that_hot_water_was_estimated_and_a_neighbour_does_not() -> None:
    told, town = statement("A")
    assert ESTIMATED in shown(told, town, "h-A")
    assert "100% hiervan is gemeten. Warm water telt hier niet mee." in shown(told, town, "h-A")
    neighbour = shown(told, town, "h-B")
    assert ESTIMATED not in neighbour
    assert DIVIDED not in neighbour


def test_everybody_reads_that_all_hot_water_is_divided_like_the_fixed_part() -> None:
    told, town = statement("A", "B")
    for party in ("h-A", "h-D"):
        read = shown(told, town, party)
        assert DIVIDED in read
        assert "warmtemeter" not in read.replace("Uw warmtemeter bepaalt", "")


@pytest.mark.parametrize(
    ("failed", "says"),
    [
        ("A", "Stuk, dus het warme water is geschat: hot-A."),
        ("AB", DIVIDED),
        ("ABCD", DIVIDED),
    ],
)
def test_a_remark_about_hot_water_meters_is_said_in_plain_words(failed: str, says: str) -> None:
    told, _ = statement(*failed)
    assert says in Words("nl", ZoneInfo("Europe/Amsterdam")).findings(told["findings"])
