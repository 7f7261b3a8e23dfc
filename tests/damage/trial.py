"""One trial: a month settled as it was, and settled damaged, interval by interval beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from core.communityfile import CommunityFile
from core.time import from_microseconds as instant
from core.time import microseconds, rfc3339
from settlement import readingsfile, selection
from settlement.model import MeterReadings, Series
from settlement.month import settle
from tests.damage.damages import DAMAGES, Damage, Row
from tests.damage.subjects import Subject

BEGINS = timedelta(days=14, hours=17)
"""When a damage begins, after the month did: late in the afternoon, before most homes use most."""
ABOUT_THE_MONTH = {"estimated-intervals", "missing-intervals", "month-incomplete", "readings-excluded"}


@dataclass(frozen=True)
class Outcome:
    """What a damage did to a month.

    ``error`` is what the month holds too much (negative: too little), ``misplaced`` what lies in another interval than
    it was used in, ``touched`` what the intervals that changed held in truth [all mWh]; ``estimated`` and ``missing``
    are counts of intervals, ``codes`` the findings that tell, gaps apart.
    """

    damage: str
    subject: Subject
    estimates: str
    error: int
    misplaced: int
    touched: int
    total: int
    intervals: int
    estimated: int
    missing: int
    codes: tuple[str, ...]
    methods: frozenset[str]
    undamaged: Series
    damaged: Series

    @property
    def misplaced_percent(self) -> float:
        """Of what the touched intervals held."""
        return 100 * self.misplaced / self.touched if self.touched else 0.0


def trials(subject: Subject, estimates: str, names: Sequence[str] = ()) -> Iterator[Outcome]:
    """Damage a subject in every way, or in those that are named."""
    known = subject.before(estimates)
    true, _ = _settled(subject, known, subject.community(estimates), _rows(known[subject.meter]))
    for damage in [one for one in DAMAGES if not names or one.name in names]:
        yield trial(subject, known, estimates, damage, true)


def trial(
    subject: Subject, known: Mapping[str, MeterReadings], estimates: str, damage: Damage, true: Series
) -> Outcome:
    """Damage a subject in one way."""
    damaged = damage.apply(subject.meter, _rows(known[subject.meter]), begins(subject), subject.step)
    found, codes = _settled(subject, known, subject.community(estimates, **damaged.events), damaged.rows)
    off = [(after or 0) - (before or 0) for before, after in zip(true.energy, found.energy, strict=True)]
    touched = sum(
        before or 0
        for before, after, was, now in zip(true.energy, found.energy, true.quality, found.quality, strict=True)
        if (before, was) != (after, now)
    )
    return Outcome(
        damage.name, subject, estimates, sum(off), (sum(map(abs, off)) - abs(sum(off))) // 2, touched, true.known(),
        len(off), found.quality.count("estimated"), found.quality.count("missing"), codes,
        frozenset(one for one in found.method if one), true, found,
    )  # fmt: skip


def begins(subject: Subject) -> int:
    """When a subject's damage begins [microseconds]."""
    start, _ = subject.month.bounds(ZoneInfo(subject.tree["timezone"]))
    return microseconds(start + BEGINS)


def _settled(
    subject: Subject, before: Mapping[str, MeterReadings], file: CommunityFile, rows: list[Row]
) -> tuple[Series, tuple[str, ...]]:
    """Settle a month with the meter's rows as they arrived, from a readings file."""
    lines = ["time,meter,value", *(f"{rfc3339(instant(time))},{subject.meter},{value:f}" for time, value in rows)]
    kind, parsed = readingsfile.parse(lines, "damaged.csv", file.community)
    known: Mapping[str, MeterReadings] = {**before, **readingsfile.group(kind, parsed, "damaged.csv")}
    settled = settle(file.community, subject.month, selection.used(file.community, subject.month, known))
    codes = [finding.code for finding in settled.findings if finding.meter in (subject.meter, None)]
    return settled.energy.series[subject.meter], tuple(sorted({*codes} - ABOUT_THE_MONTH))


def _rows(readings: MeterReadings) -> list[Row]:
    return list(zip(readings.times, readings.values, strict=True))
