"""The balance of the building as the corporation and an operator see it: totals, and what stands out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from core.db.connection import connect
from tests.support import house
from tests.support.postgres import clone


@pytest.fixture
def seeded(server_url: str, house_name: str) -> Iterator[str]:
    with clone(server_url, house_name) as url:
        yield url


def test_the_balance_of_a_month_adds_up_and_tells_of_no_flat(seeded: str) -> None:
    with house.served(seeded) as address, house.client(address, seeded, "corporation") as client:
        whole = client.get("/api/v1/months/2026-04").json()
        page = client.get("/months/2026-04").text
    with house.served(seeded) as address, house.client(address, seeded, "operator") as client:
        alone = client.get("/api/v1/months/2026-04/balance")
    assert alone.json() == whole["balance"]
    assert "A0" not in alone.text
    assert "Waar de energie bleef" in page

    def check(node: dict[str, Any]) -> None:
        children = node.get("children", [])
        amounts = [node["kwh"], *(child["kwh"] for child in children)]
        if children and None not in amounts:
            assert Decimal(node["kwh"]) == sum(map(Decimal, amounts[1:])) + Decimal(node["rest_kwh"])
        for child in children:
            check(child)

    check(whole["balance"]["building"])
    check(whole["balance"]["sun"])
    fuel, electricity = whole["balance"]["building"]["children"]
    assert Decimal(fuel["kwh"]) == Decimal(whole["pellets"]["burnt_kg"]) * Decimal("4.8")
    assert fuel["children"][0]["kwh"] == whole["energy"]["heat_produced_kwh"]
    assert [child["name"] for child in electricity["children"]] == ["flats", "common", "grid_export"]
    assert whole["balance"]["sun"]["kwh"] == whole["energy"]["solar_kwh"]


def test_a_month_that_loses_far_more_heat_than_those_before_says_so(seeded: str) -> None:
    with connect(seeded) as connection:
        (april,) = connection.execute("SELECT statement FROM month WHERE month = '2026-04'").fetchone() or ("",)
        for number in (1, 2, 3):
            before = json.loads(april) | {"month": f"2026-0{number}"}
            before["energy"] |= {"heat_produced_kwh": "1000.000000", "heat_lost_kwh": "10.000000"}
            connection.execute(
                "INSERT INTO month (community, month, run, status, input_sha256, result_sha256, statement, settled_at)"
                " VALUES (%s, %s, 1, 'provisional', %s, %s, %s, now())",
                (house.SLUG, before["month"], "0" * 64, "0" * 64, json.dumps(before)),
            )
        energy = json.loads(april)["energy"]
    lost = Decimal(energy["heat_lost_kwh"]) / Decimal(energy["heat_produced_kwh"])
    with house.served(seeded) as address, house.client(address, seeded, "corporation") as client:
        told = client.get("/api/v1/months/2026-04").json()["balance"]["findings"]
        page = client.get("/months/2026-04").text
    assert [one["code"] for one in told] == (["heat-loss-unusual"] if lost > Decimal("0.11") else [])
    assert ("Onderweg gaat meer warmte verloren" in page) == bool(told)
    assert told
