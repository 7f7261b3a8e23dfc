"""Named conservation identities, checked on every run, in production too. A broken one aborts the run.

Only identities stand here: they hold whatever the readings are. Whether readings are plausible is a matter of
findings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from core.units import MILLIONTHS, decimal_text
from settlement.charges import Charge
from settlement.heat import HeatPool
from settlement.ledger import Ledger
from settlement.model import Check, Line, Series, Spell
from settlement.pellets import PelletMonth
from settlement.sun import Sun
from settlement.windows import Slot

HEAT_LINES = ("heat_measured", "heat_fixed", "hot_water_measured", "hot_water_fixed")


def _check(name: str, difference: int, decimals: int) -> Check:
    return Check(name, difference == 0, decimal_text(difference, decimals))


def of_sun(sun: Sun) -> Iterator[Check]:
    """Check the sun of every interval: given + left over = generated, and nobody gets more than was used."""
    given = sun.shared.by_interval()
    generated = np.maximum(sun.sun.array, 0)
    off = np.abs(given + sun.surplus.array - generated).max(initial=0)
    above = 0
    for name, column in sun.shared.items():
        used = np.maximum(sun.used[name].array, 0)
        above = max(above, int(np.maximum(column.array - used, -column.array).max(initial=0)))
    yield _check("sun: shared + surplus = generated, in every interval", int(off), 6)
    yield _check("sun: 0 <= shared <= consumed, in every interval", above, 6)
    month = sun.shared.total() + sun.surplus.total() - sun.sun.total()
    yield _check("sun: shared + surplus = generated, in the month", month, 6)


def of_parties(
    sun: Sun, heat: Sequence[Series], shared: Mapping[Spell, int], measured: Mapping[Spell, int], common: int
) -> Iterator[Check]:
    """Check that the energy of all parties (and the common area) is the energy of the building."""
    yield _check("sun: shares of all parties = shared", sum(shared.values()) + common - sun.shared.total(), 6)
    yield _check("heat: parties' heat = metered heat", sum(measured.values()) - sum(one.known() for one in heat), 6)


def of_money(
    charges: Sequence[Charge], charged: Sequence[Mapping[Spell, Line]], *, include_vat: bool
) -> Iterator[Check]:
    """Check every pool to the cent, and every line's net + VAT = amount."""
    for charge, group in zip(charges, charged, strict=True):
        price = f" at {charge.price}" if charge.price is not None else ""
        price += f" in {charge.window}" if charge.window is not None else ""
        parts = sum(line.amount if include_vat else line.net for line in group.values())
        yield _check(f"cents: {charge.code}{price} adds up", parts - charge.total, 2)
    off = sum(abs(line.net + line.vat - line.amount) for group in charged for line in group.values())
    yield _check("cents: net + VAT = amount, on every line", off, 2)


def of_heat(heat: HeatPool, charges: Sequence[Charge]) -> Iterator[Check]:
    """Check that the heat lines divide exactly what heat cost."""
    divided = sum(charge.total for charge in charges if charge.code in HEAT_LINES)
    yield _check("cents: heat lines = cost of heat", divided - heat.total, 2)
    if heat.rule.hot_water is not None:
        pools = heat.measured + heat.fixed + heat.hot_water_measured + heat.hot_water_fixed
        yield _check("cents: heat and hot water = cost of heat", pools - heat.total, 2)


def of_prices(
    slots: Sequence[Slot], charges: Sequence[Charge], shared: Mapping[Spell, int], surplus: int
) -> Iterator[Check]:
    """Check that windows and netting price every kilowatt-hour once; nothing to check where there are neither."""
    if not any(slot.window is not None or slot.stretch.netting for slot in slots):
        return
    for name, codes, energy in (
        ("solar lines = shared", ("solar",), sum(shared.values())),
        ("feed-in and netting lines = surplus", ("feed_in", "netting"), surplus),
    ):
        priced = sum((sum(charge.basis.values()) for charge in charges if charge.code in codes), Fraction(0))
        off = priced * MILLIONTHS - energy
        yield Check(f"kWh: {name}", off == 0, str(off / MILLIONTHS) if off else decimal_text(0))


def of_work(charged: Sequence[Mapping[Spell, Line]]) -> Check:
    """Check that what work earns is what all pay for it."""
    amounts = [line.amount for group in charged for line in group.values() if line.code == "work"]
    return _check("cents: work sums to zero over all parties", sum(amounts), 2)


def of_pellets(month: PelletMonth) -> Iterator[Check]:
    """Check that the stock closes, in kilograms and in cents."""
    came = "deliveries + corrections" if month.corrected_kg or month.corrected_cents else "deliveries"
    kg = month.start_kg + month.delivered_kg + month.corrected_kg - month.burnt_kg - month.closing_kg
    yield Check(f"pellets: start + {came} = burnt + closing [kg]", kg == 0, str(kg) if kg else "0.000")
    cents = month.start_cents + month.delivered_cents + month.corrected_cents - month.burnt_cents - month.closing_cents
    yield _check(f"pellets: start + {came} = burnt + closing [EUR]", cents, 2)


def of_ledger(ledger: Ledger, totals: int) -> Iterator[Check]:
    """Check that every transaction sums to zero, and that parties owe what their statements say."""
    sums: dict[int, int] = {}
    for posting in ledger.postings:
        sums[posting.transaction] = sums.get(posting.transaction, 0) + posting.cents
    yield _check("ledger: every transaction sums to zero", sum(map(abs, sums.values())), 2)
    owed = sum(posting.cents for posting in ledger.postings if posting.account.startswith("party:"))
    yield _check("ledger: balances of parties = statements", owed - totals, 2)
