"""The simulated building's community file: who and what it is, and what happened in it up to now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.time import Month, local_day, rfc3339
from simulators.building import (
    ALTITUDE_M,
    COMMUNITY,
    FLATS,
    LATITUDE,
    LONGITUDE,
    NAME,
    OWNER,
    Household,
    households,
)
from simulators.cellar import BAG_KG, HOPPER_KG, SILO_KG, Delivery, cellar_at, count_time
from simulators.chance import stream
from simulators.grid import ZONE
from simulators.history import MONTHS, history_start
from simulators.meters import METERS, Meter

KWH_PER_KG = "4.8"
MEASURED_PERCENT = "65"
VAT_PERCENT = "21"
OPENING_EUR_PER_KG = 0.318


@dataclass(frozen=True)
class Prices:
    """Prices from a day on, VAT included [EUR], as text as the file prints them."""

    start: date
    solar: str
    feed_in: str
    grid: str
    fixed: str


PRICES = (
    Prices(date(2025, 1, 1), "0.19", "0.065", "0.33", "4.25"),
    Prices(date(2026, 4, 1), "0.18", "0.06", "0.32", "4.50"),
)


@dataclass(frozen=True)
class Cost:
    """An invoice the residents share, VAT included."""

    day: date
    pool: str
    cents: int
    invoice: str
    what: str


@dataclass(frozen=True)
class Story:
    """What happened in the building from the start of the history up to now.

    ``opening`` [kg, cents] is the stock at ``start``; ``counts`` are instants and kilograms.
    """

    start: datetime
    people: tuple[Household, ...]
    opening: tuple[int, int]
    deliveries: tuple[Delivery, ...]
    counts: tuple[tuple[datetime, int], ...]
    costs: tuple[Cost, ...]

    def advance_eur(self, household: Household) -> int:
        """Return what a household pays in advance [EUR per month], in fives."""
        area = next(flat.area for flat in FLATS if flat.id == household.flat)
        return 5 * round((35 + 1.05 * area) / 5)


def story(seed: int, now: datetime) -> Story:
    """Return the events of the thirteen full months before the present one, and of it, up to ``now``."""
    this = Month.of(local_day(now, ZONE))
    start = history_start(now)
    cellar = cellar_at(seed, now)
    months = [this.shift(-back) for back in range(MONTHS, -1, -1)]
    people = [person for person in households(seed, this) if (person.until or date.max) > months[0].first_day]
    kg = 5 * round(cellar.stock_mg(start) / 5 / 10**6)
    counted = [month for month in months if count_time(seed, month) <= now]
    return Story(
        start=start,
        people=tuple(people),
        opening=(kg, round(kg * OPENING_EUR_PER_KG * 100)),
        deliveries=tuple(truck for truck in cellar.deliveries if start <= truck.at <= now),
        counts=tuple((count_time(seed, month), cellar.counted_kg(month)) for month in counted),
        costs=tuple(cost for month in months for cost in _costs(seed, month) if cost.day <= local_day(now, ZONE)),
    )


def community_text(seed: int, now: datetime, *, inverter_port: int, boiler_port: int, host: str = "127.0.0.1") -> str:
    """Write the building's community file.

    Parameters
    ----------
    seed
        Which building.
    now
        The present; history begins at the local start of the month thirteen months earlier.
    inverter_port, boiler_port
        Where the Modbus devices listen.
    host
        Their address.

    Returns
    -------
    str
        YAML as the contract's section 2 describes it, events included.
    """
    tale = story(seed, now)
    links = {"inverter": f"modbus-tcp://{host}:{inverter_port}/1", "boiler": f"modbus-tcp://{host}:{boiler_port}/1"}
    sections = [_head(), _flats(), _people(tale), _meters(), _devices(links), _rules(), _pellets(tale), _money(tale)]
    return "\n".join(line for section in sections for line in section) + "\n"


def _head() -> Iterator[str]:
    yield "# A simulated building; every figure in it is a function of a seed and the time."
    yield f"community: {COMMUNITY}"
    yield f"name: {NAME}"
    yield f"timezone: {ZONE.key}"
    yield "currency: EUR"
    yield "language: nl"
    yield "settlement_interval: 15min"
    yield f'location: {{latitude: "{LATITUDE:.2f}", longitude: "{LONGITUDE:.2f}", altitude_m: "{ALTITUDE_M}"}}'
    yield f"owner: {OWNER}"


def _flats() -> Iterator[str]:
    yield "flats:"
    for flat in FLATS:
        yield f'  - {{id: {flat.id}, floor_area_m2: "{flat.floor_area_m2}"}}'


def _people(tale: Story) -> Iterator[str]:
    yield "households:"
    for person in tale.people:
        until = f", until: {person.until}" if person.until else ""
        yield f"  - {{id: {person.id}, flat: {person.flat}, from: {person.start}{until}}}"


def _meters() -> Iterator[str]:
    yield "meters:"
    for meter in METERS.values():
        unit = "kg" if meter.kind == "silo" else "kWh"
        place = f"flat: {meter.flat}, " if meter.flat else "common: true, " if meter.kind == "native" else ""
        yield f"  - {{id: {meter.id}, measures: {meter.measures}, {place}unit: {unit}}}"


def _devices(links: dict[str, str]) -> Iterator[str]:
    yield "devices:"
    yield _device("inverter-1", "sunspec.inverter", links["inverter"], "5s", {"pv_energy": "pv"})
    yield _device("boiler-1", "kwb.boiler", links["boiler"], "5s", {"thermal_energy": "boiler-heat"})
    both = {"electric_energy_import": "grid-in", "electric_energy_export": "grid-out"}
    yield _device("grid", "dsmr_reader.p1", "mqtt:building/grid", "10s", both)
    for meter in METERS.values():
        if meter.kind == "p1":
            feeds = {"electric_energy_import": meter.id}
            yield _device(f"p1-{meter.flat}", "dsmr_reader.p1", f"mqtt:flats/{meter.flat}", "10s", feeds)
    for meter in METERS.values():
        if meter.kind == "heat":
            yield _device(*_heat_device(meter), {"thermal_energy": meter.id})
    yield _device("silo", "esphome.sensor_kg", "mqtt:silo/sensor/pellets", "10s", {"fuel_stock": "silo"})


def _heat_device(meter: Meter) -> tuple[str, str, str, str]:
    return meter.id, "wmbusmeters.kamheat", f"mqtt:wmbusmeters/{meter.id}", "10s"


def _device(name: str, profile: str, link: str, every: str, feeds: dict[str, str]) -> str:
    fed = ", ".join(f"{quantity}: {meter}" for quantity, meter in feeds.items())
    return f'  - {{id: {name}, profile: {profile}, link: "{link}", every: {every}, feeds: {{{fed}}}}}'


def _rules() -> Iterator[str]:
    yield "sharing:"
    yield f"  - {{from: {PRICES[0].start}, key: proportional, surplus: owner, common: first}}"
    yield "tariffs:"
    for price in PRICES:
        yield f"  - from: {price.start}"
        yield f'    solar_eur_per_kwh: "{price.solar}"'
        yield f'    feed_in_eur_per_kwh: "{price.feed_in}"'
        yield f'    grid_eur_per_kwh: "{price.grid}"'
        yield f'    fixed_eur_per_month: "{price.fixed}"'
        yield f'    vat_percent: {{electricity: "{VAT_PERCENT}", heat: "{VAT_PERCENT}"}}'
        yield "    prices_include_vat: true"
    yield "heat:"
    yield f'  - {{from: {PRICES[0].start}, measured_percent: "{MEASURED_PERCENT}", fixed_by: floor_area}}'
    yield "tasks:"
    yield f'  - {{id: refill, bag_kg: "{BAG_KG}", hopper_kg: "{HOPPER_KG}", warn_days: "3"}}'
    yield '  - {id: ash, drawer_kg: "20"}'


def _pellets(tale: Story) -> Iterator[str]:
    yield "pellets:"
    yield f'  kwh_per_kg: "{KWH_PER_KG}"'
    yield '  ash_percent: "0.5"'
    yield f'  silo_kg: "{SILO_KG}"'
    yield '  efficiency_percent: "85"'
    yield "  valuation: average"
    kg, cents = tale.opening
    yield f'  opening: {{at: "{rfc3339(tale.start)}", kg: "{kg}", eur: "{_eur(cents)}"}}'
    if tale.deliveries:
        yield "  deliveries:"
    for truck in tale.deliveries:
        yield (
            f'    - {{at: "{rfc3339(truck.at)}", kg: "{truck.kg}", eur: "{_eur(truck.cents)}",'
            f" invoice: {truck.invoice}}}"
        )
    if tale.counts:
        yield "  counts:"
    for at, counted in tale.counts:
        yield f'    - {{at: "{rfc3339(at)}", kg: "{counted}"}}'


def _money(tale: Story) -> Iterator[str]:
    yield "costs:"
    for cost in tale.costs:
        yield (
            f'  - {{date: {cost.day}, pool: {cost.pool}, eur: "{_eur(cost.cents)}", invoice: {cost.invoice},'
            f' what: "{cost.what}"}}'
        )
    yield "advances:"
    for person in tale.people:
        eur = tale.advance_eur(person)
        yield f'  - {{household: {person.id}, from: {person.start}, eur_per_month: "{eur}.00"}}'


def _costs(seed: int, month: Month) -> Iterator[Cost]:
    chance = stream(seed, "costs", month)
    heat = ("onderhoud ketel", "schoorsteenveger", "stroom ketelhuis", "emissiemeting")[month.month % 4]
    pools = (("heat", heat, 6_000, 18_000), ("common", "schoonmaak trappenhuis", 9_000, 14_000))
    for pool, what, least, most in pools:
        day = month.first_day + timedelta(days=int(chance.integers(4, 25)))
        number = f"{pool[0].upper()}-{month}"
        yield Cost(day, pool, int(chance.integers(least, most)), number, what)


def _eur(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
