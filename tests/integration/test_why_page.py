"""Why a month is different, as a resident meets it: their own figures only, and a reason where there is none."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pikepdf
import pytest

from core.communityfile import build
from core.db import config
from core.db.connection import connect
from core.time import Month
from settlement import derive, run
from settlement.replay import settle_document
from settlement.store import newest_statement
from settlement.why.facts import facts
from settlement.why.parts import change
from tests.support import house
from tests.support.postgres import clone

JUNE = datetime(2026, 6, 3, 10, tzinfo=UTC)
APRIL, MAY = Month(2026, 4), Month(2026, 5)
NOON = datetime(2026, 5, 4, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def url(server_url: str, house_name: str) -> Iterator[str]:
    with clone(server_url, house_name) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def address(url: str) -> Iterator[str]:
    with house.served(url, now=JUNE) as served:
        yield served


@pytest.mark.parametrize("person", ["resident", "neighbour"])
def test_the_parts_sum_to_the_difference_of_the_own_statements(address: str, url: str, person: str) -> None:
    with house.client(address, url, person) as client:
        why = client.get("/api/v1/me/why", params={"month": "2026-05"}).json()
        totals = {
            month: Decimal(client.get(f"/api/v1/me/statements/{month}.json").json()["statement"]["total_eur"])
            for month in ("2026-04", "2026-05")
        }
    last_month, last_year = why["comparisons"]
    assert Decimal(why["total_eur"]) == totals["2026-05"]
    assert (last_month["kind"], last_month["with"], last_month["comparable"]) == ("last_month", "2026-04", True)
    assert Decimal(last_month["total_eur"]) == totals["2026-04"]
    difference = Decimal(last_month["difference_eur"])
    assert difference == totals["2026-05"] - totals["2026-04"]
    assert sum(Decimal(part["amount_eur"]) for part in last_month["parts"]) == difference
    assert last_month["complete"] is False  # the readings end on 13 May
    assert last_month["weather_by"] == "season"  # three homes are too few to compare
    assert last_year == {"kind": "last_year", "with": "2025-05", "comparable": False, "reason": "no_statement"}


def test_two_residents_are_told_different_things_and_nothing_of_each_other(address: str, url: str) -> None:
    told = {}
    for person in ("resident", "neighbour"):
        with house.client(address, url, person) as client:
            answer = client.get("/api/v1/me/why?month=2026-05")
            assert not any(name in answer.text for name in ("A01", "A02", "A03", "h-00"))
            told[person] = answer.json()
    assert told["resident"] != told["neighbour"]


def test_what_cannot_be_compared_says_why(address: str, url: str) -> None:
    with house.client(address, url, "newcomer") as client:
        why = client.get("/api/v1/me/why?month=2026-05").json()
        assert why["comparisons"][0] == {
            "kind": "last_month", "with": "2026-04", "comparable": False, "reason": "not_here",
        }  # fmt: skip
        page = client.get("/statements/2026-05").text
        assert "You did not live here in April 2026. So we cannot compare." in page
        assert client.get("/api/v1/me/why?month=2026-04").status_code == 404
    with house.client(address, url, "resident") as client:
        assert "We hebben geen overzicht van maart 2026." in client.get("/statements/2026-04").text
        for month in ("2026-13", "nonsense", "2031-01"):
            assert client.get("/api/v1/me/why", params={"month": month}).status_code == 404


def test_a_month_that_is_not_over_is_compared_with_nothing(url: str) -> None:
    with house.served(url) as address, house.client(address, url, "resident") as client:
        why = client.get("/api/v1/me/why?month=2026-05").json()
        assert {one["reason"] for one in why["comparisons"]} == {"running"}
        assert "Waarom is het anders" not in client.get("/statements/2026-05").text


def test_page_and_document_name_the_largest_parts(address: str, url: str) -> None:
    with house.client(address, url, "resident") as client:
        page = client.get("/statements/2026-05").text
        document = client.get("/api/v1/me/statements/2026-05.pdf").content
        older = client.get("/api/v1/me/statements/2026-05.json").json()
    assert "Waarom is het anders dan vorige maand?" in page
    assert "lager dan in april 2026" in page
    assert "In een van de twee maanden ontbreken metingen." in page
    block = page.partition('id="why"')[2].partition("</section>")[0]
    assert 2 <= block.count('<th scope="row">') <= 5
    assert "-" not in "".join(row.partition("</td>")[0] for row in block.split('<td class="n">')[1:])
    assert "statement" in older
    assert "why" not in older
    assert "comparisons" not in older
    with pikepdf.open(io.BytesIO(document)) as opened:
        assert len(opened.pages) >= 1


def test_a_new_key_is_told_apart_from_what_people_used_themselves(server_url: str, house_name: str) -> None:
    """The rule changes on 1 May: its part is what the old one would have given of the same sun and the same use."""
    with clone(server_url, house_name) as fresh:
        with connect(fresh) as connection:
            tree = config.load(connection, house.SLUG).tree
            rules = [*tree["sharing"], tree["sharing"][0] | {"from": "2026-05-01", "key": "equal", "common": "last"}]
            file = build(tree | {"sharing": rules}, "the case")
            config.apply(connection, file, JUNE, "test")
            old = build(tree, "the case")
            connection.commit()
            derive.update(connection, house.SLUG, JUNE)
            run.settle(connection, house.SLUG, MAY, JUNE)
            _, readings = run.exported(connection, house.SLUG, MAY)
        with house.served(fresh, now=JUNE) as served, house.client(served, fresh, "resident") as client:
            told = client.get("/api/v1/me/why?month=2026-05").json()["comparisons"][0]
            assert "Waarom is het anders dan vorige maand?" in client.get("/statements/2026-05").text
        with connect(fresh) as connection:
            documents = [json.loads(newest_statement(connection, house.SLUG, str(m)) or "") for m in (APRIL, MAY)]
            before, after = (facts(document, file.community, "h-001") for document in documents)
            whole = facts(json.loads(settle_document(old, MAY, readings)[1]), old.community, "h-001")
            parts = {part["code"]: Decimal(part["amount_eur"]) for part in told["parts"]}
            assert {code: int(amount * 100) for code, amount in parts.items()} == change(before, after, whole).parts
            assert parts["key"] != Decimal(change(before, after).parts["key"]) / 100
            assert sum(parts.values()) == Decimal(told["difference_eur"])
            # A reading that came later makes it impossible to say what the old rule would have given of that sun.
            connection.execute("UPDATE quarter SET energy = energy + 1 WHERE meter = 'pv' AND start = %s", (NOON,))
            connection.commit()
        with house.served(fresh, now=JUNE) as served, house.client(served, fresh, "resident") as client:
            told = client.get("/api/v1/me/why?month=2026-05").json()["comparisons"][0]
        parts = {part["code"]: int(Decimal(part["amount_eur"]) * 100) for part in told["parts"]}
        assert parts == change(before, after).parts
