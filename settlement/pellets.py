"""The pellet account: what was burnt and what it cost, month by month from the opening stock.

Burnt = stock at the start + deliveries + corrections - stock at the end. The stock at the end is a count at local
midnight +- 12 h of the month's end, else an estimate from the latest count (or the opening), what came since, and the
heat produced since; the next count corrects the month it falls in. The level sensor never decides.

A correction changes the stock by exactly the kilograms and cents it says: what it adds is the newest layer, what it
takes away is taken from the oldest, and where the cents it names are not what those kilograms had cost, the difference
changes the price of everything that is left alike.

Conservation: start + deliveries + corrections = burnt + closing, in kilograms and in cents. Source: contract section
3; corrections are an addition of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction

from core.community import Community, Correction, Delivery, Pellets
from core.errors import BadInput
from core.money import half_up
from core.time import Month, local_day, microseconds, rfc3339
from core.units import MILLIONTHS, decimal_text
from settlement.model import Readings
from settlement.readings import total_between
from settlement.tariffs import cents

COUNT_WINDOW = timedelta(hours=12)

HeatBetween = Callable[[int, int], int | None]
"""Heat produced between two instants [microseconds], in mWh; None where it is not known."""


@dataclass(frozen=True)
class Layer:
    """Pellets of one origin [kg] and what is left of their price [cents]."""

    kg: Fraction
    value: Fraction


@dataclass(frozen=True)
class PelletMonth:
    """One month of the account [kg, whole cents]; ``estimated`` when the closing stock is no count.

    ``corrected_kg`` and ``corrected_cents`` are signed.
    """

    start_kg: Fraction
    start_cents: int
    delivered_kg: Fraction
    delivered_cents: int
    burnt_kg: Fraction
    burnt_cents: int
    closing_kg: Fraction
    closing_cents: int
    estimated: bool
    corrected_kg: Fraction = Fraction(0)
    corrected_cents: int = 0


def heat_between(community: Community, known: Readings) -> HeatBetween:
    """Make the account's source of heat from the readings of the boilers' meters, as far as they reach.

    Where one was first read later than the stock was known, fell silent or was reset since, `settlement.stock.findings`
    says so: that heat is in no estimate.
    """
    meters = community.meters_of("heat_produced")

    def between(start: int, end: int) -> int | None:
        parts = [total_between(community, m, known[m.id], start, end) for m in meters if m.id in known]
        found = [part for part in parts if part is not None]
        return sum(found) if found else None

    return between


def account(community: Community, month: Month, heat_between: HeatBetween) -> PelletMonth | None:
    """Value the pellets burnt in a month.

    Parameters
    ----------
    community
        Its pellet settings, opening, deliveries, corrections and counts.
    month
        Local month.
    heat_between
        Asked only for months that end without a count.

    Returns
    -------
    PelletMonth or None
        None if the community has no pellets, or the month ends before the opening.

    Raises
    ------
    BadInput
        If a stock would be negative, or grew without a delivery; the message names the document.
    """
    pellets = community.pellets
    if pellets is None:
        return None
    current = Month.of(local_day(pellets.opening.at, community.zone))
    layers = [Layer(Fraction(pellets.opening.kg), cents(pellets.opening.eur))]
    estimated = False
    result = None
    while current <= month:
        result = _month(community, pellets, current, layers, heat_between, start_estimated=estimated)
        layers, estimated = result[1], result[0].estimated
        current = current.shift(1)
    return result[0] if result else None


def heat_needed_from(community: Community, month: Month) -> datetime | None:
    """Return the instant from which heat readings are needed to value a month; None if counts tell everything."""
    pellets = community.pellets
    if pellets is None:
        return None
    current = Month.of(local_day(pellets.opening.at, community.zone))
    while current <= month:
        _, end = current.bounds(community.zone)
        if closing_count(pellets, end) is None:
            return _anchor(pellets, end)[0]
        current = current.shift(1)
    return None


def documents(community: Community, month: Month) -> tuple[str, ...]:
    """Name the documents that a month's burnt pellets are reckoned from, by kind and key of their events.

    What the stock was at the start stands behind the month before, which is named as ``stock:<its month>``; where no
    count ends the month, the last stock that was known is named, from which the heat since was taken off.
    """
    pellets = community.pellets
    if pellets is None:
        return ()
    start, end = month.bounds(community.zone)
    opened = Month.of(local_day(pellets.opening.at, community.zone))
    counted = closing_count(pellets, end)
    last = counted[0] if counted else _anchor(pellets, end)[0]
    is_count = counted is not None or last != pellets.opening.at
    found = ["opening:opening" if opened == month else f"stock:{month.shift(-1)}"]
    found += [f"delivery:{item.invoice}" for item in pellets.deliveries if start <= item.at < end]
    found += [f"correction:{rfc3339(item.at)}" for item in pellets.corrections if start <= item.at < end]
    found.append(f"count:{rfc3339(last)}" if is_count else "opening:opening")
    return tuple(dict.fromkeys(found))


def _month(
    community: Community,
    pellets: Pellets,
    month: Month,
    layers: list[Layer],
    heat_between: HeatBetween,
    *,
    start_estimated: bool,
) -> tuple[PelletMonth, list[Layer]]:
    start, end = month.bounds(community.zone)
    new = movements(pellets, start, end)
    held = layers
    for event in new:
        held = _corrected(held, event)
    total_kg, total = _sum(held)
    closing, document, estimated = _closing(pellets, end, heat_between)
    burnt = total_kg - closing
    if burnt < 0 and not start_estimated:
        raise BadInput(
            f"Pellets: {document} says {_kg(closing)} kg at the end of {month}, but only {_kg(total_kg)} kg can be"
            " there; add the missing delivery or correct the count."
        )
    if pellets.valuation == "fifo":
        burnt_cents, left = _fifo(held, burnt)
    else:
        burnt_cents = half_up(total * burnt / total_kg) if total_kg else int(total)
        left = [Layer(closing, total - burnt_cents)]
    before = _sum(layers)
    given = [event for event in new if isinstance(event, Correction)]
    corrected_kg = sum((Fraction(event.kg) for event in given), Fraction(0))
    corrected = int(sum((cents(event.eur) for event in given), Fraction(0)))
    result = PelletMonth(
        before[0], int(before[1]), total_kg - before[0] - corrected_kg, int(total - before[1]) - corrected,
        burnt, burnt_cents, closing, int(total) - burnt_cents, estimated, corrected_kg, corrected,
    )  # fmt: skip
    return result, left


def movements(pellets: Pellets, start: datetime, end: datetime) -> list[Delivery | Correction]:
    """Deliveries and corrections from ``start`` up to, not including, ``end``, as they came; deliveries first."""
    bought = [(one.at, 0, one.invoice, one) for one in pellets.deliveries if start <= one.at < end]
    corrected = [(one.at, 1, one.why, one) for one in pellets.corrections if start <= one.at < end]
    both: list[tuple[datetime, int, str, Delivery | Correction]] = [*bought, *corrected]
    return [entry[3] for entry in sorted(both, key=lambda entry: entry[:3])]


def _sum(layers: list[Layer]) -> tuple[Fraction, Fraction]:
    return sum((layer.kg for layer in layers), Fraction(0)), sum((layer.value for layer in layers), Fraction(0))


def _corrected(layers: list[Layer], correction: Delivery | Correction) -> list[Layer]:
    """Change the stock by exactly what a correction says; a delivery is one that only adds."""
    kg, (there, value) = Fraction(correction.kg), _sum(layers)
    wanted = value + cents(correction.eur)
    document = f"the correction of {correction.at:%Y-%m-%d}"
    if there + kg < 0:
        raise BadInput(
            f"Pellets: {document} takes away {_kg(-kg)} kg, but only {_kg(there)} kg can be there; correct it, or add"
            " the missing delivery or a count."
        )
    if wanted < 0:
        raise BadInput(
            f"Pellets: {document} takes away {decimal_text(int(-cents(correction.eur)), 2)} EUR, but all that is there"
            f" cost only {decimal_text(int(value), 2)} EUR; correct it."
        )
    if kg > 0 and correction.eur >= 0:
        return [*layers, Layer(kg, wanted - value)]
    left = [*layers, Layer(kg, Fraction(0))] if kg > 0 else _taken(layers, -kg)
    rest_kg, rest = _sum(left)
    if rest:
        return [Layer(layer.kg, layer.value * wanted / rest) for layer in left]
    if rest_kg:  # which cost nothing so far: its price per kilogram changes alike
        return [Layer(layer.kg, layer.kg * wanted / rest_kg) for layer in left]
    return [Layer(Fraction(0), wanted)]


def _taken(layers: list[Layer], kg: Fraction) -> list[Layer]:
    """Return what is left when kilograms are taken from the oldest layers with what they had cost."""
    left = list(layers)
    while kg > 0:
        oldest = left.pop(0)
        if oldest.kg > kg:
            left.insert(0, Layer(oldest.kg - kg, oldest.value * (oldest.kg - kg) / oldest.kg))
        kg -= min(kg, oldest.kg)
    return left


def _fifo(held: list[Layer], burnt: Fraction) -> tuple[int, list[Layer]]:
    """Burn the oldest layers first; what rounding leaves stays with the oldest layer that is left."""
    value, rest, left = Fraction(0), burnt, list(held)
    while rest > 0 and left:
        oldest = left.pop(0)
        taken = min(rest, oldest.kg)
        cost = oldest.value * taken / oldest.kg if oldest.kg else oldest.value
        value, rest = value + cost, rest - taken
        if taken < oldest.kg:
            left.insert(0, Layer(oldest.kg - taken, oldest.value - cost))
    if rest < 0 and left:
        # A count found more than was estimated: it is taken back at the price of the oldest layer.
        oldest = left[0]
        value = oldest.value * rest / oldest.kg if oldest.kg else Fraction(0)
        left[0] = Layer(oldest.kg - rest, oldest.value - value)
    rounded = half_up(value)
    if left:
        left[0] = Layer(left[0].kg, left[0].value + value - rounded)
    else:
        left = [Layer(Fraction(0), Fraction(0))]
    return rounded, left


def _closing(pellets: Pellets, end: datetime, heat_between: HeatBetween) -> tuple[Fraction, str, bool]:
    counted = closing_count(pellets, end)
    if counted is not None:
        at, kg = counted
        missed = _came(pellets, at, end) - _came(pellets, end, at)
        document = f"the count of {at:%Y-%m-%d}"
        return _not_negative(kg + missed, document, end), document, False
    at, kg, document = _anchor(pellets, end)
    heat = heat_between(microseconds(at), microseconds(end))
    if heat is None:
        raise BadInput(
            f"Pellets: there is no count near {end:%Y-%m-%d %H:%M} UTC and no heat_produced reading since {document};"
            " add a count within 12 hours of the month's end."
        )
    left = kg + _came(pellets, at, end) - _burnt_for(pellets, heat)
    return _not_negative(left, document, end), f"the estimate since {document}", True


def expected_kg(pellets: Pellets, at: datetime, heat_between: HeatBetween) -> Fraction | None:
    """Stock by the books at an instant, had nobody counted then: the stock known before it, what came and what burnt.

    Returns
    -------
    Fraction or None
        May be below zero, as books may be wrong [kg]; None where the heat since is not known or nothing is before.
    """
    before = at - timedelta(microseconds=1)
    if before < pellets.opening.at:
        return None
    since, kg, _ = _anchor(pellets, before)
    heat = heat_between(microseconds(since), microseconds(at))
    return None if heat is None else kg + _came(pellets, since, at) - _burnt_for(pellets, heat)


def _burnt_for(pellets: Pellets, heat: int) -> Fraction:
    """Kilograms that so much heat [mWh] takes."""
    return Fraction(heat, MILLIONTHS) / (Fraction(pellets.kwh_per_kg) * Fraction(pellets.efficiency_percent) / 100)


def closing_count(pellets: Pellets, end: datetime) -> tuple[datetime, Fraction] | None:
    """Return the count that decides the stock at a month's end [kg]: the nearest within twelve hours of it, or None."""
    near = [count for count in pellets.counts if abs(count.at - end) <= COUNT_WINDOW]
    if not near:
        return None
    best = min(near, key=lambda count: (abs(count.at - end), -microseconds(count.at)))
    return best.at, Fraction(best.kg)


def known_before(pellets: Pellets, at: datetime) -> datetime:
    """When the stock was last known at an instant: of the latest count until then, or the opening."""
    return _anchor(pellets, at)[0]


def _anchor(pellets: Pellets, end: datetime) -> tuple[datetime, Fraction, str]:
    known = [(pellets.opening.at, Fraction(pellets.opening.kg), "the opening stock")]
    known += [
        (count.at, Fraction(count.kg), f"the count of {count.at:%Y-%m-%d}")
        for count in pellets.counts
        if count.at <= end
    ]
    return max(known, key=lambda stock: stock[0])


def _came(pellets: Pellets, start: datetime, end: datetime) -> Fraction:
    """Kilograms that deliveries and corrections brought, or took away."""
    return sum((Fraction(item.kg) for item in movements(pellets, start, end)), Fraction(0))


def _not_negative(kg: Fraction, document: str, end: datetime) -> Fraction:
    if kg < 0:
        raise BadInput(
            f"Pellets: by {document} the stock on {end:%Y-%m-%d} would be {_kg(kg)} kg;"
            " add the missing delivery or a count."
        )
    return kg


def _kg(kg: Fraction) -> str:
    return f"{float(kg):.1f}"
