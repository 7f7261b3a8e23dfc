"""Sealed months for tests: small drawn communities and the synthetic building, with salts that can be repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from core.communityfile import CommunityFile, build, load
from core.time import Month, microseconds
from settlement import readingsfile, selection, statement
from settlement.model import Readings
from settlement.month import Settled, settle
from settlement.seal import figures
from settlement.seal.archive import pack, unpack
from settlement.seal.bundle import Sealed, seal
from settlement.seal.commitments import canonical, commit, leaf, levels
from settlement.seal.verify import Report, verify
from tests.property.test_settlement_oracle import MONTHS, Chance, quantities, readings, tree_of
from tests.support import month_oracle as oracle

AT = datetime(2026, 3, 4, 9, tzinfo=UTC)
SYNTHETIC = Path(__file__).parent.parent / "data" / "synthetic"


@dataclass(frozen=True)
class House:
    """A settled month, and how it was sealed."""

    settled: Settled
    statement: dict[str, Any]
    selected: Readings
    sealed: Sealed


def salt(name: str) -> bytes:
    return hashlib.sha256(f"a secret of {name}".encode()).digest()


def sealed_house(file: CommunityFile, month: Month, known: Readings, previous: str | None = None) -> House:
    community = file.community
    selected = selection.used(community, month, known)
    settled = settle(community, month, selected)
    document = statement.document(settled, selection.input_sha256(community, month, selected), status="final")
    made = seal(settled, document, selected, number="2026-7", previous=previous, at=AT, salts=salt)
    return House(settled, document, selected, made)


def synthetic() -> House:
    file = load(SYNTHETIC / "community.yaml")
    return sealed_house(file, Month(2026, 1), readingsfile.read(SYNTHETIC / "readings.csv", file.community))


def drawn(seed: int, changes: Mapping[str, str] | None = None, prices: Mapping[str, Any] | None = None) -> House:
    """The house that a number stands for; ``changes`` go into all its sharing rules, ``prices`` into all tariffs."""
    chance = Chance(seed)
    month = Month.parse(chance.choice(MONTHS))
    tree = tree_of(chance, month)
    if changes:
        flats = [flat["id"] for flat in tree["flats"]]
        weights = {flat: str(chance.randint(0, 5) + (flat == flats[0])) for flat in flats}
        base = {"weights": weights, "order": flats, "common_weight": "1.5"}
        tree["sharing"] = [
            {"from": rule["from"], "common": rule["common"], **base, **changes} for rule in tree["sharing"]
        ]
    tree["tariffs"] = [tariff | dict(prices or {}) for tariff in tree["tariffs"]]
    begins = [microseconds(hour) for hour in oracle.hours(month.first_day, month.end_day, ZoneInfo(tree["timezone"]))]
    known = readings(quantities(tree, len(begins), chance), begins)
    return sealed_house(build(tree, "the case"), month, known)


def resealed(files: Mapping[str, bytes], change: Mapping[str, bytes]) -> bytes:
    """A bundle with changed files, sealed anew by someone who knows how: only its figures can give it away.

    Also the statement's own hash and the root of the commitments are made to fit.
    """
    new = {**files, **change}
    document = json.loads(new["statement.json"])
    if "result_sha256" in document:
        document["result_sha256"] = statement.result_sha256(document)
    new["statement.json"] = statement.dump(document)
    told = json.loads(new["seal.json"])
    secret = bytes.fromhex(json.loads(new["salt.json"])["salt"])
    with suppress(LookupError, ValueError, TypeError, ArithmeticError, AttributeError):
        told["commitments"]["root"] = _root(new)
    for name in told["files"]:
        plain = name in ("verify.py", "salt.json")
        told["files"][name] = hashlib.sha256((b"" if plain else secret) + new[name]).hexdigest()
    new["seal.json"] = canonical(told)
    new["seal.sha256"] = f"{hashlib.sha256(new['seal.json']).hexdigest()}\n".encode()
    return pack(new)


def _root(files: Mapping[str, bytes]) -> str:
    document, rules, charged, summed, committed = (
        json.loads(files[f"{name}.json"]) for name in ("statement", "community", "charges", "totals", "commitments")
    )
    leaves = []
    for label, one in committed["entries"].items():
        own = canonical(figures.own(rules, document, charged, summed, label))
        leaves.append(leaf(commit(bytes.fromhex(one["statement_salt"]), own), one["intervals"]))
    return levels([*leaves, *committed["padding"]])[-1][0]


def leaves_of(tree: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value of a JSON tree that is neither a list nor an object, with the way to it; empty ones count too."""
    if isinstance(tree, dict | list) and tree:
        pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for name, inner in pairs:
            yield from leaves_of(inner, (*at, name))
    else:
        yield at, tree


def flipped(tree: Any, at: tuple[str | int, ...]) -> Any:
    """A copy of a tree with another value at one place: of the same kind, and as near as can be."""
    copy = json.loads(json.dumps(tree))
    inner = copy
    for name in at[:-1]:
        inner = inner[name]
    inner[at[-1]] = other(inner[at[-1]])
    return copy


def other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case None:
            return "1"
        case str() if value and value[-1].isdigit():
            return value[:-1] + str((int(value[-1]) + 1) % 10)
        case str():
            return value + "x"
        case _:
            return ["x"]


def checked(bundle: bytes, **given: Any) -> Report:
    return verify(bundle, **given)


def wrong(bundle: bytes, **given: Any) -> list[str]:
    return verify(bundle, **given).wrong


__all__ = ["House", "canonical", "checked", "drawn", "resealed", "salt", "sealed_house", "synthetic", "unpack", "wrong"]
