"""The community: what the building is, who lives there, and the rules residents agreed on; frozen values.

Decimals keep the digits as they were written, so that a price is printed as given. How the file is read is in
`core.communityfile`, rules that span fields are in `core.consistency`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from core.fields import (
    Amount,
    Clock,
    Day,
    Duration,
    Euro,
    EuroPaid,
    Instant,
    Number,
    Percent,
    Positive,
    Slug,
    Whole,
    YesNo,
    Zone,
)
from core.keys import KeyName

EVENT_SECTIONS = ("households", "replacements", "edits", "costs", "advances", "work")
"""Top-level sections that are events: owned by the database, a first import when they stand in the file."""
PELLET_EVENTS = ("opening", "deliveries", "counts", "corrections")


Measures = Literal[
    "solar_generation", "grid_import", "grid_export", "electricity", "heat_produced", "heat", "hot_water",
    "pellet_stock",
]  # fmt: skip
Unit = Literal["kWh", "Wh", "MWh", "GJ", "MJ", "m3", "kg", "units"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
WEEK_MINUTES = len(WEEK) * _DAY_MINUTES


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Location(_Part):
    """Where the building stands [degrees, m above sea level]."""

    latitude: Number
    longitude: Number
    altitude_m: Number = Decimal(0)


class Flat(_Part):
    """A dwelling; ``floor_area_m2`` is needed by every rule that divides by area [m2]."""

    id: Slug
    floor_area_m2: Positive | None = None
    building: Slug = "main"


class Household(_Part):
    """Who lives in a flat; ``until`` is the first day not included."""

    id: Slug
    flat: Slug
    start: Day = Field(alias="from")
    until: Day | None = None
    building: Slug = "main"


class Meter(_Part):
    """A register that counts up, or a level (``pellet_stock``).

    ``digits`` before the point give the roll-over; ``every`` is how often it is normally read; ``max_kw`` is the most
    its connection can carry [kW], for telling a jump from use: it decides nothing but what is doubted.
    """

    id: Slug
    measures: Measures
    unit: Unit
    flat: Slug | None = None
    common: YesNo = False
    digits: Annotated[Whole, Field(ge=1, le=15)] | None = None
    every: Duration | None = None
    max_kw: Positive | None = None
    building: Slug = "main"


class Replacement(_Part):
    """A meter was swapped: last value of the old register, first of the new, in the meter's unit."""

    meter: Slug
    at: Instant
    old_end: Amount
    new_start: Amount
    by: str | None = None
    why: str | None = None


class Edit(_Part):
    """What a person did to a meter's readings, and why; the readings themselves stay as they came.

    Either a ``value`` that was read by hand at an instant, in the meter's unit, with a ``photo`` of the display where
    there is one; or, with ``exclude``, the readings from ``at`` up to and including ``until`` (without it, the one at
    that instant) are set aside.
    """

    meter: Slug
    at: Instant
    value: Amount | None = None
    exclude: YesNo = False
    until: Instant | None = None
    by: Annotated[str, Field(min_length=1)]
    why: Annotated[str, Field(min_length=1)]
    photo: str | None = None


class SiloSection(_Part):
    """A slice of a silo, from the bottom up; between its two areas it widens evenly, as a room with sloped floors does.

    ``height_mm`` [mm], ``bottom_m2`` and ``top_m2`` [m2].
    """

    height_mm: Positive
    bottom_m2: Amount
    top_m2: Positive


class Silo(_Part):
    """What turns the distance a sensor sees into kilograms: its height above the deepest point, and the silo's shape.

    ``sensor_mm`` [mm], ``kg_per_m3`` [kg/m3 of loose pellets].
    """

    sensor_mm: Positive
    sections: tuple[SiloSection, ...] = Field(min_length=1)
    kg_per_m3: Positive = Decimal(650)


class Device(_Part):
    """Something that is read; ``feeds`` maps a quantity or a point of the profile to a meter."""

    id: Slug
    profile: str
    link: str
    every: Duration = timedelta(seconds=60)
    feeds: dict[str, Slug] = {}
    silo: Silo | None = None


class Sharing(_Part):
    """How the sun is divided from a day on; a change never reaches back."""

    start: Day = Field(alias="from")
    key: KeyName
    weights: dict[str, Amount] | None = None
    order: tuple[Slug, ...] | None = None
    surplus: Literal["owner", "community", "unused_share"] = "owner"
    common: Literal["first", "participant", "last", "never"] = "first"
    common_weight: Amount | None = None


class VatPercent(_Part):
    """VAT rates [percent]."""

    electricity: Percent
    heat: Percent | None = None


class Window(_Part):
    """Hours of the week with prices of their own [EUR per kWh]; a price it does not give is the tariff's own.

    ``start`` and ``until`` are local wall-clock times. Where ``until`` is not later than ``start``, the window goes on
    over midnight; ``days`` are those on which it begins.
    """

    name: Slug
    days: tuple[Weekday, ...] = Field(WEEK, min_length=1)
    start: Clock = Field(alias="from")
    until: Clock
    solar_eur_per_kwh: Number | None = None
    feed_in_eur_per_kwh: Number | None = None
    grid_eur_per_kwh: Number | None = None

    @property
    def minutes(self) -> tuple[range, ...]:
        """What it covers of the week, in minutes since the local midnight on which Monday begins; may wrap around."""
        start, until = (int(text[:2]) * 60 + int(text[3:]) for text in (self.start, self.until))
        length = until - start if until > start else until - start + _DAY_MINUTES
        found = []
        for day in self.days:
            begin = WEEK.index(day) * _DAY_MINUTES + start
            found.append(range(begin, min(begin + length, WEEK_MINUTES)))
            if begin + length > WEEK_MINUTES:
                found.append(range(begin + length - WEEK_MINUTES))
        return tuple(found)


class Tariff(_Part):
    """Prices from a day on [EUR per kWh, EUR per month], to the next tariff or to ``until``, the first day without.

    ``solar_at_most_percent_of_grid`` caps the price of the sun at a share of the grid price, window by window. Before
    ``netting_until`` surplus is credited at the grid price up to what the building drew from the grid in the month.
    """

    start: Day = Field(alias="from")
    until: Day | None = None
    solar_eur_per_kwh: Number
    feed_in_eur_per_kwh: Number = Decimal(0)
    grid_eur_per_kwh: Number | None = None
    fixed_eur_per_month: Number = Decimal(0)
    vat_percent: VatPercent
    prices_include_vat: YesNo = True
    windows: tuple[Window, ...] = ()
    solar_at_most_percent_of_grid: Percent | None = None
    netting_until: Day | None = None


class HotWater(_Part):
    """Hot water has a pool of its own: which part follows its meters, and how the rest is divided.

    ``warm_celsius``: how warm it leaves the boiler house, for meters in m3 [degrees Celsius].
    """

    measured_percent: Percent
    fixed_by: Literal["floor_area", "equal"] = "floor_area"
    warm_celsius: Positive = Decimal(60)


class HeatRule(_Part):
    """Which part of the heat cost follows the meters, and how the rest is divided.

    Without ``hot_water`` its meters divide nothing. ``failed_meters`` says what becomes of heat, and of
    hot water where it has a pool, that a failed meter did not count: left as read, or estimated
    (`settlement.failedmeters`).
    """

    start: Day = Field(alias="from")
    measured_percent: Percent
    fixed_by: Literal["floor_area", "equal"] = "floor_area"
    hot_water: HotWater | None = None
    failed_meters: Literal["as_read", "estimate"] = "as_read"


class Opening(_Part):
    """First stock of the pellet account [kg, EUR]."""

    at: Instant
    kg: Amount
    eur: EuroPaid


class Delivery(_Part):
    """Pellets bought [kg, EUR as invoiced]."""

    at: Instant
    kg: Positive
    eur: EuroPaid
    invoice: str


class Count(_Part):
    """A stock take [kg]."""

    at: Instant
    kg: Amount


class Correction(_Part):
    """Pellets that came or went without being bought or burnt, or money given back for them [kg, EUR]; both signed.

    Thrown away: ``kg`` below zero; with ``eur`` 0 what they cost stays on the rest of the stock. A credit note: ``kg``
    0 and ``eur`` below zero.
    """

    at: Instant
    kg: Number
    eur: Euro = Decimal(0)
    why: Annotated[str, Field(min_length=1)]
    by: Annotated[str, Field(min_length=1)]


class Pellets(_Part):
    """The fuel: its heat content [kWh/kg], the silo [kg], and the stock account.

    ``level_tolerance_percent``: by how much the silo's level may differ from the books at a month's end before a
    statement says so; None: the level is not looked at.
    """

    kwh_per_kg: Positive
    ash_percent: Percent = Decimal("0.5")
    silo_kg: Positive | None = None
    efficiency_percent: Annotated[Positive, Field(le=100)] = Decimal(85)
    valuation: Literal["average", "fifo"] = "average"
    opening: Opening
    deliveries: tuple[Delivery, ...] = ()
    counts: tuple[Count, ...] = ()
    corrections: tuple[Correction, ...] = ()
    level_tolerance_percent: Percent | None = None


class Cost(_Part):
    """An invoice that residents share [EUR]."""

    date: Day
    pool: Literal["heat", "common"]
    eur: Euro
    invoice: str
    what: str = ""


class Advance(_Part):
    """What a household pays in advance from a day on [EUR per month]."""

    household: Slug
    start: Day = Field(alias="from")
    eur_per_month: EuroPaid


class WorkCredit(_Part):
    """What residents credit each other for work from a month on [EUR]: a transfer between them, no cost.

    ``eur_per_bag`` for each bag carried in, ``eur`` for each task done, by its id; ``at_most_eur_per_month`` per
    household. ``paid_by`` says how all flats pay it together: equally or by floor area, by days.
    """

    start: Day = Field(alias="from")
    eur_per_bag: EuroPaid = Decimal(0)
    eur: dict[str, EuroPaid] = {}
    paid_by: Literal["equal", "floor_area"] = "equal"
    at_most_eur_per_month: EuroPaid | None = None


class Work(_Part):
    """Work that somebody of a household has done: a task of the file, and how many bags were carried in."""

    at: Instant
    household: Slug
    task: Slug
    bags: Whole = 0


class Task(_Part):
    """Work that residents do.

    ``refill``: the hopper of ``hopper_kg`` is filled by hand with bags of ``bag_kg``; a task opens when the
    stock lasts fewer than ``warn_days``. ``ash``: the drawer of ``drawer_kg`` is emptied when 80 % full.
    Other ids open every ``every_days``.
    """

    id: Slug
    title: str | None = None
    bag_kg: Positive = Decimal(15)
    hopper_kg: Positive | None = None
    warn_days: Positive = Decimal(3)
    drawer_kg: Positive = Decimal(5)
    every_days: Whole | None = None


class FinalRules(_Part):
    """What must hold before a month becomes final, and how long its quarter-hours can be opened; decides no amount.

    Of every meter that is settled at most so many percent of the intervals may be missing or estimated. What the main
    meter and the flats' meters do not explain may be so many percent of what came in. ``required_invoices`` are pools
    that must have an invoice in every month; with ``usual_invoices`` so must one that had one in each of the three
    months before. ``blocking_findings`` are codes of findings that a person must have looked at. ``wait_days`` after
    the month's end readings and invoices may still come in. ``openings_kept_months`` after a month's last document the
    dispute about it is over, and what opens its quarter-hours is destroyed; None: never by itself.
    """

    missing_percent_at_most: Percent = Decimal(0)
    estimated_percent_at_most: Percent = Decimal(5)
    balance_residual_percent_at_most: Percent = Decimal(10)
    required_invoices: tuple[Literal["heat", "common"], ...] = ()
    usual_invoices: YesNo = True
    pellets_counted: YesNo = False
    blocking_findings: tuple[Slug, ...] = (
        "register-fell", "register-reset", "register-jumped", "register-frozen", "register-crawls", "meter-replaced",
        "serial-changed", "serial-duplicate", "heat-without-electricity", "efficiency-implausible",
    )  # fmt: skip
    wait_days: Whole = 3
    openings_kept_months: Annotated[Whole, Field(ge=1, le=1200)] | None = None


class Community(_Part):
    """Everything the community file says; frozen."""

    community: Slug
    name: str
    timezone: Zone
    currency: Literal["EUR"] = "EUR"
    language: Literal["nl", "en", "fr"] = "nl"
    settlement_interval: Literal["15min", "30min", "1h"] = "15min"
    estimates: Literal["linear", "shaped"] = "linear"
    location: Location | None = None
    owner: Slug
    flats: tuple[Flat, ...] = Field(min_length=1)
    households: tuple[Household, ...]
    meters: tuple[Meter, ...]
    replacements: tuple[Replacement, ...] = ()
    edits: tuple[Edit, ...] = ()
    devices: tuple[Device, ...] = ()
    sharing: tuple[Sharing, ...] = Field(min_length=1)
    tariffs: tuple[Tariff, ...] = Field(min_length=1)
    heat: tuple[HeatRule, ...] | None = None
    pellets: Pellets | None = None
    costs: tuple[Cost, ...] = ()
    advances: tuple[Advance, ...] = ()
    work_credits: tuple[WorkCredit, ...] = ()
    work: tuple[Work, ...] = ()
    tasks: tuple[Task, ...] = ()
    final: FinalRules = FinalRules()

    @property
    def zone(self) -> ZoneInfo:
        """The community's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def interval(self) -> timedelta:
        """Length of a settlement interval."""
        return {"15min": timedelta(minutes=15), "30min": timedelta(minutes=30), "1h": timedelta(hours=1)}[
            self.settlement_interval
        ]

    def meters_of(self, *measures: Measures) -> tuple[Meter, ...]:
        """Meters that measure one of the given things, in the file's order."""
        return tuple(meter for meter in self.meters if meter.measures in measures)
