"""What is behind a posting: which rules with their start dates, which documents, which meters and span of readings.

Rules are named by section and first day of the community file (``tariffs@2026-01-01``), documents by kind and key of
the event in the database (``cost:heat M-4``, ``delivery:P-17``), so that a program can look each of them up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache, partial

from core.community import Community, Measures
from core.time import Month, midnight, rfc3339
from settlement import pellets
from settlement.charges import Charge
from settlement.heat import HeatPool
from settlement.model import Evidence, Spell
from settlement.pellets import PelletMonth
from settlement.tariffs import Stretch
from settlement.windows import Price, Slot
from settlement.work import WorkMonth

_SUN: tuple[Measures, ...] = ("solar_generation", "electricity")


class Behind:
    """Tells of every posting of a month what is behind it."""

    def __init__(
        self,
        community: Community,
        month: Month,
        slots: Sequence[Slot],
        cost: HeatPool | None,
        fuel: PelletMonth | None,
        labour: WorkMonth | None,
    ) -> None:
        self._community, self._month, self._labour = community, month, labour
        self._heat_rules = () if cost is None else (f"heat@{cost.rule.start}",)
        self._heat_documents = tuple(
            f"cost:heat {number}" for number in dict.fromkeys(number for number, _ in cost.invoices)
        ) if cost else ()  # fmt: skip
        if cost is not None and fuel is not None:
            self._heat_documents += pellets.documents(community, month)
        self._boiler: tuple[Measures, ...] = ("heat_produced",) if fuel is not None and fuel.estimated else ()
        self._common = tuple(
            f"cost:common {cost.invoice}"
            for cost in community.costs
            if cost.pool == "common" and month.first_day <= cost.date < month.end_day
        )
        self._meters: dict[tuple[str, str], tuple[str, ...]] = {}
        for meter in community.meters:
            own = meter.measures, meter.flat or ""
            self._meters[own] = (*self._meters.get(own, ()), meter.id)
        self._advances: dict[str, list[date]] = {}
        for advance in community.advances:
            self._advances.setdefault(advance.household, []).append(advance.start)
        self._instant = cache(lambda day: rfc3339(midnight(day, community.zone)))
        # Most parties have the same days. Not a method, which would hold this month until the next great collection.
        self._valid = cache(partial(_rules_of, slots))

    def line(self, charge: Charge, spell: Spell) -> Evidence:
        """Tell what a line of a statement comes from."""
        code = charge.code
        tariffs, shares, start, until = self._valid(code, charge.price, charge.window, spell.start, spell.until)
        home = self._home(spell)
        if code in ("solar", "feed_in", "netting"):
            meters = self._own("electricity", spell)
            return self._evidence(tariffs + shares, home, meters, _SUN, start, until)
        if code == "common":
            has_meter = any(meter.common for meter in self._community.meters)
            return self._evidence(tariffs + shares, home + self._common, (), _SUN if has_meter else (), start, until)
        if code == "fixed":
            return self._evidence(tariffs, home, (), (), start, until)
        if code == "work" and self._labour is not None:
            rule = (f"work_credits@{self._labour.rule.start}",)
            done = tuple(
                f"work:{work.household} {work.task}@{rfc3339(work.at)}"
                for own, work in self._labour.done
                if own == spell
            )
            return self._evidence(rule, home + (done if charge.factor < 0 else ()), (), (), start, until)
        kind: Measures = "hot_water" if code.startswith("hot_water") else "heat"
        measured: tuple[Measures, ...] = (kind,) if code.endswith("_measured") else ()
        meters = self._own(kind, spell) if measured else ()
        documents = home + self._heat_documents
        return self._evidence(self._heat_rules + tariffs, documents, meters, measured + self._boiler, start, until)

    def cost_of_heat(self) -> Evidence:
        """Tell what the month's cost of heat comes from."""
        first, end = self._month.first_day, self._month.end_day
        return self._evidence(self._heat_rules, self._heat_documents, (), self._boiler, first, end)

    def advance(self, spell: Spell) -> Evidence:
        """Tell by which agreements an advance was paid."""
        own = sorted(self._advances.get(spell.party, ()), reverse=True)
        valid: list[date] = []
        for start in (start for start in own if start < spell.until):
            valid.append(start)
            if start <= spell.start:
                break
        documents = tuple(f"advance:{spell.party}@{start}" for start in reversed(valid))
        return self._evidence((), self._home(spell) + documents, (), (), spell.start, spell.until)

    def _home(self, spell: Spell) -> tuple[str, ...]:
        return () if spell.party == self._community.owner else (f"household:{spell.party}",)

    def _own(self, measures: Measures, spell: Spell) -> tuple[str, ...]:
        return self._meters.get((measures, spell.flat), ()) if spell.flat else ()

    def _evidence(
        self,
        rules: tuple[str, ...],
        documents: tuple[str, ...],
        meters: tuple[str, ...],
        all_of: tuple[Measures, ...],
        start: date,
        until: date,
    ) -> Evidence:
        return Evidence(rules, documents, meters, all_of, self._instant(start), self._instant(until))


def _rules_of(
    slots: Sequence[Slot], code: str, price: Decimal | None, window: str | None, first: date, end: date
) -> tuple[tuple[str, ...], tuple[str, ...], date, date]:
    """Name the tariffs and sharing rules of a line of these days, and the days in which they were valid.

    Those whose price the line has; all of the days' where it has none.
    """
    found: list[Stretch] = []
    for slot in slots:
        stretch = slot.stretch
        touches = stretch.start < end and first < stretch.until
        if touches and (not found or found[-1] is not stretch) and _fits(code, price, window, slot):
            found.append(stretch)
    tariffs = _rules("tariffs", (stretch.tariff.start for stretch in found))
    shares = _rules("sharing", (stretch.sharing.start for stretch in found))
    start = max(first, min(stretch.start for stretch in found))
    until = min(end, max(stretch.until for stretch in found))
    return tariffs, shares, start, until


def _fits(code: str, eur: Decimal | None, window: str | None, slot: Slot) -> bool:
    if eur is None:
        return True
    price = Price(eur, window)
    match code:
        case "solar":
            return slot.solar == price
        case "feed_in":
            return slot.feed_in == price
        case "netting":
            return slot.stretch.netting and slot.grid == price
    return slot.stretch.tariff.fixed_eur_per_month == eur  # `fixed`: no other line has a price


def _rules(section: str, starts: Iterable[date]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(f"{section}@{start}" for start in starts))
