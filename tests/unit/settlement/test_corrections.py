"""Corrections: only who changes, only by cents, and original + corrections = recomputed to the cent."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest

from core.errors import CheckFailed
from core.time import microseconds
from settlement import corrections
from settlement.changes import Inputs, Late, Meter, reasons
from settlement.corrections import Case, booked, correction
from tests.support import finaltown
from tests.support.finaltown import HOUR, START, tree

Document = dict[str, Any]
SEALED = {"number": "2026-0001", "revision": 1, "seal_sha256": "0" * 64}


class File:
    """A month that is final: what it was, what it is today, and what was issued meanwhile."""

    def __init__(self, **sections: Any) -> None:
        self.values = finaltown.registers()
        self.settled, self.statement, self.inputs = finaltown.settled(finaltown.town(**sections), self.values)
        self.booked = booked(self.settled.ledger.postings)
        self.issued: list[Document] = []

    def today(self, late: dict[str, Late] | None = None, **sections: Any) -> Document | None:
        """The correction as of today; issued if there is one."""
        done, recomputed, inputs = finaltown.settled(finaltown.town(**sections), self.values)
        case = Case(
            self.statement, self.issued, recomputed, self.booked, booked(done.ledger.postings),
            reasons(self.inputs, inputs, late or {}),
        )  # fmt: skip
        made = correction(
            case, number=f"2026-000{len(self.issued) + 2}", revision=len(self.issued) + 2, corrects=SEALED
        )
        if made is not None:
            self.issued.append(made)
            self.inputs, self.recomputed = inputs, recomputed
            for posting in corrections.differences(case):
                name = (posting.what, posting.account)
                self.booked[name] = self.booked.get(name, 0) + posting.cents
        return made


def cents(text: str) -> int:
    return int(Decimal(text) * 100)


def balances(statement: Document) -> dict[tuple[str, str | None], int]:
    found: dict[tuple[str, str | None], int] = {}
    for entry in statement["statements"]:
        name = (entry["party"], entry["flat"])
        found[name] = found.get(name, 0) + cents(entry["balance_eur"])
    return found


def summed(file: File) -> dict[tuple[str, str | None], int]:
    """Original + corrections, per party, from the documents alone."""
    found = balances(file.statement)
    for document in file.issued:
        for entry in document["statements"]:
            name = (entry["party"], entry["flat"])
            found[name] = found.get(name, 0) + cents(entry["due_eur"])
    return {name: value for name, value in found.items() if value}


def pays(document: Document | None) -> dict[tuple[str, str | None], str]:
    assert document is not None
    return {(entry["party"], entry["flat"]): entry["due_eur"] for entry in document["statements"]}


def test_where_nothing_changed_there_is_no_document() -> None:
    assert File().today() is None


def test_quantities_that_move_no_cent_make_no_document() -> None:
    file = File()
    at = START + 300 * HOUR
    file.values["el-A"] = {time: value + (Decimal("0.000001") if time > at else 0) for time, value in
                           file.values["el-A"].items()}  # fmt: skip
    assert file.today() is None


def test_late_readings_change_those_they_concern_and_nobody_else() -> None:
    # A01's meter was not read for a hundred hours, and all it counted lies in the last of them.
    file = File(heat=None, estimates="linear")
    rows, at = file.values["el-A"], START + 300 * HOUR
    before = rows[at]
    for hour in range(1, 100):
        rows[at + hour * HOUR] = before
    late = {"el-A": Late(99, microseconds(at + HOUR), microseconds(at + 99 * HOUR))}
    made = file.today(late, heat=None)
    assert set(pays(made)) == {("h-a", "A"), ("h-b", "B"), ("owner", None)}
    assert made is not None
    assert [reason["text"] for reason in made["reasons"]] == [
        "99 readings of meter el-A from 2026-02-13T11:00:00Z to 2026-02-17T13:00:00Z became known after the month was"
        " final."
    ]
    assert {pool["code"] for pool in made["pools"]} == {"solar", "feed_in"}
    assert summed(file) == {name: value for name, value in balances(file.recomputed).items() if value}


def test_a_wrong_delivery_is_one_document_for_all_who_burnt_it() -> None:
    file = File()
    right = {**tree()["pellets"], "deliveries": [{**tree()["pellets"]["deliveries"][0], "eur": "330.00"}]}
    made = file.today(pellets=right)
    # Average price: 1,000 of 2,000 kg were worth 305.00 - 28.50 ...: burnt 900 kg of 610.00/2000 -> of 630.00/2000.
    assert made is not None
    assert sum(cents(due) for due in pays(made).values()) == 900
    assert made["building"]["original"]["pellets"]["burnt_eur"] == "274.50"
    assert made["building"]["recomputed"]["pellets"]["burnt_eur"] == "283.50"
    assert [reason["text"] for reason in made["reasons"]] == ["pellets.deliveries P-17 changed: eur 310.00 -> 330.00."]
    assert {pool["code"]: pool["amount_eur"]["difference"] for pool in made["pools"]} == {
        "heat_measured": "5.85",
        "heat_fixed": "3.15",
    }
    assert all(check["holds"] for check in made["checks"])
    assert len(made["checks"]) == 7


def test_a_household_that_moved_gives_back_and_another_pays() -> None:
    file = File()
    moved = [
        tree()["households"][0],
        {"id": "h-b", "flat": "B", "from": "2025-01-01", "until": "2026-02-15"},
        {"id": "h-c", "flat": "B", "from": "2026-02-20"},
    ]
    made = file.today(households=moved)
    due = pays(made)
    assert set(due) == {("h-b", "B"), ("h-c", "B"), ("owner", "B")}
    assert cents(due["h-b", "B"]) < 0 < cents(due["h-c", "B"])
    assert sum(map(cents, due.values())) == 0
    assert made is not None
    new = next(entry for entry in made["statements"] if entry["party"] == "h-c")
    assert new["days"] == {"original": [], "recomputed": [{"from": "2026-02-20", "until": "2026-03-01"}]}
    assert {line["original"]["amount_eur"] for line in new["lines"]} == {"0.00"}
    assert [reason["text"] for reason in made["reasons"]] == [
        "households h-b changed: until none -> 2026-02-15.",
        "households h-c was added: building main, flat B, from 2026-02-20, id h-c.",
    ]


def test_a_household_that_never_was_gets_everything_back() -> None:
    file = File()
    made = file.today(households=tree()["households"][:1])
    gone = next(entry for entry in made["statements"] if entry["party"] == "h-b") if made else {}
    assert gone["total_eur"]["recomputed"] == "0.00"
    assert gone["days"]["recomputed"] == []
    assert summed(file) == {name: value for name, value in balances(file.recomputed).items() if value}


def test_a_changed_advance_is_corrected_without_a_line() -> None:
    file = File()
    made = file.today(advances=[{"household": "h-a", "from": "2025-01-01", "eur_per_month": "90.00"}])
    assert pays(made) == {("h-a", "A"): "-5.00"}
    assert made is not None
    assert made["statements"][0]["lines"] == []
    assert [(row["account"], row["eur"]) for row in made["postings"]] == [
        ("advances", "5.00"),
        ("party:h-a:A", "-5.00"),
    ]


def test_a_second_correction_builds_on_the_first_and_the_way_back_is_a_third() -> None:
    file = File()
    dearer = {**tree()["pellets"], "deliveries": [{**tree()["pellets"]["deliveries"][0], "eur": "330.00"}]}
    first = file.today(pellets=dearer)
    assert file.today(pellets=dearer) is None
    second = file.today(pellets=dearer, costs=[*tree()["costs"], {"date": "2026-02-21", "pool": "heat", "eur": "10.00",
                                                                   "invoice": "M-5"}])  # fmt: skip
    assert first is not None
    assert second is not None
    assert second["revision"] == 3
    assert second["original"] == first["recomputed"]
    assert [reason["text"] for reason in second["reasons"]] == [
        "costs heat M-5 was added: date 2026-02-21, eur 10.00, invoice M-5, pool heat, what ."
    ]
    assert summed(file) == balances(file.recomputed)
    third = file.today()
    assert {name: cents(due) for name, due in pays(third).items()} == {
        name: -cents(pays(first)[name]) - cents(pays(second)[name]) for name in pays(third)
    }
    assert summed(file) == balances(file.statement)


def test_a_correction_that_proves_nothing_is_not_issued() -> None:
    file = File()
    done, recomputed, inputs = finaltown.settled(
        finaltown.town(advances=[{"household": "h-a", "from": "2025-01-01", "eur_per_month": "90.00"}]), file.values
    )
    wrong = booked(done.ledger.postings) | {("advance", "advances"): 1}
    case = Case(file.statement, [], recomputed, file.booked, wrong, reasons(file.inputs, inputs, {}))
    with pytest.raises(
        CheckFailed, match=r"was not corrected: 'ledger: every transaction of differences sums to zero'"
    ):
        correction(case, number="2026-0002", revision=2, corrects=SEALED)


def test_readings_that_were_taken_back_are_a_reason_too() -> None:
    community = finaltown.town()
    file = File()
    before = file.inputs
    del file.values["el-B"][START + 10 * HOUR]
    _, _, after = finaltown.settled(community, file.values)
    assert [one.text for one in reasons(before, after, {})] == [
        "1 reading fewer of meter el-B count than when the month became final."
    ]
    file.values["el-B"][START + 10 * HOUR] = Decimal("5.5")
    _, _, after = finaltown.settled(community, file.values)
    assert [one.text for one in reasons(before, after, {})] == [
        "Other readings of meter el-B count than when the month became final."
    ]


def test_inputs_come_back_from_where_they_are_stored() -> None:
    inputs = File().inputs
    assert Inputs.of_tree(inputs.tree) == inputs
    assert inputs.meters["pv"].readings == finaltown.HOURS


def inputs(**sections: Any) -> Inputs:
    return Inputs(json.dumps(sections), {})


def test_two_entries_of_one_name_are_told_apart_and_a_plain_value_by_itself() -> None:
    work = {"household": "h-a", "task": "ash", "at": "2026-02-03T09:00:00Z"}
    before = inputs(work=[work], estimates="linear", currency="EUR", pellets=None)
    after = inputs(work=[work, {**work, "bags": 2}], estimates="shape", currency="EUR", location={"town": "Zwolle"})
    assert [(one.kind, one.what, one.text) for one in reasons(before, after, {})] == [
        ("changed", "estimates", "estimates changed: linear -> shape."),
        ("added", "location", "location was added: town Zwolle."),
        (
            "added",
            "work",
            "work h-a ash 2026-02-03T09:00:00Z' was added: household h-a, task ash, at 2026-02-03T09:00:00Z, bags 2.",
        ),
    ]
    assert [one.text for one in reasons(after, before, {})][1] == "location was taken back: town Zwolle."
    assert reasons(after, after, {}) == []


def test_readings_are_a_reason_meter_by_meter_where_they_differ() -> None:
    same, other = Meter(2, "x"), Meter(2, "y")
    before = Inputs("{}", {"b": Meter(3, "x"), "a": same, "c": same, "d": Meter(1, "x")})
    after = Inputs("{}", {"f": same, "e": Meter(1, "z"), "b": Meter(1, "y"), "a": other, "c": same})
    late = {"c": Late(5, 0, 0), "e": Late(1, 0, 3_600_000_000)}  # c's came twice and changed nothing
    assert [one.text for one in reasons(before, after, late)] == [
        "Other readings of meter a count than when the month became final.",
        "2 readings fewer of meter b count than when the month became final.",
        "1 reading fewer of meter d count than when the month became final.",
        "1 reading of meter e from 1970-01-01T00:00:00Z to 1970-01-01T01:00:00Z became known after the month was"
        " final.",
        "Other readings of meter f count than when the month became final.",
    ]


def test_a_meters_readings_are_known_by_the_hash_of_their_lines() -> None:
    inputs = File().inputs
    # A kilowatt-hour an hour, from an hour before the month on.
    lines = "".join(f"grid-in,{START + hour * HOUR:%Y-%m-%dT%H:%M:%SZ},{hour}\n" for hour in range(finaltown.HOURS))
    assert inputs.meters["grid-in"] == Meter(finaltown.HOURS, hashlib.sha256(lines.encode()).hexdigest())
    assert json.loads(inputs.configuration)["month"] == "2026-02"
