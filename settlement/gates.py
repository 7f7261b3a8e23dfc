"""Gates a month passes before it becomes final: what is missing, estimated or not explained blocks it, by name.

Nothing here changes a value. Each refusal says what is missing, from when to when, and how much against which limit;
all are told at once. Limits stand in the community file under ``final`` (`core.community.FinalRules`). That the month
is over and its turn has come can never be overridden; the other gates can be, by an operator, each with a reason that
the seal keeps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby
from typing import Any, Final, Literal, get_args

from core.community import Meter
from core.errors import BadInput, CheckFailed
from core.money import half_up
from core.time import Month, from_microseconds, rfc3339
from core.units import decimal_text
from settlement import balance
from settlement.heat import invoices_of
from settlement.model import Finding, Quality, Series
from settlement.month import Settled

Gate = Literal["over", "order", "wait", "missing", "estimated", "balance", "invoices", "pellets", "findings"]
NEVER_OVERRIDDEN: Final = frozenset({"over", "order"})
"""A month that runs has no total yet, and a chain with a gap proves nothing."""
USUAL_MONTHS: Final = 3
"""A pool that had an invoice in each of so many months before usually has one."""
_LESS_THAN_MEASURED: Final = ("estimated", "edited")

SENTENCES: Final[Mapping[str, str]] = {
    "over": "The month is not over; it can become final from %(day)s on.",
    "order": "Months become final one after the other, without a gap; the next is %(month)s.",
    "wait": "Readings and invoices may still come in; the month can become final from %(day)s on.",
    "missing": "Meter %(meter)s lacks %(count)s of %(whole)s intervals between %(from)s and %(until)s: %(value)s %%,"
    " and at most %(limit)s %% may be missing.",
    "estimated": "Of meter %(meter)s %(count)s of %(whole)s intervals between %(from)s and %(until)s are estimated:"
    " %(value)s %%, and at most %(limit)s %% may be.",
    "electricity": "%(amount)s kWh of the electricity that came in is not explained: %(value)s %%, and at most"
    " %(limit)s %% may be.",
    "heat": "The flats' heat meters counted %(amount)s kWh more than the boiler gave: %(value)s %%, and at most"
    " %(limit)s %% may be.",
    "unbalanced": "The balance of the %(part)s is not known, because a meter was not read.",
    "invoices": "No invoice of pool %(pool)s is dated in this month.",
    "pellets": "The pellet stock at the end of the month is estimated; count it.",
    "findings": "%(text)s",
}
"""What each kind of refusal says; the blanks are its facts."""


@dataclass(frozen=True)
class Refusal:
    """Why a month may not become final: the gate, the kind of sentence, and its facts as printed.

    ``start`` and ``until`` bound what is missing [microseconds UTC], None where it is about the whole month;
    ``code`` is that of the finding, where it is one.
    """

    gate: Gate
    kind: str
    facts: Mapping[str, str]
    meter: str | None = None
    start: int | None = None
    until: int | None = None
    code: str | None = None

    @property
    def text(self) -> str:
        """The refusal in a sentence."""
        return SENTENCES[self.kind] % self.facts

    @property
    def tree(self) -> dict[str, Any]:
        """The refusal for programs."""
        return {
            "gate": self.gate,
            "kind": self.kind,
            "text": self.text,
            "finding": self.code,
            "meter": self.meter,
            "from": None if self.start is None else rfc3339(from_microseconds(self.start)),
            "until": None if self.until is None else rfc3339(from_microseconds(self.until)),
            "value": self.facts.get("value"),
            "limit": self.facts.get("limit"),
        }


@dataclass(frozen=True)
class Override:
    """A gate that an operator forced, and why; ``texts`` are the refusals it went over."""

    gate: str
    reason: str
    by: str
    texts: tuple[str, ...] = ()

    @property
    def tree(self) -> dict[str, Any]:
        """As it is sealed."""
        return {"gate": self.gate, "reason": self.reason, "by": self.by, "texts": list(self.texts)}


class NotFinal(CheckFailed):
    """A month may not become final; ``refusals`` are all reasons at once."""

    def __init__(self, month: str, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        lines = [f"- {one.gate}: {one.text}" for one in refusals]
        super().__init__("\n".join([f"{month} cannot become final yet; nothing was changed.", *lines]))


def refusals(
    settled: Settled, today: date, watched: Sequence[Finding] = (), last: Month | None = None
) -> list[Refusal]:
    """Tell everything that keeps a month from becoming final.

    Parameters
    ----------
    settled
        The month as it would be final.
    today
        Local day on which it is asked.
    watched
        Open findings of the watch that concern the month.
    last
        The newest month that is final; None if none is, or where a correction is asked for.
    """
    return [
        *_time(settled, today),
        *_order(settled, last),
        *_meters(settled),
        *_balance(settled),
        *_invoices(settled),
        *_pellets(settled),
        *_findings(settled, watched),
    ]


def overridden(found: Sequence[Refusal], despite: Mapping[str, str], by: str) -> tuple[list[Refusal], list[Override]]:
    """Take out what an operator goes over.

    Parameters
    ----------
    found
        All refusals.
    despite
        Reason by gate.
    by
        The operator.

    Returns
    -------
    list of Refusal
        What still stands.
    list of Override
        What was gone over, with the sentences it silenced; a gate that refused nothing is not among them.

    Raises
    ------
    BadInput
        If a gate does not exist, can never be overridden, or has no reason.
    """
    known = [gate for gate in get_args(Gate) if gate not in NEVER_OVERRIDDEN]
    for gate, reason in despite.items():
        if gate not in known:
            raise BadInput(f"There is no gate '{gate}' that can be overridden; choose one of {', '.join(known)}.")
        if not reason.strip():
            raise BadInput(f"Give a reason for going over gate '{gate}', like --despite {gate}='what was looked at'.")
    if despite and not by.strip():
        raise BadInput("An override names who decided it; add --by.")
    used = []
    for gate, reason in despite.items():
        texts = tuple(one.text for one in found if one.gate == gate)
        if texts:
            used.append(Override(gate, reason.strip(), by.strip(), texts))
    return [one for one in found if one.gate not in despite], used


def _time(settled: Settled, today: date) -> Iterator[Refusal]:
    end = settled.month.end_day
    first = end + timedelta(days=settled.community.final.wait_days)
    if today < end:
        yield Refusal("over", "over", {"day": str(end)})
    elif today < first:
        yield Refusal("wait", "wait", {"day": str(first)})


def _order(settled: Settled, last: Month | None) -> Iterator[Refusal]:
    if last is not None and settled.month != last.shift(1):
        yield Refusal("order", "order", {"month": str(last.shift(1))})


def _meters(settled: Settled) -> Iterator[Refusal]:
    """Hold every settled meter against what may be missing and what may be estimated."""
    rules = settled.community.final
    for meter in _settled_meters(settled):
        series = settled.energy.series[meter.id]
        yield from _share(settled, series, "missing", ("missing",), Fraction(rules.missing_percent_at_most))
        yield from _share(settled, series, "estimated", _LESS_THAN_MEASURED, Fraction(rules.estimated_percent_at_most))


def _settled_meters(settled: Settled) -> Iterator[Meter]:
    """Meters whose intervals somebody's amount depends on; the main meter only serves the balance."""
    community = settled.community
    yield from community.meters_of("solar_generation", "electricity")
    if community.heat is not None:
        yield from community.meters_of("heat", "hot_water")
    if settled.pellets is not None and settled.pellets.estimated:
        yield from community.meters_of("heat_produced")


def _share(
    settled: Settled, series: Series, gate: Literal["missing", "estimated"], wanted: Sequence[Quality], limit: Fraction
) -> Iterator[Refusal]:
    places = [index for index, quality in enumerate(series.quality) if quality in wanted]
    whole = len(series.quality)
    if 100 * len(places) <= limit * whole:
        return
    bounds = settled.energy.sun.bounds
    start, until = bounds[places[0]], bounds[places[-1] + 1]
    facts = {
        "meter": series.meter,
        "count": str(len(places)),
        "whole": str(whole),
        "from": rfc3339(from_microseconds(start)),
        "until": rfc3339(from_microseconds(until)),
        "value": _percent(Fraction(100 * len(places), whole)),
        "limit": _percent(limit),
    }
    yield Refusal(gate, gate, facts, series.meter, start, until)


def _balance(settled: Settled) -> Iterator[Refusal]:
    """Hold what the main meter saw against what the flats saw, and the boiler's heat against the flats'.

    Hot water with a pool of its own is heat of the flats too. Heat that is lost on the way is no fault; heat that comes
    from nowhere is.
    """
    limit = Fraction(settled.community.final.balance_residual_percent_at_most)
    figures = settled.figures
    tree = balance.balance(figures).building.children[-1]
    needed = {"grid_import", "flats"} | ({"grid_export"} if "solar_generation" in figures.has else set())
    if needed <= figures.has:
        if tree.rest is None:
            yield Refusal("balance", "unbalanced", {"part": "electricity"})
        else:
            # Without a meter on the common area what is left is what it used, not what is missing.
            size = abs(tree.rest) if "common" in figures.has else -tree.rest
            yield from _residual("electricity", tree.rest, size, tree.amount, limit)
    if figures.boiler_heat is not None and figures.flats_heat is not None:
        more = figures.flats_heat + (figures.hot_water or 0) - figures.boiler_heat
        yield from _residual("heat", more, more, figures.boiler_heat, limit)


def _residual(kind: str, shown: int, size: int, whole: int | None, limit: Fraction) -> Iterator[Refusal]:
    """Hold what is not explained against what there was; where there was nothing, nothing of it is explained."""
    if size <= 0:
        return
    value = Fraction(100 * size, whole or size)
    if value > limit:
        facts = {"amount": decimal_text(shown), "value": _percent(value), "limit": _percent(limit)}
        yield Refusal("balance", kind, facts)


def _invoices(settled: Settled) -> Iterator[Refusal]:
    community, month = settled.community, settled.month
    for pool in ("heat", "common"):
        if invoices_of(community, month, pool):
            continue
        before = [invoices_of(community, month.shift(-back), pool) for back in range(1, USUAL_MONTHS + 1)]
        usual = community.final.usual_invoices and all(before)
        if pool in community.final.required_invoices or usual:
            yield Refusal("invoices", "invoices", {"pool": pool})


def _pellets(settled: Settled) -> Iterator[Refusal]:
    if settled.community.final.pellets_counted and settled.pellets is not None and settled.pellets.estimated:
        yield Refusal("pellets", "pellets", {})


def _findings(settled: Settled, watched: Sequence[Finding]) -> Iterator[Refusal]:
    """Refuse for every kind of finding that a person must have looked at, each said once per meter and kind."""
    blocking = settled.community.final.blocking_findings
    found = [one for one in (*settled.findings, *watched) if one.code in blocking]
    found.sort(key=lambda one: (one.code, one.meter or ""))
    for _, group in groupby(found, key=lambda one: (one.code, one.meter or "")):
        one = next(group)
        yield Refusal("findings", "findings", {"text": one.text}, one.meter, one.start, one.until, one.code)


def _percent(value: Fraction) -> str:
    return decimal_text(half_up(value * 100), 2)
