"""The energy of one month: every meter's intervals, the sun that was shared, and what each party had of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.community import Community
from core.time import Month, from_microseconds, rfc3339
from settlement import failedmeters, heat, hotwater, intervals, readings, selection, sun
from settlement.failedmeters import Failed, Kind, Totals, Worth
from settlement.hotwater import Warmed
from settlement.model import Finding, Readings, Series, Spell
from settlement.sun import Sun
from settlement.tariffs import Stretch

_AS_COUNTED: Final = " Its part of the cost of heat follows from what was counted."
_TOO_LARGE: Final = (
    " What they did not count is missing from the heat supplied, which no boiler's meter tells: too much of the cost"
    " was put on hot water."
)


@dataclass(frozen=True)
class Metered:
    """What all meters counted in a month, however it is known.

    Attributes
    ----------
    bounds
        n + 1 interval boundaries [microseconds UTC].
    series
        By meter; of all but pellet levels.
    findings
        What was found wrong with the readings behind them.
    until
        Boundary up to which the month can be known [microseconds UTC].
    compared
        By kind of meter, use by flat of earlier months that failed meters are compared with.
    readings
        Of boilers and of pellet levels, which the pellet account looks at; it may hold others too.
    """

    bounds: Sequence[int]
    series: Mapping[str, Series]
    findings: tuple[Finding, ...]
    until: int
    compared: Mapping[Kind, Mapping[Month, Totals]]
    readings: Readings


@dataclass(frozen=True)
class Energy:
    """Quantities of the month, per meter and per spell [mWh, or millionths for allocator units].

    ``failed`` are the heat meters that failed; hot water has its own in ``warmed``. None where the rule does not
    estimate.
    """

    series: Mapping[str, Series]
    sun: Sun
    consumed: Mapping[Spell, int]
    shared: Mapping[Spell, int]
    heat: Mapping[Spell, int]
    heat_meters: tuple[Series, ...]
    heat_in_units: bool
    heat_produced: int | None
    failed: Failed | None = None
    warmed: Warmed | None = None

    @property
    def heat_charged(self) -> Mapping[Spell, int]:
        """Heat that the measured part is divided by: measured, with what failed meters would have counted.

        Empty where so many failed that the fixed measure divides everything.
        """
        if self.failed is None:
            return self.heat
        if self.failed.by_fixed:
            return {}
        added = self.failed.substitutes
        return {s: amount + (added[s].amount if s in added else 0) for s, amount in self.heat.items()}


def metered(community: Community, month: Month, known: Readings) -> Metered:
    """Take a month's readings to intervals.

    Parameters
    ----------
    known
        Readings of the month with their look-back and look-ahead (`settlement.selection.used`).
    """
    own, compared = _compared(community, month, known)
    bounds = readings.boundaries(community, month)
    series, findings = intervals.of_all(community, own, bounds)
    until = readings.known_until(own, bounds)
    return Metered(bounds, series, tuple(_up_to_now(findings, bounds, own, until)), until, compared, own)


def of_month(
    community: Community, month: Month, found: Metered, spells: Sequence[Spell], stretches: Sequence[Stretch]
) -> Energy:
    """Share the month's sun, and add up what each spell used and was given."""
    series, size = found.series, len(found.bounds) - 1
    used, quality = sun.consumption(community, series, size)
    generated = sun.generation(community, series, size)
    divided = sun.share(community, stretches, found.bounds, generated, used, quality)
    heat_of: defaultdict[str | None, list[Series]] = defaultdict(list)
    for meter in community.meters_of("heat"):
        heat_of[meter.flat].append(series[meter.id])

    consumed, shared, warmth = {}, {}, {}
    spans = {spell: divided.between(community, spell.start, spell.until) for spell in spells}
    for spell, span in spans.items():
        consumed[spell] = used[spell.flat].total(span.start, span.stop)
        shared[spell] = divided.shared[spell.flat].total(span.start, span.stop)
        warmth[spell] = sum(one.known(span.start, span.stop) for one in heat_of[spell.flat])
    heat_meters = tuple(series[meter.id] for meter in community.meters_of("heat"))
    in_units = any(meter.unit == "units" for meter in community.meters_of("heat"))
    boilers = [series[meter.id] for meter in community.meters_of("heat_produced")]
    produced = sum(one.known() for one in boilers) if boilers else None
    rule = heat.rule_of(community, month)
    failed, warmed = _failed(community, "heat", month, found, spells, spans), None
    if rule is not None and rule.hot_water is not None:
        added = sum(one.amount for one in failed.substitutes.values()) if failed else 0
        rooms = None if in_units else sum(warmth.values()) + added
        unread = _failed(community, "hot_water", month, found, spells, spans)
        warmed = hotwater.of_month(community, rule.hot_water, spells, series, spans, rooms, produced, unread)
    return Energy(series, divided, consumed, shared, warmth, heat_meters, in_units, produced, failed, warmed)


def findings(community: Community, energy: Energy, spells: Sequence[Spell]) -> Iterator[Finding]:
    """Tell of failed meters of heat and of hot water, and of hot water that cannot be."""
    if energy.failed:
        too_large = energy.warmed and energy.warmed.part and not energy.heat_produced
        yield from failedmeters.findings(community, "heat", energy.failed, spells, _TOO_LARGE if too_large else "")
    if energy.warmed:
        if energy.warmed.failed:
            yield from failedmeters.findings(community, "hot_water", energy.warmed.failed, spells, _AS_COUNTED)
        yield from hotwater.findings(energy.warmed)


def _compared(community: Community, month: Month, known: Readings) -> tuple[Readings, dict[Kind, dict[Month, Totals]]]:
    """Part what is known into the month's own readings and what the months that failed meters compare with tell."""
    if not failedmeters.kinds(community, month):
        return known, {}
    own = selection.of_month(community, month, known)
    found: dict[Kind, dict[Month, Totals]] = {}
    for kind, before in failedmeters.references(community, month, own):
        then = selection.compared(community, kind, before, known)
        totals = failedmeters.totals(community, kind, before, then, _worth(community, month))
        found.setdefault(kind, {})[before] = totals
    return own, found


def _failed(
    community: Community,
    kind: Kind,
    month: Month,
    found: Metered,
    spells: Sequence[Spell],
    spans: Mapping[Spell, range],
) -> Failed | None:
    """Find what becomes of failed meters of a kind; None where the rule does not estimate them."""
    if kind not in failedmeters.kinds(community, month):
        return None
    failures = failedmeters.failures_of(community, kind, found.series, found.bounds, found.until)
    compared, worth = found.compared.get(kind, {}), _worth(community, month)
    return failedmeters.estimate(community, kind, month, spells, found.series, spans, failures, compared, worth)


def _worth(community: Community, month: Month) -> Worth:
    """Tell what hot water meters are compared by: earlier months too by the rule of the month that is settled."""
    rule = heat.rule_of(community, month)
    return hotwater.worth(community, rule.hot_water) if rule and rule.hot_water else {}


def _up_to_now(findings: list[Finding], bounds: Sequence[int], known: Readings, horizon: int) -> list[Finding]:
    """Say once that the rest of a month is not known yet, instead of once for every meter."""
    step = bounds[1] - bounds[0]
    ends = [one.times[-1] + (step if one.kind == "interval" else 0) for one in known.values()]
    newest = max(ends, default=bounds[-1])
    if newest >= bounds[-1]:
        return findings
    kept = [f for f in findings if f.code != "missing-intervals" or f.start is None or f.start < horizon]
    text = f"The month is not complete: no meter has readings after {rfc3339(from_microseconds(newest))}."
    return [*kept, Finding("month-incomplete", text, None, horizon, bounds[-1])]
