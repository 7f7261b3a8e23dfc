"""Rules of the community file that span more than one field, each a sentence that says what would be right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from core.community import WEEK, Community, Sharing, Tariff
from core.keys import KEYS
from core.units import ENERGY_UNITS
from core.yamltext import Path

Fault = tuple[Path, str]

COLD_CELSIUS = 10
"""Temperature at which cold water is taken to enter [degrees Celsius]; HeizkostenV section 9."""

_FITTING_UNITS = {
    "solar_generation": set(ENERGY_UNITS),
    "grid_import": set(ENERGY_UNITS),
    "grid_export": set(ENERGY_UNITS),
    "electricity": set(ENERGY_UNITS),
    "heat_produced": set(ENERGY_UNITS),
    "heat": {*ENERGY_UNITS, "units"},
    "hot_water": {*ENERGY_UNITS, "m3"},
    "pellet_stock": {"kg"},
}


def faults(community: Community) -> Iterator[Fault]:
    """Yield every broken rule with the place it is broken at."""
    yield from _unique(community)
    yield from _households(community)
    yield from _meters(community)
    yield from _events(community)
    for index, sharing in enumerate(community.sharing):
        yield from _sharing(community, sharing, ("sharing", index))
    yield from _money(community)
    for index, tariff in enumerate(community.tariffs):
        yield from _tariff(community, tariff, ("tariffs", index))
    yield from _work(community)


def sharing_faults(community: Community, sharing: Sharing) -> list[str]:
    """Say what a sharing rule lacks to be used in a community; empty where it can be used."""
    return [text for _, text in _sharing(community, sharing, ())]


def _unique(community: Community) -> Iterator[Fault]:
    named: dict[str, Iterable[str]] = {
        "flats": [flat.id for flat in community.flats],
        "households": [household.id for household in community.households],
        "meters": [meter.id for meter in community.meters],
        "devices": [device.id for device in community.devices],
        "tasks": [task.id for task in community.tasks],
    }
    for section, ids in named.items():
        seen: set[str] = set()
        for index, name in enumerate(ids):
            if name in seen:
                yield (section, index, "id"), f"'{name}' is used twice; every id in {section} must differ"
            seen.add(name)
    for section in ("sharing", "tariffs", "heat", "work_credits"):
        entries = getattr(community, section) or ()
        for start, count in Counter(entry.start for entry in entries).items():
            if count > 1:
                yield (section,), f"{count} entries start on {start}; a day needs exactly one"


def _households(community: Community) -> Iterator[Fault]:
    flats = {flat.id for flat in community.flats}
    by_flat: dict[str, list[tuple[int, str]]] = {}
    for index, household in enumerate(community.households):
        where: Path = ("households", index)
        if household.flat not in flats:
            yield (
                (*where, "flat"),
                f"there is no flat '{household.flat}'; add it to flats or correct the name",
            )
        if household.until is not None and household.until <= household.start:
            yield (*where, "until"), "this must be later than 'from': it is the first day no longer included"
        if household.id == community.owner:
            yield (*where, "id"), "a household cannot have the owner's name"
        by_flat.setdefault(household.flat, []).append((index, household.id))
    for members in by_flat.values():
        ordered = sorted(members, key=lambda member: community.households[member[0]].start)
        for (first, _), (second, name) in pairwise(ordered):
            until = community.households[first].until
            if until is None or until > community.households[second].start:
                earlier = community.households[first]
                yield (
                    ("households", second, "from"),
                    f"'{name}' moves into {earlier.flat} while '{earlier.id}' still lives there;"
                    " give the earlier household an 'until'",
                )


def _meters(community: Community) -> Iterator[Fault]:
    flats = {flat.id for flat in community.flats}
    for index, meter in enumerate(community.meters):
        where: Path = ("meters", index)
        if meter.unit not in _FITTING_UNITS[meter.measures]:
            fitting = ", ".join(sorted(_FITTING_UNITS[meter.measures]))
            yield (*where, "unit"), f"{meter.measures} cannot be in {meter.unit}; use one of {fitting}"
        if meter.max_kw is not None and meter.unit not in ENERGY_UNITS:
            yield (*where, "max_kw"), f"a meter in {meter.unit} has no power; leave 'max_kw' out"
        if meter.flat is not None and meter.flat not in flats:
            yield (*where, "flat"), f"there is no flat '{meter.flat}'; add it to flats or correct the name"
        if meter.common and (meter.flat is not None or meter.measures != "electricity"):
            yield (*where, "common"), "only an electricity meter without a flat can be the common one"
        if meter.measures in ("heat", "hot_water") and meter.flat is None:
            yield (*where, "flat"), f"a {meter.measures} meter belongs to a flat; name it"
        if meter.measures == "electricity" and meter.flat is None and not meter.common:
            yield (*where, "flat"), "an electricity meter belongs to a flat, or is 'common: true'"
        if meter.flat is not None and meter.measures not in ("electricity", "heat", "hot_water"):
            yield (*where, "flat"), f"a {meter.measures} meter serves the whole building; leave 'flat' out"
    units = {meter.unit == "units" for meter in community.meters if meter.measures == "heat"}
    if len(units) > 1:
        yield ("meters",), "heat in 'units' and heat in kWh cannot share one pool; use one kind of heat meter"


def _events(community: Community) -> Iterator[Fault]:
    meters = {meter.id: meter for meter in community.meters}
    for index, replacement in enumerate(community.replacements):
        if replacement.meter not in meters:
            yield ("replacements", index, "meter"), f"there is no meter '{replacement.meter}'"
    for (name, at), count in Counter((swap.meter, swap.at) for swap in community.replacements).items():
        if count > 1:
            yield ("replacements",), f"meter '{name}' was replaced {count} times at {at}; keep one"
    yield from _edits(community)
    for index, device in enumerate(community.devices):
        for point, meter in device.feeds.items():
            if meter not in meters:
                yield ("devices", index, "feeds", point), f"there is no meter '{meter}'; add it to meters"
    households = {household.id for household in community.households}
    for index, advance in enumerate(community.advances):
        if advance.household not in households:
            yield ("advances", index, "household"), f"there is no household '{advance.household}'"
    for (household, start), count in Counter((a.household, a.start) for a in community.advances).items():
        if count > 1:
            yield ("advances",), f"household '{household}' has {count} advances from {start}; keep one"
    yield from _pellets(community)


def _pellets(community: Community) -> Iterator[Fault]:
    if community.pellets is None:
        return
    opening = community.pellets.opening.at
    for section in ("deliveries", "counts", "corrections"):
        for index, event in enumerate(getattr(community.pellets, section)):
            if event.at < opening:
                yield (
                    ("pellets", section, index, "at"),
                    "this lies before the opening stock; move the opening",
                )
    for index, correction in enumerate(community.pellets.corrections):
        if not correction.kg and not correction.eur:
            yield ("pellets", "corrections", index, "kg"), "a correction changes the kg or the eur; both are 0"


def _edits(community: Community) -> Iterator[Fault]:
    meters = {meter.id for meter in community.meters}
    for index, edit in enumerate(community.edits):
        where: Path = ("edits", index)
        if edit.meter not in meters:
            yield (*where, "meter"), f"there is no meter '{edit.meter}'"
        if (edit.value is None) != edit.exclude:
            yield where, "an edit is either a 'value' read by hand or 'exclude: true'"
        if edit.until is not None and (not edit.exclude or edit.until < edit.at):
            yield (*where, "until"), "only an exclusion has an end, and it is not before 'at'"
    for (name, at), count in Counter((edit.meter, edit.at) for edit in community.edits).items():
        if count > 1:
            yield ("edits",), f"meter '{name}' has {count} edits at {at}; keep one"


def _sharing(community: Community, sharing: Sharing, where: Path) -> Iterator[Fault]:
    flats = {flat.id for flat in community.flats}
    needs = KEYS[sharing.key]
    if needs.weights:
        weights = sharing.weights or {}
        if set(weights) != flats:
            wrong = sorted(flats ^ set(weights))
            yield (
                (*where, "weights"),
                f"key '{sharing.key}' needs one weight for every flat; look at {wrong[0]}",
            )
        elif not any(weights.values()):
            yield (*where, "weights"), "all weights are 0; give at least one flat more than 0"
        if sharing.common == "participant" and sharing.common_weight is None:
            yield (*where, "common_weight"), f"'participant' under key '{sharing.key}' needs a common_weight"
    if needs.order and sorted(sharing.order or ()) != sorted(flats):
        yield (*where, "order"), f"key '{sharing.key}' needs every flat exactly once"
    if sharing.surplus == "unused_share" and not needs.entitles:
        yield (
            (*where, "surplus"),
            f"'unused_share' has no meaning under key '{sharing.key}'; choose owner or community",
        )


def _money(community: Community) -> Iterator[Fault]:
    for index, tariff in enumerate(community.tariffs):
        if community.heat is not None and tariff.vat_percent.heat is None:
            yield ("tariffs", index, "vat_percent"), "heat is settled, so this needs a rate for 'heat'"
        earlier = [other for other in community.tariffs if other.start < tariff.start]
        before = max(earlier, key=lambda other: other.start) if earlier else tariff
        same = (before.vat_percent, before.prices_include_vat) == (tariff.vat_percent, tariff.prices_include_vat)
        if not same and tariff.start.day != 1:
            yield (
                ("tariffs", index, "from"),
                "a change of VAT starts on the first day of a month; split this entry in two",
            )
    yield from _heat(community)
    rules = community.heat or ()
    area_needed = (
        any(rule.fixed_by == "floor_area" or rule.failed_meters == "estimate" for rule in rules)
        or any(rule.hot_water is not None and rule.hot_water.fixed_by == "floor_area" for rule in rules)
        or any(meter.common for meter in community.meters)
        or any(cost.pool == "common" for cost in community.costs)
    )
    if area_needed:
        for index, flat in enumerate(community.flats):
            if flat.floor_area_m2 is None:
                yield (
                    ("flats", index, "floor_area_m2"),
                    "cost is divided by floor area here, so every flat needs it",
                )


def _heat(community: Community) -> Iterator[Fault]:
    for index, rule in enumerate(community.heat or ()):
        if rule.hot_water is None:
            continue
        where: Path = ("heat", index, "hot_water")
        if rule.hot_water.warm_celsius <= COLD_CELSIUS:
            yield (
                (*where, "warm_celsius"),
                f"cold water is taken to have {COLD_CELSIUS} degrees, so this must be more",
            )
        if not community.meters_of("hot_water"):
            yield where, "no meter measures hot_water; add one for every flat or leave 'hot_water' out"
        if any(meter.unit == "units" for meter in community.meters_of("heat")) and not community.meters_of(
            "heat_produced"
        ):
            yield (
                where,
                "heat in 'units' does not tell how much heat was supplied; add a heat_produced meter",
            )


def _tariff(community: Community, tariff: Tariff, where: Path) -> Iterator[Fault]:
    later = min((other.start for other in community.tariffs if other.start > tariff.start), default=None)
    if tariff.until is not None and tariff.until <= tariff.start:
        yield (*where, "until"), "this must be later than 'from': it is the first day without this tariff"
    elif tariff.until is not None and later is not None and later < tariff.until:
        yield (
            (*where, "until"),
            f"another tariff starts on {later}, so that day has two prices; end this one on {later}",
        )
    yield from _windows(tariff, where)
    grid = [tariff.grid_eur_per_kwh, *(w.grid_eur_per_kwh for w in tariff.windows if w.grid_eur_per_kwh is not None)]
    for name in ("solar_at_most_percent_of_grid", "netting_until"):
        if getattr(tariff, name) is not None and grid[0] is None:
            yield (*where, name), "this needs a grid price; add 'grid_eur_per_kwh'"
    if tariff.solar_at_most_percent_of_grid is not None and any(price is not None and price < 0 for price in grid):
        yield (*where, "solar_at_most_percent_of_grid"), "a grid price below 0 caps nothing; leave one of the two out"


def _windows(tariff: Tariff, where: Path) -> Iterator[Fault]:
    covered: dict[int, str] = {}
    for number, window in enumerate(tariff.windows):
        place: Path = (*where, "windows", number)
        if window.name in {other.name for other in tariff.windows[:number]}:
            yield (*place, "name"), f"'{window.name}' is used twice; every window of a tariff has its own name"
        if window.start in (window.until, "24:00"):
            yield (*place, "until"), "the window has no length; for a whole day write from 00:00 until 24:00"
            continue
        minutes = [minute for part in window.minutes for minute in part]
        twice = next((minute for minute in minutes if minute in covered), None)
        if twice is not None:
            day, clock = divmod(twice, 24 * 60)
            moment = f"{WEEK[day]} {clock // 60:02d}:{clock % 60:02d}"
            yield place, f"'{window.name}' and '{covered[twice]}' both cover {moment}; let one of them end before"
        covered |= dict.fromkeys(minutes, window.name)


def _work(community: Community) -> Iterator[Fault]:
    households = {household.id for household in community.households}
    for index, done in enumerate(community.work):
        if done.household not in households:
            yield ("work", index, "household"), f"there is no household '{done.household}'"
    for index, rule in enumerate(community.work_credits):
        if rule.start.day != 1:
            yield ("work_credits", index, "from"), "work is credited by the month; start on the first day of one"
        for flat_index, flat in enumerate(community.flats):
            if rule.paid_by == "floor_area" and flat.floor_area_m2 is None:
                yield (
                    ("flats", flat_index, "floor_area_m2"),
                    "work is paid for by floor area, so every flat needs it",
                )
    if community.work_credits:
        latest = max(range(len(community.work_credits)), key=lambda index: community.work_credits[index].start)
        known = {task.id for task in community.tasks}
        for name in sorted(set(community.work_credits[latest].eur) - known):
            yield (
                ("work_credits", latest, "eur", name),
                f"there is no task '{name}'; add it to tasks or correct the name",
            )
