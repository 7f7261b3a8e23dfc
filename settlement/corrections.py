"""Corrections of a final month: what it would say today less what it says, for the parties that change and no other.

``standing`` is what holds so far: the final statement plus every correction. A correction holds, for each changed party
and line, the standing amount, the recomputed one and the difference; original + corrections = recomputed, which the
document proves by its checks. Parties are named by household and flat: what an owner owes for the empty spells of a
flat is one account. Only cents make a correction: where quantities move and no cent does, there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from core.errors import CheckFailed
from core.units import decimal_text
from settlement.changes import Reason
from settlement.model import Posting

_BUILDING = ("energy", "pellets")
"""Parts of a statement about the whole building; the closing stock is where the next month begins."""

Document = dict[str, Any]
Party = tuple[str, str]
"""Household (or owner) and flat; the owner's own entry has an empty flat."""


class Line(NamedTuple):
    """What makes two lines the same line: their code, price (as printed), VAT rate and the hours the price holds in."""

    code: str
    price: str | None
    vat_percent: str
    window: str | None

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Line:
        """Tell of a line in a document which line it is."""
        return cls(written["code"], written["price_eur"], written["vat_percent"], written.get("window"))

    @property
    def tree(self) -> Document:
        """Inverse of `of`."""
        window = {} if self.window is None else {"window": self.window}
        return {"code": self.code, "price_eur": self.price, "vat_percent": self.vat_percent} | window


@dataclass(frozen=True)
class Amount:
    """Of one line [cents]; ``quantity`` is for show, in ``unit``."""

    net: int = 0
    vat: int = 0
    amount: int = 0
    quantity: Decimal | None = None
    unit: str | None = None

    @property
    def cents(self) -> tuple[int, int, int]:
        """What a correction is about."""
        return self.net, self.vat, self.amount

    def plus(self, other: Amount) -> Amount:
        """Add another of the same line."""
        known = [one for one in (self.quantity, other.quantity) if one is not None]
        return Amount(
            self.net + other.net,
            self.vat + other.vat,
            self.amount + other.amount,
            sum(known, Decimal(0)) if known else None,
            self.unit or other.unit,
        )

    def minus(self, other: Amount) -> Amount:
        """Take another of the same line away."""
        quantity = None if other.quantity is None else -other.quantity
        return self.plus(Amount(-other.net, -other.vat, -other.amount, quantity, other.unit))


@dataclass(frozen=True)
class Account:
    """What one party owes for one flat: its days, its lines, and what it paid in advance [cents]."""

    days: tuple[tuple[str, str], ...] = ()
    lines: Mapping[Line, Amount] = field(default_factory=dict)
    advance: int = 0

    @property
    def total(self) -> int:
        """Sum of the lines."""
        return sum(one.amount for one in self.lines.values())

    @property
    def balance(self) -> int:
        """What is still to pay."""
        return self.total - self.advance

    @property
    def cents(self) -> tuple[Mapping[Line, tuple[int, int, int]], int]:
        """What a correction is about; lines of nothing are no lines."""
        return {line: one.cents for line, one in self.lines.items() if any(one.cents)}, self.advance


Standing = Mapping[Party, Account]
Booked = Mapping[tuple[str, str], int]
"""Sum of postings by what they are and account [cents]."""


@dataclass(frozen=True)
class Case:
    """What a correction is made from.

    Attributes
    ----------
    statement
        The final statement.
    corrections
        Those issued before, oldest first.
    recomputed
        The statement as it would be settled today.
    booked, rebooked
        Postings of the final month with those of its corrections, and those of the recomputed month.
    reasons
        What is different.
    """

    statement: Document
    corrections: Sequence[Document]
    recomputed: Document
    booked: Booked
    rebooked: Booked
    reasons: Sequence[Reason]


def of_statement(statement: Document) -> dict[Party, Account]:
    """Read what every party owes from a statement document."""
    found: dict[Party, Account] = {}
    for entry in statement["statements"]:
        party = (entry["party"], entry["flat"] or "")
        known = found.get(party, Account())
        lines = dict(known.lines)
        for line in entry["lines"]:
            name = Line.of(line)
            lines[name] = lines.get(name, Amount()).plus(_read(line, line["unit"]))
        days = (*known.days, (entry["from"], entry["until"]))
        found[party] = Account(days, lines, known.advance + _cents(entry["advance_eur"]))
    return found


def standing(statement: Document, corrections: Sequence[Document]) -> dict[Party, Account]:
    """Add up what holds: the final statement plus the differences of its corrections, oldest first."""
    found = of_statement(statement)
    for correction in corrections:
        for entry in correction["statements"]:
            party = (entry["party"], entry["flat"] or "")
            known = found.get(party, Account())
            lines = dict(known.lines)
            for line in entry["lines"]:
                name = Line.of(line)
                lines[name] = lines.get(name, Amount()).plus(_read(line["difference"], line["unit"]))
            days = tuple((one["from"], one["until"]) for one in entry["days"]["recomputed"])
            advance = known.advance + _cents(entry["advance_eur"]["difference"])
            found[party] = Account(days, lines, advance)
    return found


def booked(postings: Sequence[Posting]) -> dict[tuple[str, str], int]:
    """Sum postings by what they are and account."""
    found: dict[tuple[str, str], int] = {}
    for posting in postings:
        name = (posting.what, posting.account)
        found[name] = found.get(name, 0) + posting.cents
    return found


def differences(case: Case) -> list[Posting]:
    """Book the differences: one transaction for each kind that changed, each summing to zero."""
    off = {
        name: case.rebooked.get(name, 0) - case.booked.get(name, 0) for name in sorted({*case.booked, *case.rebooked})
    }
    kinds = list(dict.fromkeys(what for (what, _), cents in off.items() if cents))
    return [
        Posting(number, account, cents, what)
        for number, kind in enumerate(kinds, 1)
        for (what, account), cents in off.items()
        if what == kind and cents
    ]


def correction(case: Case, *, number: str | None, revision: int, corrects: Mapping[str, Any]) -> Document | None:
    """Write the one document that turns what holds into what would be settled today.

    Parameters
    ----------
    case
        What holds, what would be, and why.
    number
        Of the document; None for one that is only looked at.
    revision
        2 for a month's first correction.
    corrects
        Number, revision and seal of the document it builds on.

    Returns
    -------
    dict or None
        None if not a cent changes.

    Raises
    ------
    CheckFailed
        If original + corrections = recomputed does not hold; nothing may be issued then.
    """
    before, after = standing(case.statement, case.corrections), of_statement(case.recomputed)
    changed = [party for party in _order(before, after) if _of(before, party).cents != _of(after, party).cents]
    if not changed:
        return None
    postings = differences(case)
    head = {"number": number, "revision": revision, "corrects": dict(corrects)}
    document = _head(case) | head
    document["statements"] = [_entry(party, _of(before, party), _of(after, party)) for party in changed]
    document["pools"] = list(_pools(before, after))
    document["postings"] = [
        {"transaction": one.transaction, "what": one.what, "account": one.account, "eur": decimal_text(one.cents, 2)}
        for one in postings
    ]
    document["checks"] = list(_checks(document, case, before, after, postings))
    broken = [check for check in document["checks"] if not check["holds"]]
    if broken:
        raise CheckFailed(
            f"Month {document['month']} was not corrected: '{broken[0]['name']}' is off by {broken[0]['difference']}."
            " This is a fault of the program; please report it with the export of this month."
        )
    return document


def _head(case: Case) -> Document:
    """Tell what is corrected and why, and what the whole building looked like and looks like now."""
    last = case.corrections[-1]["recomputed"] if case.corrections else case.statement
    whole = case.corrections[-1]["building"]["recomputed"] if case.corrections else case.statement
    hashes = ("input_sha256", "result_sha256")
    return {
        "kind": "correction",
        "community": case.statement["community"],
        "month": case.statement["month"],
        "status": "final",
        "reasons": [reason.tree for reason in case.reasons],
        "original": {name: last[name] for name in hashes},
        "recomputed": {name: case.recomputed[name] for name in hashes},
        "building": {
            "original": {name: whole[name] for name in _BUILDING},
            "recomputed": {name: case.recomputed[name] for name in _BUILDING},
        },
    }


def due(document: Document) -> int:
    """Sum of what all parties pay more because of a correction; negative is paid back [cents]."""
    return sum(_cents(entry["due_eur"]) for entry in document["statements"])


def _of(accounts: Standing, party: Party) -> Account:
    return accounts.get(party, Account())


def _order(before: Standing, after: Standing) -> list[Party]:
    """By flat, then party, the owner's own account last."""
    return sorted({*before, *after}, key=lambda party: (not party[1], party[1], party[0]))


def _entry(party: Party, was: Account, now: Account) -> Document:
    lines = [line for line in _lines(was, now) if _line(was, line).cents != _line(now, line).cents]
    return {
        "party": party[0],
        "flat": party[1] or None,
        "days": {
            name: [{"from": start, "until": until} for start, until in account.days]
            for name, account in (("original", was), ("recomputed", now))
        },
        "lines": [_compared(line, _line(was, line), _line(now, line)) for line in lines],
        "total_eur": _three(was.total, now.total),
        "advance_eur": _three(was.advance, now.advance),
        "balance_eur": _three(was.balance, now.balance),
        "due_eur": decimal_text(now.balance - was.balance, 2),
    }


def _lines(was: Account, now: Account) -> list[Line]:
    return list(dict.fromkeys([*was.lines, *now.lines]))


def _line(account: Account, line: Line) -> Amount:
    return account.lines.get(line, Amount())


def _compared(line: Line, was: Amount, now: Amount) -> Document:
    return line.tree | {
        "unit": now.unit or was.unit,
        "original": _written(was),
        "recomputed": _written(now),
        "difference": _written(now.minus(was)),
    }


def _pools(before: Standing, after: Standing) -> Iterator[Document]:
    """Tell what all parties together, changed or not, owe of each kind of line that moved."""
    was, now = _sums(before), _sums(after)
    for line in dict.fromkeys([*was, *now]):
        old, new = was.get(line, Amount()), now.get(line, Amount())
        if any(
            _line(_of(before, party), line).cents != _line(_of(after, party), line).cents for party in {*before, *after}
        ):
            yield line.tree | {"amount_eur": _three(old.amount, new.amount)}


def _sums(accounts: Standing) -> dict[Line, Amount]:
    found: dict[Line, Amount] = {}
    for account in accounts.values():
        for line, amount in account.lines.items():
            found[line] = found.get(line, Amount()).plus(amount)
    return found


def _checks(
    document: Document, case: Case, before: Standing, after: Standing, postings: Sequence[Posting]
) -> Iterator[Document]:
    """Prove a correction from the document itself: its differences, put on what holds, give what was recomputed."""
    corrected = standing(case.statement, [*case.corrections, document])
    parties = {*corrected, *after}
    off = sum(
        abs(mine - theirs)
        for party in parties
        for line in _lines(_of(corrected, party), _of(after, party))
        for mine, theirs in zip(
            _line(_of(corrected, party), line).cents, _line(_of(after, party), line).cents, strict=True
        )
    )
    yield _check("correction: original + corrections = recomputed, on every line of every party", off)
    off = sum(abs(_of(corrected, party).balance - _of(after, party).balance) for party in parties)
    yield _check("correction: original + corrections = recomputed, for every party's balance", off)
    named = {(entry["party"], entry["flat"] or "") for entry in document["statements"]}
    off = sum(abs(_of(after, party).balance - _of(before, party).balance) for party in parties - named)
    yield _check("correction: parties that are not named do not change", off)
    shown: dict[Line, int] = {}
    for entry in document["statements"]:
        for one in entry["lines"]:
            line = Line.of(one)
            shown[line] = shown.get(line, 0) + _cents(one["difference"]["amount_eur"])
    was, now = _sums(before), _sums(after)
    off = sum(
        abs(shown.get(line, 0) - now.get(line, Amount()).amount + was.get(line, Amount()).amount)
        for line in {*was, *now, *shown}
    )
    yield _check("correction: differences of the parties = difference of the pool, for every pool", off)
    sums: dict[int, int] = {}
    for posting in postings:
        sums[posting.transaction] = sums.get(posting.transaction, 0) + posting.cents
    yield _check("ledger: every transaction of differences sums to zero", sum(map(abs, sums.values())))
    owed = sum(posting.cents for posting in postings if posting.account.startswith("party:"))
    yield _check("ledger: differences of parties = what is due", owed - due(document))
    rebooked = dict(case.booked)
    for posting in postings:
        name = (posting.what, posting.account)
        rebooked[name] = rebooked.get(name, 0) + posting.cents
    off = sum(abs(rebooked.get(name, 0) - case.rebooked.get(name, 0)) for name in {*rebooked, *case.rebooked})
    yield _check("ledger: original + corrections = recomputed, on every account", off)


def _check(name: str, difference: int) -> Document:
    return {"name": name, "holds": difference == 0, "difference": decimal_text(difference, 2)}


def _three(was: int, now: int) -> dict[str, str]:
    values = {"original": was, "recomputed": now, "difference": now - was}
    return {name: decimal_text(value, 2) for name, value in values.items()}


def _written(amount: Amount) -> Document:
    return {
        "quantity": None if amount.quantity is None else format(amount.quantity, "f"),
        "net_eur": decimal_text(amount.net, 2),
        "vat_eur": decimal_text(amount.vat, 2),
        "amount_eur": decimal_text(amount.amount, 2),
    }


def _read(written: Document, unit: str | None) -> Amount:
    quantity = written["quantity"]
    net, vat, amount = (_cents(written[name]) for name in ("net_eur", "vat_eur", "amount_eur"))
    return Amount(net, vat, amount, None if quantity is None else Decimal(quantity), unit)


def _cents(text: str) -> int:
    return int(Decimal(text).scaleb(2))
