"""Every meter's intervals at once: as read first, then the gaps by what the others and earlier days tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import NamedTuple

from core.community import Community, Meter
from core.time import from_microseconds, local_day, microseconds, midnight
from settlement.estimates import LONGEST_LINEAR, LOOK_BACK, Estimator
from settlement.model import Finding, Readings, Series
from settlement.readings import Shaper, intervals, register_gaps
from settlement.registers import may_have_strayed
from settlement.shape import Shape


class Span(NamedTuple):
    """From where to where readings of a kind of meter are needed to bridge gaps [microseconds]."""

    start: int
    end: int


def of_all(community: Community, known: Readings, bounds: Sequence[int]) -> tuple[dict[str, Series], list[Finding]]:
    """Energy of every meter but the pellet level in every interval.

    Parameters
    ----------
    community
        Its meters.
    known
        Readings by meter; for the meters of a kind that has gaps with the look-back of `spans_needed`.
    bounds
        n + 1 interval boundaries [microseconds UTC].

    Returns
    -------
    series
        By meter; each sums to its register's difference however its gaps were bridged.
    findings
        What was found wrong, in the order of the meters.
    """
    shapers = _shapers(community, known, bounds)
    series, findings = {}, []
    for meter in _counting(community):
        one, found = intervals(community, meter, known.get(meter.id), bounds, shapers.get(meter.id))
        series[meter.id] = one
        findings += found
    return series, findings


def spans_needed(community: Community, known: Readings, bounds: Sequence[int]) -> dict[str, Span]:
    """Tell for which kinds of meter readings beyond the usual ones are needed, and from where to where.

    To bridge long gaps, four weeks before the first one begins up to where the last one ends. To see whether a register
    strayed over an end of the span, two days around what is odd there. Independent of which other readings are known
    meanwhile, so that a month settled from the database and from its export needs the same.
    """
    spans = _spans(community, _long_gaps(community, known, bounds))
    for meter in _counting(community):
        readings = known.get(meter.id)
        reach = may_have_strayed(community, meter, readings, bounds) if readings is not None else None
        if reach is not None:
            so_far = spans.get(meter.measures, Span(*reach))
            spans[meter.measures] = Span(min(so_far.start, reach[0]), max(so_far.end, reach[1]))
    return spans


def _counting(community: Community) -> Iterable[Meter]:
    return (meter for meter in community.meters if meter.measures != "pellet_stock")


def _long_gaps(community: Community, known: Readings, bounds: Sequence[int]) -> dict[str, list[tuple[int, int]]]:
    """Find, by meter, the gaps that are no straight line by rule; for the sun that may be any."""
    found: dict[str, list[tuple[int, int]]] = {}
    if community.estimates == "linear":
        return found
    for meter in _counting(community):
        gaps = register_gaps(community, meter, known.get(meter.id), bounds)
        if meter.measures != "solar_generation":
            gaps = [(start, until) for start, until in gaps if until - start > LONGEST_LINEAR]
        found[meter.id] = gaps
    return found


def _spans(community: Community, gaps: Mapping[str, list[tuple[int, int]]]) -> dict[str, Span]:
    spans: dict[str, Span] = {}
    for meter in community.meters:
        for start, until in gaps.get(meter.id, ()):
            first = local_day(from_microseconds(start), community.zone) - LOOK_BACK
            reach = Span(microseconds(midnight(first, community.zone)), until)
            so_far = spans.get(meter.measures, reach)
            spans[meter.measures] = Span(min(so_far.start, reach.start), max(so_far.end, reach.end))
    return spans


def _shapers(community: Community, known: Readings, bounds: Sequence[int]) -> dict[str, Shaper]:
    """Make a shaper for every meter that has long gaps; meters of a kind share an estimator."""
    step = community.interval // timedelta(microseconds=1)
    gaps = _long_gaps(community, known, bounds)
    shapers: dict[str, Shaper] = {}
    for measures, span in _spans(community, gaps).items():
        size = -(-(span.end - span.start) // step)
        grid = [span.start + index * step for index in range(size + 1)]
        kind = [meter for meter in community.meters if meter.measures == measures]
        measured = {meter.id: intervals(community, meter, known.get(meter.id), grid)[0] for meter in kind}
        estimator = Estimator(community, grid, measured)
        for meter in kind:
            shapers[meter.id] = _only(estimator, {start for start, _ in gaps[meter.id]})
    return shapers


def _only(estimator: Estimator, starts: AbstractSet[int]) -> Shaper:
    def shape(meter: Meter, start: int, until: int) -> Shape | None:
        return estimator.shape(meter, start, until) if start in starts else None

    return shape
