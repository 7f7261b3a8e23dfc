"""Check a sealed month, with nothing but Python (3.11 or newer) and this file.

    python3 verify.py BUNDLE.zip [--previous OTHER.zip or its seal] [--seal HASH] [--opening FILE ...] [--json]

It tells what was proved, what was not checked and why, and what is wrong. Exit code 0: nothing is wrong; 1: a check
failed; 2: this is no bundle, or it is damaged. It was written from the description of the format and of the amounts,
and shares no code with the program that makes bundles.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import struct
import sys
import zipfile
import zlib
from datetime import date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FORMAT = 1
LEAST_LEAVES = 16
HASH_DIGITS = 64
CORPORATION = {
    "statement.json", "community.json", "totals.json", "charges.json", "postings.json", "commitments.json",
    "salt.json", "verify.py",
}  # fmt: skip
RESIDENT = {"own.json", "proof.json", "verify.py", "opening.json", "sun.json"}
SEAL = {"seal.json", "seal.sha256"}
WEIGHTED = ("fixed", "optimal", "hybrid")
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
KNOWN = {
    "sharing": {"from", "key", "weights", "order", "surplus", "common", "common_weight"},
    "tariffs": {
        "from", "solar_eur_per_kwh", "feed_in_eur_per_kwh", "grid_eur_per_kwh", "fixed_eur_per_month", "vat_percent",
        "prices_include_vat", "until", "windows", "solar_at_most_percent_of_grid", "netting_until",
    },
    "heat": {"from", "measured_percent", "fixed_by", "hot_water"},
    "hot water": {"measured_percent", "fixed_by", "warm_celsius"},
    "work_credits": {"from", "eur_per_bag", "eur", "paid_by", "at_most_eur_per_month"},
    "work": {"at", "household", "task", "bags"},
    "pellets": {
        "kwh_per_kg", "ash_percent", "silo_kg", "efficiency_percent", "valuation", "opening", "deliveries", "counts",
    },
}  # fmt: skip
"""Fields of the rules that this program knows; what a rule with another field comes to is not checked."""
UNITS = {
    "fixed": ("days",),
    "heat_fixed": ("m²·days", "days"),
    "heat_measured": ("kWh", "units", "m²·days", "days"),
    "hot_water_fixed": ("m²·days", "days"),
    "hot_water_measured": ("kWh", "m³", "m²·days", "days"),
}
FAULTS = (OSError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)


class Damaged(Exception):
    """What was given is no bundle, or no part of it can be read."""


class Wrong(Exception):
    """A check failed."""


class Unchecked(Exception):
    """A check was not possible."""


class Report:
    """What was proved, what was not checked, and what is wrong: plain sentences."""

    def __init__(self) -> None:
        self.proved: list[str] = []
        self.unchecked: list[str] = []
        self.wrong: list[str] = []

    def check(self, sentence: str, function: Any, *given: Any) -> Any:
        """Run one check; it returns normally if its sentence is true."""
        try:
            result = function(*given)
        except Unchecked as reason:
            self.unchecked.append(str(reason))
        except Wrong as reason:
            self.wrong.append(f"Not true: {sentence} {reason}")
        except FAULTS as fault:
            self.wrong.append(f"Not proved: {sentence} A file does not have the form it should have ({fault!r}).")
        else:
            self.proved.append(sentence)
            return result
        return None


def demand(holds: bool, text: str) -> None:
    """Fail a check with a reason."""
    if not holds:
        raise Wrong(text)


# Numbers


def half_up(value: Fraction) -> int:
    """Nearest whole number, a half away from zero."""
    size = (abs(value) + Fraction(1, 2)).__floor__()
    return size if value >= 0 else -size


def cents(text: str) -> int:
    """Whole cents of an amount in euros as statements print it."""
    value = Fraction(text) * 100
    if value.denominator != 1 or text != decimal(value.numerator, 2):
        raise ValueError(f"{text} is no amount in euros and cents")
    return value.numerator


def decimal(whole: int, places: int) -> str:
    """Print a whole number of the last decimal place."""
    digits = str(abs(whole)).rjust(places + 1, "0")
    return f"{'-' if whole < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def whole(value: Any) -> int:
    """Take a whole number that is one."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    return value


def canonical(tree: Any) -> bytes:
    """Bytes of a JSON value in the one form that is hashed."""
    return (json.dumps(tree, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n").encode()


def printed(tree: Any) -> bytes:
    """Bytes of a statement in the form it is written."""
    return (json.dumps(tree, ensure_ascii=False, indent=2, sort_keys=True) + "\n").encode()


def sha(*parts: bytes) -> str:
    """SHA-256 of some bytes, in hexadecimal digits."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def lot(*words: str) -> bytes:
    """Decide between equal remainders; the smallest comes first."""
    return hashlib.sha256("|".join(words).encode()).digest()


# Archive and seal


def packed(files: dict[str, bytes]) -> bytes:
    """Write the archive that belongs to some files: stored, sorted, dated 1980-01-01."""
    body, index = bytearray(), bytearray()
    for name in sorted(files):
        data, text = files[name], name.encode()
        sizes = (0, 0, 0, 33, zlib.crc32(data), len(data), len(data), len(text), 0)
        index += b"PK\x01\x02" + struct.pack("<BB5H3I2H", 20, 3, 20, *sizes)
        index += struct.pack("<3H2I", 0, 0, 0, 0o100644 << 16, len(body)) + text
        body += b"PK\x03\x04" + struct.pack("<5H3I2H", 20, *sizes) + text + data
    end = struct.pack("<4H2IH", 0, 0, len(files), len(files), len(index), len(body), 0)
    return bytes(body + index + b"PK\x05\x06" + end)


def opened(data: bytes, name: str) -> dict[str, bytes]:
    """Files of an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if len(set(names)) != len(names):
                raise Damaged(f"{name}: a file stands in it twice.")
            if "seal.json" not in names or sum(one.file_size for one in archive.infolist()) > len(data):
                raise Damaged(f"{name}: this is no sealed bundle, or it was packed by another program.")
            return {one: archive.read(one) for one in names}
    except Damaged:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, *FAULTS):
        raise Damaged(f"{name}: this is no ZIP archive, or it is damaged; fetch it once more.") from None


def parsed(content: bytes, name: str) -> Any:
    """JSON of a file, in the one form in which it is written."""
    try:
        tree = json.loads(content)
        if content != (printed if name in ("statement.json", "correction.json") else canonical)(tree):
            raise Damaged(f"{name} is not written in the form of this format; it was changed or is damaged.")
    except (UnicodeError, *FAULTS):
        raise Damaged(f"{name} is not JSON; the bundle is damaged.") from None
    return tree


def seal_fits(files: dict[str, bytes], expected: str | None) -> None:
    own = sha(files["seal.json"])
    demand(files["seal.sha256"] == f"{own}\n".encode(), "seal.json has another hash than seal.sha256 says.")
    demand(expected in (None, own), f"The seal of this bundle is {own}.")


def files_fit(files: dict[str, bytes], seal: dict[str, Any], salt: str) -> None:
    demand(set(files) - SEAL == set(seal["files"]), "The seal names other files than there are.")
    for name, told in seal["files"].items():
        secret = b"" if name in ("salt.json", "verify.py") else bytes.fromhex(salt)
        demand(sha(secret, files[name]) == told, f"{name} was changed after it was sealed.")


def chained(seal: dict[str, Any], files: dict[str, bytes], before: str | None, older: dict[str, bytes] | None) -> None:
    if seal["previous"] is None:
        demand(before is None, "It says that it is the first of its community, but a bundle before it was given.")
        return
    if before is None:
        raise Unchecked(f"That it follows the seal {seal['previous']} was not checked; give the bundle before it.")
    demand(seal["previous"] == before, f"It follows the seal {seal['previous']}, not {before}.")
    if older is None:
        return
    told = parsed(older["seal.json"], "seal.json of the bundle before")
    demand(told["community"] == seal["community"], "The bundle before it is of another community.")
    demand(told["month"] <= seal["month"] or seal["kind"] == "correction", "The bundle before it is of a later month.")
    if "totals.json" in older and "totals.json" in files and told["month"] < seal["month"]:
        stock, now = json.loads(older["totals.json"]), json.loads(files["totals.json"])
        follows = stock["intervals"]["end"] == now["intervals"]["start"]
        if follows and stock["pellets"] and now["pellets"]:
            for unit in ("kg", "cents"):
                same = stock["pellets"][f"closing_{unit}"] == now["pellets"][f"start_{unit}"]
                demand(same, f"The pellets [{unit}] at the start are not those at the end of the month before.")


# The month's figures


class Month:
    """The files of a corporation's bundle, and what they have in common."""

    def __init__(self, files: dict[str, bytes]) -> None:
        names = ("statement", "community", "totals", "charges", "postings", "commitments")
        trees = [parsed(files[f"{name}.json"], f"{name}.json") for name in names]
        self.statement, self.rules, self.totals, self.charges, self.postings, self.commitments = trees
        self.entries = {label_of(entry): entry for entry in self.statement["statements"]}
        self.spells: dict[str, Any] = self.totals["entries"]
        self.first = date.fromisoformat(f"{self.statement['month']}-01")
        self.end = (self.first + timedelta(days=32)).replace(day=1)
        self.days = (self.end - self.first).days
        self.stretches = self.totals["stretches"]
        self.owner = f"{self.rules['owner']}||{self.first}"
        self.including = self.in_force("tariffs", self.first)["prices_include_vat"]

    def in_force(self, section: str, day: date) -> Any:
        return in_force(self.rules[section], str(day))

    def knows(self, *sections: str) -> None:
        """Tell whether every field of a rule is known here."""
        for section in sections:
            found = self.rules[section]
            for entry in found if isinstance(found, list) else [found]:
                known(section, entry)
            if section == "heat" and (water := self.in_force("heat", self.first).get("hot_water")):
                known("hot water", water)


def known(section: str, rule: dict[str, Any]) -> None:
    for field in sorted(set(rule) - KNOWN[section]):
        raise Unchecked(
            f"Where the figures come from was not checked as far as they follow {section}: this program does not know"
            f" its rule '{field}'."
        )


def label_of(entry: dict[str, Any]) -> str:
    return f"{entry['party']}|{entry['flat'] or ''}|{entry['from']}"


def in_force(entries: list[dict[str, Any]], day: str) -> dict[str, Any]:
    return max((entry for entry in entries if entry["from"] <= day), key=lambda entry: str(entry["from"]))


def days_of(entry: dict[str, Any], stretch: dict[str, Any] | None = None) -> int:
    start, until = entry["from"], entry["until"]
    if stretch is not None:
        start, until = max(start, stretch["from"]), min(until, stretch["until"])
    return max(0, (date.fromisoformat(until) - date.fromisoformat(start)).days)


def headed(month: Month, seal: dict[str, Any]) -> None:
    for name in ("community", "month", "revision", "status"):
        demand(month.statement[name] == seal[name], f"Seal and statement differ in {name}.")
    demand(month.rules["month"] == seal["month"], "community.json is of another month.")
    demand(month.rules["community"] == seal["community"], "community.json is of another community.")
    key = in_force(month.rules["sharing"], str(month.end - timedelta(days=1)))["key"]
    demand(month.statement["sharing_key"] == key, "The statement names another key than the rules.")
    left = ("status", "revision", "input_sha256", "result_sha256")
    hashed = sha(printed({name: value for name, value in month.statement.items() if name not in left}))
    demand(month.statement["result_sha256"] == hashed, "result_sha256 is not that of the statement.")
    for one in month.statement["checks"]:
        demand(one["holds"] is True, f"The statement itself says that '{one['name']}' does not hold.")


def lived(month: Month) -> None:
    """Every day of every flat is in one entry, of who lived there or else of the owner."""
    expected = []
    for flat in sorted(one["id"] for one in month.rules["flats"]):
        runs: list[list[Any]] = []
        for number in range(month.days):
            day = str(month.first + timedelta(days=number))
            there = [
                one["id"]
                for one in month.rules["households"]
                if one["flat"] == flat and one["from"] <= day and (one["until"] is None or day < one["until"])
            ]
            demand(len(there) <= 1, f"Two households live in one flat on {day}.")
            party = there[0] if there else month.rules["owner"]
            if not runs or runs[-1][0] != party:
                runs.append([party, flat, day, day])
            runs[-1][3] = str(date.fromisoformat(day) + timedelta(days=1))
        expected += runs
    found = [[one["party"], one["flat"], one["from"], one["until"]] for one in month.statement["statements"]]
    if found and found[-1][1] is None:
        demand(
            found.pop() == [month.rules["owner"], None, str(month.first), str(month.end)], "The owner's entry is odd."
        )
    demand(found == expected, "Entries and households differ.")
    demand({f"{p}|{f}|{s}" for p, f, s, _ in expected} == set(month.spells), "totals.json has other entries.")


def energy(month: Month) -> None:
    """Sums of the entries are the building's, and what was given is never more than what was used."""
    consumed = shared = warmth = 0
    given = [0] * len(month.stretches)
    for label, told in month.spells.items():
        mine = [part for part in told["parts"] if part is not None]
        own = {name: sum(whole(part[name]) for part in mine) for name in ("consumed_mwh", "shared_mwh")}
        consumed, shared = consumed + own["consumed_mwh"], shared + own["shared_mwh"]
        for place, part in enumerate(told["parts"]):
            there = days_of(month.entries[label], month.stretches[place]) > 0
            demand(there == (part is not None), f"{label} has a total for days it was not there, or none.")
            if part is not None:
                demand(0 <= part["shared_mwh"] <= part["consumed_mwh"], f"{label} was given more than it used.")
                given[place] += part["shared_mwh"]
                by_unused = (
                    in_force(month.rules["sharing"], month.stretches[place]["from"])["surplus"] == "unused_share"
                )
                demand((part["unused_mwh"] is not None) == by_unused, f"{label} has unused sun, or none.")
        shown = month.entries[label]["electricity"]
        if shown is not None:
            demand(shown["consumed_kwh"] == decimal(own["consumed_mwh"], 6), f"Consumption of {label} differs.")
            demand(shown["shared_kwh"] == decimal(own["shared_mwh"], 6), f"Sun of {label} differs.")
            rest = own["consumed_mwh"] - own["shared_mwh"]
            demand(shown["grid_kwh"] == decimal(rest, 6), f"Grid electricity of {label} differs.")
        warm = month.entries[label]["heat"]
        warmth += whole(told["heat"] or 0)
        if warm is not None and warm["measured_kwh"] is not None:
            demand(warm["measured_kwh"] == decimal(told["heat"], 6), f"Heat of {label} differs.")
    for place, stretch in enumerate(month.stretches):
        common = whole(stretch["common_shared_mwh"] or 0)
        demand(0 <= common <= whole(stretch["common_used_mwh"] or 0), "The common area was given more than it used.")
        total = given[place] + common + whole(stretch["surplus_mwh"])
        demand(stretch["surplus_mwh"] >= 0, "A surplus is negative.")
        demand(total == whole(stretch["sun_mwh"]), f"Sun from {stretch['from']}: shared and surplus are not the sun.")
    told, used = month.statement["energy"], [one["common_used_mwh"] or 0 for one in month.stretches]
    produced = month.totals["heat_produced_mwh"]
    metered = any(one["measures"] == "heat" for one in month.rules["meters"]) and not month.totals["heat_in_units"]
    expected = {
        "solar_kwh": sum(one["sun_mwh"] for one in month.stretches),
        "surplus_kwh": sum(one["surplus_mwh"] for one in month.stretches),
        "consumed_kwh": consumed + sum(used),
        "shared_kwh": shared + sum(one["common_shared_mwh"] or 0 for one in month.stretches),
        "heat_produced_kwh": produced,
        "heat_measured_kwh": warmth if metered else None,
        "heat_lost_kwh": produced - warmth if metered and produced is not None else None,
    }
    for name, value in expected.items():
        shown = None if value is None else decimal(value, 6)
        demand(told[name] == shown, f"{name} of the building is {told[name]}, its parts come to {shown}.")


def zone_of(month: Month, what: str) -> ZoneInfo:
    """Give the community's own time; what needs it is not checked where a machine has no time zones."""
    try:
        return ZoneInfo(month.rules["timezone"])
    except ZoneInfoNotFoundError:
        raise Unchecked(f"{what} was not checked: this machine has no time zones.") from None


def dated(month: Month) -> None:
    """Days and intervals belong together, in the community's own time."""
    zone = zone_of(month, "That days begin at local midnight")
    told = month.totals["intervals"]
    step = {"15min": 900, "30min": 1800, "1h": 3600}[month.rules["settlement_interval"]]
    begin = datetime.combine(month.first, datetime.min.time(), zone).timestamp()

    def at(day: str) -> int:
        return int(datetime.combine(date.fromisoformat(day), datetime.min.time(), zone).timestamp() - begin) // step

    size = at(str(month.end))
    start, end = instant(told["start"]).timestamp(), instant(told["end"]).timestamp()
    demand((told["seconds"], told["count"], start) == (step, size, begin), "The month has other intervals.")
    demand(end == begin + size * step, "The month ends at another time.")
    cuts = {str(month.first)} | {
        one["from"] for name in ("sharing", "tariffs") for one in month.rules[name]
        if str(month.first) < one["from"] < str(month.end)
    }  # fmt: skip
    days = [*sorted(cuts), str(month.end)]
    spans = [[one["from"], one["until"], one["first"], one["end"]] for one in month.stretches]
    demand(spans == [[a, b, at(a), at(b)] for a, b in pairwise(days)], "Stretches of days are cut elsewhere.")
    for label, one in month.spells.items():
        entry = month.entries[label]
        demand([one["first"], one["end"]] == [at(entry["from"]), at(entry["until"])], f"{label} has other intervals.")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def invoices(month: Month, pool: str) -> list[list[Any]]:
    return sorted(
        [one["invoice"], cents(decimal((Fraction(one["eur"]) * 100).numerator, 2))]
        for one in month.rules["costs"]
        if one["pool"] == pool and str(month.first) <= one["date"] < str(month.end)
    )


def fuel(month: Month) -> None:
    """The account of pellets closes, and is valued by its rule."""
    told, shown = month.totals["pellets"], month.statement["pellets"]
    demand((told is None) == (shown is None), "Only one of totals and statement knows pellets.")
    if told is None:
        return
    kg = {name: Fraction(told[f"{name}_kg"]) for name in ("start", "delivered", "burnt", "closing")}
    money = {name: whole(told[f"{name}_cents"]) for name in kg}
    for unit in (kg, money):
        demand(unit["start"] + unit["delivered"] == unit["burnt"] + unit["closing"], "The account does not close.")
    demand(kg["closing"] >= 0, "The stock is negative.")
    for name in ("burnt", "closing"):
        demand(shown[f"{name}_kg"] == decimal(half_up(kg[name] * 1000), 3), f"{name}_kg differs.")
        demand(shown[f"{name}_eur"] == decimal(money[name], 2), f"{name}_eur differs.")
    demand(shown["estimated"] is told["estimated"], "Whether the stock is an estimate differs.")
    month.knows("pellets")
    rule = month.rules["pellets"]
    start, end = instant(month.totals["intervals"]["start"]), instant(month.totals["intervals"]["end"])
    new = [one for one in rule["deliveries"] if start <= instant(one["at"]) < end]
    demand(kg["delivered"] == sum(Fraction(one["kg"]) for one in new), "The deliveries [kg] are others.")
    demand(money["delivered"] == sum(Fraction(one["eur"]) * 100 for one in new), "The deliveries [EUR] are others.")
    opening = instant(rule["opening"]["at"])
    if start <= opening < end:
        demand(kg["start"] == Fraction(rule["opening"]["kg"]), "The opening stock is another.")
        demand(money["start"] == Fraction(rule["opening"]["eur"]) * 100, "The opening value is another.")
    near = [one for one in rule["counts"] if abs(instant(one["at"]) - end) <= timedelta(hours=12)]
    demand(told["estimated"] is not bool(near), "A count decides the stock, but it is called an estimate, or not.")
    if near:
        best = min(near, key=lambda one: (abs(instant(one["at"]) - end), -instant(one["at"]).timestamp()))
        at, stock = instant(best["at"]), Fraction(best["kg"])
        for one in rule["deliveries"]:
            came = instant(one["at"])
            stock += Fraction(one["kg"]) * ((at <= came < end) - (end <= came < at))
        demand(stock == kg["closing"], "The stock at the end is not that of the count.")
    held, value = kg["start"] + kg["delivered"], money["start"] + money["delivered"]
    if rule["valuation"] == "average" and held:
        demand(money["burnt"] == half_up(value * kg["burnt"] / held), "Burnt pellets have another value.")
    if not near:
        raise Unchecked(
            "The stock of pellets at the end is an estimate from heat produced since the last count, which is not in"
            " the bundle; that the account closes was proved."
        )
    if rule["valuation"] != "average":
        raise Unchecked(
            "The value of the pellets by oldest layer first was not recomputed, because the layers of earlier months"
            " are not in the bundle; that the account closes was proved."
        )


def pool(month: Month) -> None:
    """The cost of heat is pellets burnt and invoices, parted by the rule."""
    told = month.totals["heat"]
    demand((told is None) == (month.rules["heat"] is None), "Rules and totals differ in whether heat is settled.")
    if told is None:
        return
    burnt = month.totals["pellets"]["burnt_cents"] if month.totals["pellets"] else 0
    demand(told["invoices"] == invoices(month, "heat"), "The invoices are others.")
    demand(told["total_cents"] == burnt + sum(amount for _, amount in told["invoices"]), "The sum is another.")
    month.knows("heat")
    rooms = told["total_cents"] - water_cents(month)
    part = Fraction(month.in_force("heat", month.first)["measured_percent"]) / 100
    demand(told["measured_cents"] == half_up(rooms * part), "The measured part is another.")
    demand(told["measured_cents"] + told["fixed_cents"] == rooms, "The parts are not the whole.")


def kwh_per_m3(month: Month) -> Fraction:
    """Heat that a m3 of hot water takes: 2.5 kWh for every degree above 10."""
    return Fraction(5, 2) * (Fraction(month.in_force("heat", month.first)["hot_water"]["warm_celsius"]) - 10)


def all_in_m3(month: Month) -> bool:
    return all(one["unit"] == "m3" for one in month.rules["meters"] if one["measures"] == "hot_water")


def water_heat(month: Month) -> dict[str, Fraction]:
    """Heat of every entry's hot water as its meters counted it [kWh]."""
    found = {}
    for label, told in month.spells.items():
        if "hot_water" not in told:
            raise Unchecked("What hot water meters counted is not in this bundle, so what follows was not checked.")
        volume, heat = (whole(told["hot_water"][kind] or 0) for kind in ("m3", "mwh"))
        found[label] = (volume * kwh_per_m3(month) + heat) / 10**6
    return found


def water_cents(month: Month) -> int:
    """Hot water's part of the cost of heat: its heat over what the boilers gave, or over all that was measured."""
    if "hot_water" not in month.in_force("heat", month.first):
        return 0
    water = sum(water_heat(month).values(), Fraction(0))
    supplied = Fraction(month.totals["heat_produced_mwh"] or 0, 10**6)
    if not supplied and not month.totals["heat_in_units"]:
        supplied = Fraction(sum(one["heat"] or 0 for one in month.spells.values()), 10**6) + water
    part = min(water / supplied, Fraction(1)) if supplied else Fraction(0)
    return half_up(month.totals["heat"]["total_cents"] * part)


def counted(month: Month) -> None:
    """What the statement says of hot water is what its meters counted."""
    heat, estimated = water_heat(month), Fraction(0)
    for label, told in month.spells.items():
        shown, own = month.entries[label]["heat"]["hot_water"], told["hot_water"]
        there = own["m3"] is not None or own["mwh"] is not None
        kwh = decimal(half_up(heat[label] * 10**6), 6) if there else None
        volume = decimal(own["m3"], 6) if there and all_in_m3(month) else None
        demand(shown["measured_kwh"] == kwh, f"Hot water of {label} [kWh] differs.")
        demand(shown["measured_m3"] == volume, f"Hot water of {label} [m3] differs.")
        if shown.get("estimated_m3") is not None:
            estimated += Fraction(shown["estimated_m3"]) * kwh_per_m3(month)
        elif shown.get("estimated_kwh") is not None:
            estimated += Fraction(shown["estimated_kwh"])
    total = decimal(half_up((sum(heat.values(), Fraction(0)) + estimated) * 10**6), 6)
    demand(month.statement["energy"]["hot_water_kwh"] == total, f"Hot water of the building comes to {total} kWh.")


class Slot:
    """Days with one tariff and rule, or those of their intervals that lie in one window of it, and what they add up to.

    ``given`` and ``unused`` are per label, ``used`` by everybody, ``common`` to the common area [mWh]; ``there`` holds
    the labels of entries that were there.
    """

    def __init__(self, month: Month, stretch: dict[str, Any], window: dict[str, Any] | None) -> None:
        self.stretch, self.window = stretch, window
        self.rule = in_force(month.rules["sharing"], stretch["from"])
        self.tariff = in_force(month.rules["tariffs"], stretch["from"])
        ends = self.tariff.get("netting_until")
        self.netting = ends is not None and stretch["from"] < ends
        self.given = dict.fromkeys(month.spells, 0)
        self.unused = dict.fromkeys(month.spells, 0)
        self.there: set[str] = set()
        self.surplus = self.common = self.used = 0

    def price(self, field: str) -> tuple[str | None, str | None]:
        """Price as it is written, and the name of the window where that is where it is written."""
        own = (self.window or {}).get(field)
        return (self.tariff[field], None) if self.window is None or own is None else (own, self.window["name"])

    @property
    def solar(self) -> tuple[str, str | None]:
        """What the sun costs: never above a share of the grid price that holds at the same moment."""
        (price, named), (grid, _) = self.price("solar_eur_per_kwh"), self.price("grid_eur_per_kwh")
        price = self._capped(price or "", grid)
        own = self._capped(self.tariff["solar_eur_per_kwh"], self.tariff["grid_eur_per_kwh"])
        if named is None and self.window is not None and Fraction(price) != Fraction(own):
            named = self.window["name"]
        return price, named

    def _capped(self, price: str, grid: str | None) -> str:
        percent = self.tariff.get("solar_at_most_percent_of_grid")
        if percent is None or grid is None:
            return price
        most = Fraction(grid) * Fraction(percent) / 100
        return price if Fraction(price) <= most else digits(most)


def digits(value: Fraction) -> str:
    """Print a fraction that has an end with all its decimals and no more."""
    places = 0
    while (value * 10**places).denominator != 1:
        places += 1
    return decimal((value * 10**places).numerator, places) if places else str(value)


def slots(month: Month, found: dict[str, Any] | None) -> list[Slot]:
    """Cut the month where prices change: from the totals, or with windows from all openings (see `divided`)."""
    named = [stretch for stretch in month.stretches if in_force(month.rules["tariffs"], stretch["from"]).get("windows")]
    if named and found is None:
        raise Unchecked(
            "Where the lines' figures of the sun come from was not checked: prices change within the day, and for that"
            " all openings are needed."
        )
    if named and found is not None:
        return [slot for number, _ in enumerate(month.stretches) for slot in cut(month, number, found)]
    whole_days = []
    for place, stretch in enumerate(month.stretches):
        slot = Slot(month, stretch, None)
        for label, one in month.spells.items():
            part = one["parts"][place]
            if part is not None:
                slot.there.add(label)
                slot.given[label] = whole(part["shared_mwh"])
                slot.unused[label] = whole(part["unused_mwh"] or 0)
                slot.used += whole(part["consumed_mwh"])
        slot.surplus, slot.common = stretch["surplus_mwh"], stretch["common_shared_mwh"] or 0
        slot.used += stretch["common_used_mwh"] or 0
        whole_days.append(slot)
    return whole_days


def cut(month: Month, number: int, found: dict[str, Any]) -> list[Slot]:
    """Cut a stretch by the hours of the week: an interval lies where its start does, by the clock on the wall."""
    stretch, told, zone = month.stretches[number], month.totals["intervals"], ZoneInfo(month.rules["timezone"])
    tariff = in_force(month.rules["tariffs"], stretch["from"])
    windows = tariff.get("windows") or []
    hours: dict[int, int] = {minute: place for place, one in enumerate(windows) for minute in minutes_of(one)}
    cuts: dict[int, Slot] = {}
    begin, common = instant(told["start"]), found.get("common")
    for place in range(stretch["first"], stretch["end"]):
        local = (begin + timedelta(seconds=told["seconds"] * place)).astimezone(zone)
        which = hours.get((local.weekday() * 24 + local.hour) * 60 + local.minute, -1)
        if which not in cuts:
            cuts[which] = Slot(month, stretch, windows[which] if which >= 0 else None)
        slot, given = cuts[which], 0
        for label in month.spells:
            content = found[label]
            at = place - content["first"]
            if 0 <= at < len(content["shared_mwh"]):
                slot.there.add(label)
                slot.given[label] += content["shared_mwh"][at]
                slot.unused[label] += found["unused"].get((label, place), 0)
                slot.used += content["consumed_mwh"][at] or 0
                given += content["shared_mwh"][at]
        if common is not None:
            slot.common += common["shared_mwh"][place]
            slot.used += common["consumed_mwh"][place] or 0
            given += common["shared_mwh"][place]
        slot.surplus += (found["sun"]["sun_mwh"][place] or 0) - given
    return [cuts[which] for which in sorted(cuts)]


def minutes_of(window: dict[str, Any]) -> list[int]:
    """Minutes of the week that a window covers, from the midnight on which Monday begins; it may go over midnight."""
    start, until = (int(window[name][:2]) * 60 + int(window[name][3:]) for name in ("from", "until"))
    length = until - start if until > start else until - start + 24 * 60
    days = [WEEK.index(day) for day in window.get("days", WEEK)]
    return [(day * 24 * 60 + start + minute) % (7 * 24 * 60) for day in days for minute in range(length)]


def by_price(found: list[Slot], price: Any) -> list[tuple[str, str | None, list[Slot]]]:
    groups: dict[Any, tuple[str, str | None, list[Slot]]] = {}
    for slot in found:
        text, window = price(slot)
        groups.setdefault((Fraction(text), window), (text, window, []))[2].append(slot)
    return list(groups.values())


def credited(month: Month, slot: Slot) -> dict[str, Fraction]:
    """Whose the surplus of a slot is, by the sharing rule [mWh]."""
    if slot.rule["surplus"] == "owner":
        return {month.owner: Fraction(slot.surplus)}
    if slot.rule["surplus"] == "community":
        weigh = {
            label: (Fraction(slot.rule["weights"][label.split("|")[1]]) if slot.rule["key"] in WEIGHTED else 1)
            * days_of(month.entries[label], slot.stretch)
            for label in month.spells
        }
        each = Fraction(slot.surplus) / (sum(weigh.values()) or 1)
        return {label: weight * each for label, weight in weigh.items()}
    demand(sum(slot.unused.values()) == slot.surplus, "Unused energy of all entries is not the surplus.")
    return {label: Fraction(amount) for label, amount in slot.unused.items()}


def expected_sun(month: Month, opened: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Charges for sun, surplus, the common area and the fixed amount, from totals, rules and prices."""
    found: list[dict[str, Any]] = []
    labels, every = list(month.spells), slots(month, opened)

    def add(code: str, group: list[Slot], price: str | None, window: str | None, factor: Fraction, basis: Any) -> None:
        rate = group[0].tariff["vat_percent"]["electricity"]
        found.append(
            {"code": code, "price_eur": price, "window": window, "vat_percent": rate, "factor": factor, "basis": basis}
        )

    def surplus(code: str, price: str, window: str | None, parts: list[tuple[Slot, Fraction]]) -> None:
        basis = dict.fromkeys([*labels, month.owner], Fraction(0))
        for slot, share in parts:
            for label, amount in credited(month, slot).items():
                basis[label] += amount * share / 10**6
        add(code, [slot for slot, _ in parts], price, window, -Fraction(price) * 100, basis)

    for price, window, group in by_price(every, lambda slot: slot.solar):
        basis = {label: Fraction(sum(slot.given[label] for slot in group), 10**6) for label in labels}
        add("solar", group, price, window, Fraction(price) * 100, basis)
    netting = [slot for slot in every if slot.netting]
    left = sum(slot.surplus for slot in netting)
    drawn = sum(slot.used - sum(slot.given.values()) - slot.common for slot in netting)
    netted = Fraction(min(left, drawn), left) if left else Fraction(0)
    for price, window, group in by_price(every, lambda slot: slot.price("feed_in_eur_per_kwh")):
        surplus("feed_in", price, window, [(slot, 1 - netted if slot.netting else Fraction(1)) for slot in group])
    for price, window, group in by_price(netting if netted else [], lambda slot: slot.price("grid_eur_per_kwh")):
        surplus("netting", price, window, [(slot, netted) for slot in group])
    cost = Fraction(sum(amount for _, amount in invoices(month, "common")))
    cost += sum(Fraction(slot.common, 10**6) * Fraction(slot.solar[0]) * 100 for slot in every)
    if cost:
        basis = measure(month, "floor_area")
        add("common", every, None, None, per_part(cost, basis), basis)
    for price, _, group in by_price(
        [Slot(month, stretch, None) for stretch in month.stretches], lambda slot: slot.price("fixed_eur_per_month")
    ):
        basis = {
            label: Fraction(sum(days_of(month.entries[label], slot.stretch) for slot in group)) for label in labels
        }
        add("fixed", group, price, None, Fraction(price) * 100 / month.days, basis)
    return found


def measure(month: Month, by: str) -> dict[str, Fraction]:
    area = {one["id"]: Fraction(one["floor_area_m2"] or 0) for one in month.rules["flats"]}
    return {
        label: days_of(month.entries[label]) * (area[label.split("|")[1]] if by == "floor_area" else Fraction(1))
        for label in month.spells
    }


def per_part(cost: Fraction | int, basis: dict[str, Fraction]) -> Fraction:
    total = sum(basis.values(), Fraction(0))
    return Fraction(cost) / total if total else Fraction(0)


def expected_heat(month: Month) -> list[dict[str, Any]]:
    told, rule = month.totals["heat"], month.in_force("heat", month.first) if month.rules["heat"] else {}
    if told is None:
        return []
    fixed = measure(month, rule["fixed_by"])
    measured = {label: Fraction(one["heat"] or 0, 10**6) for label, one in month.spells.items()}
    if not any(measured.values()):
        measured = fixed
    pools = [("heat_measured", told["measured_cents"], measured), ("heat_fixed", told["fixed_cents"], fixed)]
    if "hot_water" in rule:
        water, basis = water_cents(month), water_heat(month)
        if all_in_m3(month):
            basis = {label: Fraction(one["hot_water"]["m3"] or 0, 10**6) for label, one in month.spells.items()}
        by_meters = half_up(water * Fraction(rule["hot_water"]["measured_percent"]) / 100)
        pools.append(("hot_water_measured", by_meters, basis))
        pools.append(("hot_water_fixed", water - by_meters, measure(month, rule["hot_water"]["fixed_by"])))
    rates = month.in_force("tariffs", month.first)["vat_percent"]
    rate = rates["electricity"] if rates["heat"] is None else rates["heat"]
    return [
        {"code": code, "price_eur": None, "vat_percent": rate, "factor": per_part(cost, basis), "basis": basis}
        for code, cost, basis in pools
    ]


def expected_work(month: Month) -> list[dict[str, Any]]:
    """Charges for work: a credit to those who did it, and as much from all."""
    rules = [one for one in month.rules.get("work_credits", ()) if one["from"] <= str(month.first)]
    if not rules:
        return []
    zone = zone_of(month, "On which days work was done")
    rule, earned = in_force(rules, str(month.first)), dict.fromkeys(month.spells, Fraction(0))
    for work in month.rules["work"]:
        day = str(instant(work["at"]).astimezone(zone).date())
        for label in month.spells:
            entry = month.entries[label]
            if entry["party"] == work["household"] and entry["from"] <= day < entry["until"]:
                earned[label] += Fraction(rule["eur"].get(work["task"], "0")) * 100
                earned[label] += Fraction(work["bags"]) * Fraction(rule["eur_per_bag"]) * 100
                break  # whoever has two homes is credited once
    if rule["at_most_eur_per_month"] is not None:
        most = Fraction(rule["at_most_eur_per_month"]) * 100
        earned = {label: min(amount, most) for label, amount in earned.items()}
    by, total = measure(month, rule["paid_by"]), sum(earned.values(), Fraction(0))
    sides = [(Fraction(-1), earned), (per_part(total, by), by)] if total else []
    plain = {"code": "work", "price_eur": None, "vat_percent": "0"}
    return [plain | {"factor": factor, "basis": basis} for factor, basis in sides]


def sourced(month: Month, codes: tuple[str, ...], expected: Any, *sections: str) -> None:
    """Charges of some codes are what totals, rules and prices make them."""
    month.knows(*(name for name in sections if month.rules.get(name) is not None))
    found = [one for one in month.charges if one["code"] in codes]
    wanted = expected(month)
    demand([one["code"] for one in found] == [one["code"] for one in wanted], "There are other charges.")
    for one, should in zip(found, wanted, strict=True):
        code, price = one["code"], one["price_eur"]
        name = code if price is None else f"{code} at {price}"
        demand(price == should["price_eur"], f"{name}: the price is another.")
        demand(one.get("window") == should.get("window"), f"{name}: it holds at other hours.")
        demand(Fraction(one["vat_percent"]) == Fraction(should["vat_percent"]), f"{name}: the VAT is another.")
        demand(Fraction(one["factor"]) == should["factor"], f"{name}: the factor is {should['factor']}.")
        basis = {label: part for label, part in should["basis"].items() if part}
        demand({k: Fraction(v) for k, v in one["basis"].items()} == basis, f"{name}: a basis is another.")


def amounts(month: Month) -> None:
    """Every line of every entry is its basis x factor, rounded once for the building and spread."""
    expected: dict[str, list[dict[str, Any]]] = {label: [] for label in month.entries}
    for charge in month.charges:
        factor, rate = Fraction(charge["factor"]), Fraction(charge["vat_percent"]) / 100
        exact = {label: Fraction(part) * factor for label, part in charge["basis"].items() if Fraction(part) * factor}
        total = half_up(sum(exact.values(), Fraction(0)))
        demand(total == charge["total_cents"], f"{charge['code']}: the total is {total}.")
        parts = {label: share.__floor__() for label, share in exact.items()}
        fair = (month.statement["community"], month.statement["month"], charge["code"])
        order = sorted(
            (label for label, share in exact.items() if share.denominator > 1),
            key=lambda label: (parts[label] - exact[label], lot(*fair, label)),
        )
        rest = total - sum(parts.values())
        demand(0 <= rest <= len(order), f"{charge['code']}: the parts do not belong to the total.")
        for label in order[:rest]:
            parts[label] += 1
        for label, part in parts.items():
            expected[label].append(money_of(charge, part, rate, including=month.including))
    for label, entry in month.entries.items():
        shown = [{name: line.get(name) for name in SHOWN} for line in entry["lines"]]
        demand(shown == expected[label], f"The lines of {label} are not what its charges come to.")
        if entry["flat"] is None:
            demand(entry["electricity"] is None and entry["heat"] is None, "The owner's own entry has energy.")
        told = {"heat": entry["heat"], "hot_water": (entry["heat"] or {}).get("hot_water")}
        for what, which in ((what, which) for what in told if told[what] for which in ("measured", "fixed")):
            sums = sum(cents(one["amount_eur"]) for one in entry["lines"] if one["code"] == f"{what}_{which}")
            right = cents(told[what][f"{which}_eur"]) == sums
            demand(right, f"{which}_eur of {what} of {label} is not that of its lines.")


SHOWN = ("code", "price_eur", "window", "vat_percent", "net_eur", "vat_eur", "amount_eur")


def money_of(charge: dict[str, Any], part: int, rate: Fraction, *, including: bool) -> dict[str, Any]:
    """What a line says of its money, when a party's part is known [cents]."""
    net = half_up(part / (1 + rate)) if including else part
    vat = part - net if including else half_up(part * rate)
    return {
        "code": charge["code"],
        "price_eur": charge["price_eur"],
        "window": charge.get("window"),
        "vat_percent": decimal(half_up(rate * 10**4), 2),
        "net_eur": decimal(net, 2),
        "vat_eur": decimal(vat, 2),
        "amount_eur": decimal(net + vat, 2),
    }


def quantities(month: Month) -> None:
    """Quantities that lines print are those they were charged by."""
    # Where surplus is netted, the netted part of each slot is rounded and the rest is what remains of the surplus.
    near = len(month.charges) if any(one["code"] == "netting" for one in month.charges) else 0
    for label, entry in month.entries.items():
        mine = [
            one for one in month.charges
            if label in one["basis"] and Fraction(one["basis"][label]) * Fraction(one["factor"])
        ]  # fmt: skip
        for charge, line in zip(mine, entry["lines"], strict=True):
            basis = Fraction(charge["basis"][label])
            if charge["code"] in ("solar", "feed_in", "netting"):
                printed, off = Fraction(line["quantity"]) * 10**6, near if charge["code"] != "solar" else 0
                demand(line["quantity"] == decimal(whole(printed.numerator), 6), f"{label}: {charge['code']} in kWh.")
                demand(abs(printed - half_up(basis * 10**6)) <= off, f"{label}: {charge['code']} in kWh.")
                demand(line["unit"] == "kWh", f"{label}: unit of {charge['code']}.")
            elif line["quantity"] is not None:
                demand(line["unit"] in UNITS.get(charge["code"], (line["unit"],)), f"{label}: a unit is another.")
                # Heat that hot water took, worked out from m3, may be a fraction of a milliwatt-hour.
                exact = Fraction(half_up(basis * 10**6), 10**6) if line["unit"] == "kWh" else basis
                demand(Fraction(line["quantity"]) == exact, f"{label}: quantity of {charge['code']}.")


def balances(month: Month) -> None:
    """Totals, advances and balances of every entry."""
    for label, entry in month.entries.items():
        totals_of(entry)
        exact = Fraction(0)
        for number in range(days_of(entry)):
            day = str(date.fromisoformat(entry["from"]) + timedelta(days=number))
            mine = [one for one in month.rules["advances"] if one["household"] == entry["party"] and one["from"] <= day]
            if mine and entry["flat"]:
                exact += Fraction(in_force(mine, day)["eur_per_month"]) * 100 / month.days
        demand(cents(entry["advance_eur"]) == half_up(exact), f"The advance of {label} is {half_up(exact)} cents.")


def totals_of(entry: dict[str, Any]) -> None:
    """A total is the sum of its lines, and a balance what is left after the advance."""
    total = sum(cents(line["amount_eur"]) for line in entry["lines"])
    for line in entry["lines"]:
        right = cents(line["net_eur"]) + cents(line["vat_eur"]) == cents(line["amount_eur"])
        demand(right, f"{line['code']}: net and VAT are not the amount.")
    demand(cents(entry["total_eur"]) == total, f"The lines come to {decimal(total, 2)}.")
    demand(cents(entry["balance_eur"]) == total - cents(entry["advance_eur"]), "The balance is another.")


def saved(month: Month, opened: dict[str, Any] | None = None) -> None:
    """What the sun saved is what the same energy would have cost from the grid, less its price."""
    month.knows("tariffs")
    every = slots(month, opened)
    for label in month.spells:
        shown, exact, known = month.entries[label]["electricity"], Fraction(0), True
        for slot in every:
            grid, _ = slot.price("grid_eur_per_kwh")
            if grid is not None:
                exact += slot.given[label] * (Fraction(grid) - Fraction(slot.solar[0])) / 10**4
            elif label in slot.there:
                known = False
        if shown is not None:
            should = decimal(half_up(exact), 2) if known else None
            demand(shown["saved_eur"] == should, f"{label} saved {should}.")


def booked(month: Month) -> None:
    """Every transaction sums to zero, and parties owe what their statements say."""
    sums: dict[int, int] = {}
    accounts: dict[str, int] = {}
    for transaction, account, amount, _ in month.postings:
        sums[transaction] = sums.get(transaction, 0) + whole(amount)
        accounts[account] = accounts.get(account, 0) + amount
    demand(not any(sums.values()), "A transaction does not sum to zero.")
    owed: dict[str, int] = {}
    for entry in month.entries.values():
        account = f"party:{entry['party']}" + (f":{entry['flat']}" if entry["flat"] else "")
        owed[account] = owed.get(account, 0) + cents(entry["balance_eur"])
    for account in {name for name in accounts if name.startswith("party:")} | set(owed):
        demand(accounts.get(account, 0) == owed.get(account, 0), f"{account} owes another amount than its statement.")
    for rate in {Fraction(line["vat_percent"]) for line in lines_of(month)}:
        vat = sum(cents(line["vat_eur"]) for line in lines_of(month) if Fraction(line["vat_percent"]) == rate)
        paid = sum(amount for account, amount in accounts.items() if of_rate(account) == rate)
        demand(paid == -vat, f"The VAT booked at {rate} % is not that of the lines.")
    advances = sum(cents(entry["advance_eur"]) for entry in month.entries.values())
    demand(accounts.get("advances", 0) == advances, "Advances booked are not those of the statements.")
    told = month.totals["heat"]
    if told is not None:
        burnt = month.totals["pellets"]["burnt_cents"] if month.totals["pellets"] else 0
        sources = {"stock:pellets": -burnt, "cost:heat": told["total_cents"]}
        for number, paid in told["invoices"]:
            sources[f"invoice:{number}"] = sources.get(f"invoice:{number}", 0) - paid
        for source, cost in sources.items():
            demand(accounts.get(source, 0) == cost, f"{source} is not booked as it stands in the totals.")
    for code in ("solar", "feed_in", "common", "fixed", "heat_measured", "heat_fixed"):
        net = sum(cents(line["net_eur"]) for line in lines_of(month) if line["code"] == code)
        demand(accounts.get(f"revenue:{code}", 0) == -net, f"What is booked for {code} is not that of the lines.")


def lines_of(month: Month) -> list[dict[str, Any]]:
    return [line for entry in month.entries.values() for line in entry["lines"]]


def of_rate(account: str) -> Fraction | None:
    return Fraction(account.removeprefix("vat:")) if account.startswith("vat:") else None


# Commitments and openings


def parent(left: str, right: str) -> str:
    return sha(b"\x01", bytes.fromhex(left), bytes.fromhex(right))


def leaf(statement: str, intervals: str) -> str:
    return sha(b"\x00", bytes.fromhex(statement), bytes.fromhex(intervals))


def committed(month: Month, seal: dict[str, Any]) -> None:
    """The root in the seal is that of the commitments to every entry's own figures and intervals."""
    level = list(month.commitments["padding"])
    demand(set(month.commitments["entries"]) == set(month.entries), "There are commitments to other entries.")
    for label, one in month.commitments["entries"].items():
        statement = sha(bytes.fromhex(one["statement_salt"]), canonical(own_of(month, label)))
        level.append(leaf(statement, one["intervals"]))
    level.sort()
    demand(len(level) >= LEAST_LEAVES and len(level) & (len(level) - 1) == 0, "The tree has another width.")
    while len(level) > 1:
        level = [parent(*pair) for pair in zip(level[::2], level[1::2], strict=True)]
    demand(level[0] == seal["commitments"]["root"], "The root is another.")


def own_of(month: Month, label: str) -> dict[str, Any]:
    """What the party of an entry may see: made again from the other files."""
    told: Any = month.spells.get(label)
    charges = []
    for one in month.charges:
        if label in one["basis"]:
            shown = ("code", "price_eur", "window", "vat_percent", "factor")
            mine = {name: one[name] for name in shown if name in one}
            if one["price_eur"] is None:
                mine["factor"] = decimal(half_up(Fraction(one["factor"]) * 10**6), 6)
            charges.append(mine | {"basis": one["basis"][label]})
    parts = []
    for stretch, part in zip(month.stretches, told["parts"], strict=True) if told else ():
        if part is not None:
            rule = in_force(month.rules["sharing"], stretch["from"])
            weights = weights_of(month, rule)
            parts.append(
                {
                    "first": max(stretch["first"], told["first"]),
                    "end": min(stretch["end"], told["end"]),
                    "consumed_mwh": part["consumed_mwh"],
                    "shared_mwh": part["shared_mwh"],
                    "key": rule["key"],
                    "common": rule["common"],
                    "weight": str(weights[label.split("|")[1]] / sum(weights.values()))
                    if rule["key"] in (*WEIGHTED, "equal")
                    else None,
                }
            )
    return {
        "community": month.statement["community"],
        "month": month.statement["month"],
        "prices_include_vat": month.including,
        "intervals": month.totals["intervals"],
        "entry": month.entries[label],
        "heat": told["heat"] if told else None,
        "charges": charges,
        "parts": parts,
        **({"hot_water": told["hot_water"]} if told and "hot_water" in told else {}),
    }


def weights_of(month: Month, rule: dict[str, Any]) -> dict[str, Fraction]:
    """Weight of every party of the key: the flats in their order, then the common area if it takes part."""
    weighted = rule["key"] in WEIGHTED
    found = {one["id"]: Fraction(rule["weights"][one["id"]] if weighted else 1) for one in month.rules["flats"]}
    if rule["common"] == "participant" and any(one["common"] for one in month.rules["meters"]):
        found["common"] = Fraction((rule["common_weight"] or 0) if weighted else 1)
    return found


def opens(opening: dict[str, Any], commitment: str | None) -> None:
    demand(commitment is not None, "The seal has no such commitment.")
    demand(set(opening) == {"salt", "content"}, "It has other fields.")
    found = sha(bytes.fromhex(opening["salt"]), canonical(opening["content"]))
    demand(found == commitment, "It is not what was sealed.")


def own_intervals(content: dict[str, Any], own: dict[str, Any]) -> None:
    """A party's intervals come to its totals, and it was never given more than it used."""
    parts, told = own["parts"], own["intervals"]
    first, consumed, given = content["first"], content["consumed_mwh"], content["shared_mwh"]
    begin = instant(told["start"]) + timedelta(seconds=told["seconds"] * first)
    demand(instant(content["start"]) == begin, "They begin at another time.")
    demand(len(consumed) == len(given) == len(content["quality"]), "Columns differ in length.")
    demand(len(given) == sum(part["end"] - part["first"] for part in parts), "There are more or fewer of them.")
    for used, got in zip(consumed, given, strict=True):
        demand(0 <= whole(got) <= whole(used or 0), "In one of them more was given than used.")
    for part in parts:
        span = slice(part["first"] - first, part["end"] - first)
        demand(sum(one or 0 for one in consumed[span]) == part["consumed_mwh"], "Consumption comes to another sum.")
        demand(sum(given[span]) == part["shared_mwh"], "Sun comes to another sum.")
    demand(set(content.get("hot_water", ())) == set(own.get("hot_water", ())), "Hot water is there and not there.")
    columns = [("Heat", content["heat"], own["heat"])]
    columns += [("Hot water", content["hot_water"][kind], own["hot_water"][kind]) for kind in own.get("hot_water", ())]
    for name, column, total in columns:
        demand((column is None) == (total is None), f"{name} is there and not there.")
        if column is not None:
            demand(len(column) == len(given), "Columns differ in length.")
            demand(sum(one or 0 for one in column) == total, f"{name} comes to another sum.")


def own_shares(content: dict[str, Any], parts: list[dict[str, Any]], sun: list[int | None]) -> None:
    """Every share lies within what sun and key allow, as far as one can tell without the neighbours."""
    for part in parts:
        weight = None if part["weight"] is None else Fraction(part["weight"])
        for place in range(part["first"], part["end"]):
            used, got = (
                content["consumed_mwh"][place - content["first"]] or 0,
                content["shared_mwh"][place - content["first"]],
            )
            light = sun[place] or 0
            at = f"In interval {place} it was given {got} mWh"
            demand(got <= light, f"{at}, more than the sun.")
            if weight is None:
                continue
            due = min(weight * light, Fraction(used))
            if part["key"] in ("fixed", "equal"):
                demand(got < due + 1, f"{at}, more than its weight allows.")
            if part["common"] != "first":
                demand(got > due - 1, f"{at}, less than its weight allows.")


def divided(month: Month, found: dict[str, dict[str, Any]]) -> dict[tuple[str, int], int]:
    """With all openings: every share of every interval, by the key, to the milliwatt-hour.

    It returns what each entry was entitled to in an interval and did not use.
    """
    left: dict[tuple[str, int], int] = {}
    sun, common = found["sun"]["sun_mwh"], found.get("common")
    told = month.totals["intervals"]
    begin = instant(told["start"])
    flats = [one["id"] for one in month.rules["flats"]]
    for number, stretch in enumerate(month.stretches):
        rule = in_force(month.rules["sharing"], stretch["from"])
        weights, unused, spare = weights_of(month, rule), dict.fromkeys(month.spells, 0), 0
        for place in range(stretch["first"], stretch["end"]):
            here = {
                label.split("|")[1]: (label, content)
                for label, content in found.items()
                if "first" in content and content["first"] <= place < content["first"] + len(content["shared_mwh"])
            }
            use = {flat: here[flat][1]["consumed_mwh"][place - here[flat][1]["first"]] for flat in flats}
            if common is not None:
                use["common"] = common["consumed_mwh"][place]
            at = begin + timedelta(seconds=told["seconds"] * place)
            start = f"{at:%Y-%m-%dT%H:%M:%S}Z"
            given, parts = interval(rule, weights, flats, sun[place] or 0, use, (month.statement["community"], start))
            for flat, (label, content) in here.items():
                got = content["shared_mwh"][place - content["first"]]
                demand(got == given[flat], f"{label} at {start}: {got} mWh, by the key {given[flat]}.")
                left[label, place] = parts.get(flat, 0)
                unused[label] += left[label, place]
            if common is not None:
                demand(common["shared_mwh"][place] == given["common"], f"The common area at {start} differs.")
            spare += (sun[place] or 0) - sum(given.values())
        demand(spare == stretch["surplus_mwh"], "The surplus comes to another sum.")
        for label, one in month.spells.items():
            if one["parts"][number] is not None and rule["surplus"] == "unused_share":
                demand(one["parts"][number]["unused_mwh"] == unused[label], f"What {label} left unused differs.")
    return left


def interval(
    rule: dict[str, Any], weights: dict[str, Fraction], flats: list[str], sun: int, use: dict[str, int | None],
    fair: tuple[str, str],
) -> tuple[dict[str, int], dict[str, int]]:  # fmt: skip
    """Divide the sun of one interval: what each is given, and whose the surplus is by what nobody used [mWh]."""
    common, given = use.get("common") or 0, dict.fromkeys(use, 0)
    first = min(sun, common) if rule["common"] == "first" and "common" in use else 0
    offered = sun - first
    exact = divide(rule, weights, offered, {party: Fraction(use.get(party) or 0) for party in weights})
    given |= rounded(exact, sum(exact.values(), Fraction(0)).__floor__(), fair)
    if rule["common"] == "first" and "common" in use:
        given["common"] = first
    if rule["common"] == "last" and "common" in use:
        given["common"] = min(sun - sum(given.values()), common)
    given = {party: got for party, got in given.items() if party in use}
    surplus = sun - sum(given.values())
    if rule["surplus"] != "unused_share" or not surplus:
        return given, {}
    total = sum(weights.values())
    left = {
        flat: Fraction(0) if use[flat] is None else max(Fraction(0), weights[flat] * offered / total - (use[flat] or 0))
        for flat in flats
    }
    if not any(left.values()):
        left = {flat: weights[flat] for flat in flats}
    whole_left = sum(left.values())
    return given, rounded({flat: surplus * part / whole_left for flat, part in left.items()}, surplus, fair)


def rounded(exact: dict[str, Fraction], total: int, fair: tuple[str, str]) -> dict[str, int]:
    parts = {party: share.__floor__() for party, share in exact.items()}
    order = sorted(exact, key=lambda party: (parts[party] - exact[party], lot(*fair, party)))
    for party in order[: total - sum(parts.values())]:
        parts[party] += 1
    return parts


def divide(
    rule: dict[str, Any], weights: dict[str, Fraction], sun: int, use: dict[str, Fraction]
) -> dict[str, Fraction]:
    """Exact shares of one interval by the key [mWh]."""
    key, need, total = rule["key"], sum(use.values(), Fraction(0)), sum(weights.values(), Fraction(0))
    if key == "proportional":
        return {party: own * min(Fraction(sun), need) / need if need else Fraction(0) for party, own in use.items()}
    if key == "priority":
        shares, rest = dict.fromkeys(use, Fraction(0)), Fraction(sun)
        for party in [*rule["order"], *(["common"] if "common" in use else [])]:
            shares[party] = min(use[party], rest)
            rest -= shares[party]
        return shares
    if key == "optimal":
        return poured(Fraction(sun), weights, use)
    shares = {party: min(weights[party] * sun / total, own) for party, own in use.items()}
    if key == "hybrid":
        lacking = {party: own - shares[party] for party, own in use.items()}
        lack, rest = sum(lacking.values(), Fraction(0)), sun - sum(shares.values(), Fraction(0))
        shares = {
            party: got + (lacking[party] * min(rest, lack) / lack if lack else 0) for party, got in shares.items()
        }
    elif key not in ("fixed", "equal"):
        raise Unchecked(f"Shares by the key '{key}' were not recomputed: this program does not know it.")
    return shares


def poured(sun: Fraction, weights: dict[str, Fraction], use: dict[str, Fraction]) -> dict[str, Fraction]:
    """Weighted water-filling: find the level at which everything is given away or everybody has enough."""
    rising = [party for party, weight in weights.items() if weight]
    shares = dict.fromkeys(use, Fraction(0))
    while rising and sun:
        level = sun / sum((weights[party] for party in rising), Fraction(0))
        full = [party for party in rising if use[party] <= level * weights[party]]
        if not full:
            return shares | {party: level * weights[party] for party in rising}
        for party in full:
            shares[party] = use[party]
            sun -= use[party]
        rising = [party for party in rising if party not in full]
    return shares


# The two kinds of bundle


def corporation(files: dict[str, bytes], seal: dict[str, Any], openings: list[Any], report: Report) -> None:
    """Check the bundle of a month, and with it whatever openings are there."""
    try:
        month = Month(files)
    except FAULTS:
        raise Damaged("The files of the bundle do not have the form of this format; it is damaged.") from None
    sentence = report.check
    sentence("The statement is that of the seal, and its result_sha256 is right.", headed, month, seal)
    sentence("Every day of every flat is in one entry: its household's, or the owner's.", lived, month)
    sentence("The month and its rules begin and end at local midnight.", dated, month)
    sentence(
        "Energy of all entries and the common area is that of the building; sun = shared + surplus.", energy, month
    )
    sentence("The account of the pellets closes and follows from deliveries and counts.", fuel, month)
    sentence("The cost of heat is the pellets burnt and the invoices, parted by the rule.", pool, month)
    sun = ("solar", "feed_in", "netting", "common", "fixed")
    follow = "Lines for sun, surplus, common area and fixed amount follow from totals, rules and prices."
    hourly = any(tariff.get("windows") for tariff in month.rules["tariffs"])
    if not hourly:
        sentence(follow, sourced, month, sun, expected_sun, "sharing", "tariffs")
    if any("hot_water" in (entry["heat"] or {}) for entry in month.entries.values()):
        sentence("Hot water of all entries is that of the building.", counted, month)
    heat = ("heat_measured", "heat_fixed", "hot_water_measured", "hot_water_fixed")
    text = "Lines for heat follow from its cost, heat meters, areas and days."
    sentence(text, sourced, month, heat, expected_heat, "heat", "tariffs")
    if month.rules.get("work_credits") or any(one["code"] == "work" for one in month.charges):
        text = "Lines for work follow from what was done and its rule, and come to nothing."
        sentence(text, sourced, month, ("work",), expected_work, "work_credits", "work")
    for code in sorted({one["code"] for one in month.charges} - {*sun, *heat, "work"}):
        report.unchecked.append(
            f"Line '{code}': amount proved from its own basis; where the basis comes from was not checked."
        )
    sentence(
        "Every amount is its basis x factor, rounded once for the building and spread by the rule.", amounts, month
    )
    sentence("Quantities on lines are those they are charged by.", quantities, month)
    sentence("Totals, advances and balances are right.", balances, month)
    if not hourly:
        sentence("What the sun saved is right.", saved, month)
    sentence("Postings sum to zero and agree with the statements.", booked, month)
    sentence("The commitments to every entry are those in the seal.", committed, month, seal)
    opened = by_intervals(month, seal, openings, report)
    if hourly:
        sentence(follow, sourced, month, sun, lambda month: expected_sun(month, opened), "sharing", "tariffs")
        sentence("What the sun saved is right.", saved, month, opened)


def by_intervals(month: Month, seal: dict[str, Any], openings: list[Any], report: Report) -> dict[str, Any] | None:
    """Check what openings open; with all of them and nothing wrong, return what is in them."""
    sentence = report.check
    found: dict[str, dict[str, Any]] = {}
    for opening in openings:
        proved = report.check("An opening is what was sealed.", match, month, seal, opening)
        if proved:
            report.proved.pop()
            found[proved] = opening["content"]
            names = {"sun": "The sun of every interval", "common": "The common area's use of every interval"}
            name = names.get(proved, f"Every interval of {proved}")
            sentence(f"{name} is what was sealed, and comes to the totals.", adds_up, month, proved, opening["content"])
    missing = [label for label in month.spells if label not in found] + (["sun"] if "sun" not in found else [])
    if seal["commitments"]["common"] is not None and "common" not in found:
        missing.append("common")
    for label, content in found.items():
        if "sun" in found and label in month.spells and missing:
            mine = own_of(month, label)["parts"]
            sentence(f"Shares of {label} are within sun and key.", own_shares, content, mine, found["sun"]["sun_mwh"])
    if not missing:
        text = "Every share of every interval is what the key gives, to the milliwatt-hour."
        unused = sentence(text, divided, month, found)
        return None if unused is None else {**found, "unused": unused}
    report.unchecked.append(
        "Shares of every interval were not recomputed by the key: for that all openings are needed,"
        f" and {len(missing)} of {len(missing) + len(found)} are not here."
    )
    return None


def match(month: Month, seal: dict[str, Any], opening: Any) -> str:
    """Tell what an opening opens."""
    content = opening["content"]
    if "sun_mwh" in content:
        name, commitment = "sun", seal["commitments"]["sun"]
    elif "party" in content:
        name = label_of(content)
        demand(name in month.spells, "The month has no such entry.")
        commitment = month.commitments["entries"][name]["intervals"]
    else:
        name, commitment = "common", seal["commitments"]["common"]
    opens(opening, commitment)
    return name


def adds_up(month: Month, name: str, content: dict[str, Any]) -> None:
    """Intervals of an opening come to the month's totals."""
    count = month.totals["intervals"]["count"]
    if name in month.spells:
        demand(content["until"] == month.entries[name]["until"], "It ends on another day.")
        own_intervals(content, own_of(month, name))
        return
    columns = {"sun_mwh": "sun_mwh"}
    if name == "common":
        columns = {"consumed_mwh": "common_used_mwh", "shared_mwh": "common_shared_mwh"}
    for column, total in columns.items():
        demand(len(content[column]) == count, "There are more or fewer intervals.")
        demand(all(whole(one or 0) >= 0 for one in content[column]), "One is negative.")
        for stretch in month.stretches:
            there = sum(one or 0 for one in content[column][stretch["first"] : stretch["end"]])
            demand(there == stretch[total], f"The days from {stretch['from']} come to another sum.")


def resident(files: dict[str, bytes], seal: dict[str, Any], report: Report) -> None:
    """Check the bundle of one party."""
    own, proof = parsed(files["own.json"], "own.json"), parsed(files["proof.json"], "proof.json")
    sentence = report.check
    sentence("Your statement is one of those in the seal.", belongs, own, proof, seal)
    sentence("Every line is its basis x factor to the cent, and VAT, total and balance are right.", own_lines, own)
    report.unchecked.append(
        "Which lines got the last cent in rounding, and the prices per unit of heat and the common area, depend on"
        " the whole building; the corporation's bundle proves them."
    )
    sentence("Your electricity and heat on the statement are those it was charged by.", own_totals, own)
    opening = parsed(files["opening.json"], "opening.json") if "opening.json" in files else None
    sun = parsed(files["sun.json"], "sun.json") if "sun.json" in files else None
    if sun is not None:
        if sentence("The building's sun per interval is what was sealed.", sealed_sun, sun, seal, own) is None:
            sun = None
    else:
        report.unchecked.append("The building's sun per interval is not in this bundle.")
    if opening is None:
        report.unchecked.append("Your intervals are not in this bundle, so your totals were not recomputed from them.")
        return
    text = "Your intervals are what was sealed, and come to your totals."
    sentence(text, own_opening, opening, proof, own)
    if sun is not None:
        text = "What you were given is, in every interval, within what sun and key allow."
        sentence(text, own_shares, opening["content"], own["parts"], sun["content"]["sun_mwh"])
    report.unchecked.append(
        "What exactly you were given in each interval depends on what your neighbours used, which is not shown here."
    )


def belongs(own: dict[str, Any], proof: dict[str, Any], seal: dict[str, Any]) -> None:
    demand(set(proof) == {"statement_salt", "intervals", "path"}, "The proof has other fields.")
    demand((own["community"], own["month"]) == (seal["community"], seal["month"]), "It is of another month.")
    place = leaf(sha(bytes.fromhex(proof["statement_salt"]), canonical(own)), proof["intervals"])
    for step in proof["path"]:
        demand(set(step) == {"side", "hash"} and step["side"] in ("left", "right"), "The proof is odd.")
        place = parent(place, step["hash"]) if step["side"] == "right" else parent(step["hash"], place)
    demand(place == seal["commitments"]["root"], "It does not lead to the seal.")


def own_lines(own: dict[str, Any]) -> None:
    left = list(own["charges"])
    for line in own["entry"]["lines"]:
        same = [one for one in left if all(one.get(name) == line.get(name) for name in ("code", "price_eur", "window"))]
        demand(bool(same), f"{line['code']} has no charge.")
        charge = same[0]
        left.remove(charge)
        basis, rate = Fraction(charge["basis"]), Fraction(charge["vat_percent"]) / 100
        exact = basis * Fraction(charge["factor"])
        # The price of a unit of a pool is given in six decimals of a cent, for exactly it would tell the pool's size.
        unsure = abs(basis) / 10**6 if charge["price_eur"] is None else 0
        part = cents(line["amount_eur"] if own["prices_include_vat"] else line["net_eur"])
        demand(abs(part - exact) < 1 + unsure, f"{line['code']} is {part} cents, by its basis {float(exact):.2f}.")
        shown = {name: line.get(name) for name in SHOWN}
        demand(shown == money_of(charge, part, rate, including=own["prices_include_vat"]), f"VAT of {line['code']}.")
    for charge in left:
        exact = Fraction(charge["basis"]) * Fraction(charge["factor"])
        demand(not exact or charge["price_eur"] is None, f"A line for {charge['code']} is missing.")
    totals_of(own["entry"])


def own_totals(own: dict[str, Any]) -> None:
    entry = own["entry"]
    sums = {name: sum(whole(part[name]) for part in own["parts"]) for name in ("consumed_mwh", "shared_mwh")}
    if entry["electricity"] is not None:
        told = entry["electricity"]
        demand(told["consumed_kwh"] == decimal(sums["consumed_mwh"], 6), "Consumption differs.")
        demand(told["shared_kwh"] == decimal(sums["shared_mwh"], 6), "Sun differs.")
        demand(told["grid_kwh"] == decimal(sums["consumed_mwh"] - sums["shared_mwh"], 6), "The rest differs.")
    charged = sum((Fraction(one["basis"]) for one in own["charges"] if one["code"] == "solar"), Fraction(0))
    demand(charged * 10**6 == sums["shared_mwh"], "Sun charged is not sun given.")
    if entry["heat"] is not None and entry["heat"]["measured_kwh"] is not None:
        demand(entry["heat"]["measured_kwh"] == decimal(own["heat"], 6), "Heat differs.")
    if entry["heat"] is not None and entry["heat"].get("hot_water", {}).get("measured_m3") is not None:
        demand(entry["heat"]["hot_water"]["measured_m3"] == decimal(own["hot_water"]["m3"], 6), "Hot water differs.")


def own_opening(opening: dict[str, Any], proof: dict[str, Any], own: dict[str, Any]) -> None:
    opens(opening, proof["intervals"])
    content, entry = opening["content"], own["entry"]
    for name in ("party", "flat", "from", "until"):
        demand(content[name] == entry[name], f"They are of another {name}.")
    own_intervals(content, own)


def sealed_sun(opening: dict[str, Any], seal: dict[str, Any], own: dict[str, Any]) -> bool:
    opens(opening, seal["commitments"]["sun"])
    column = opening["content"]["sun_mwh"]
    demand(len(column) == own["intervals"]["count"], "There are more or fewer intervals.")
    demand(all(whole(one or 0) >= 0 for one in column), "One is negative.")
    return True


# The program


def verify(
    data: bytes,
    *,
    name: str = "the bundle",
    previous: bytes | str | None = None,
    seal_sha256: str | None = None,
    openings: list[bytes] | None = None,
) -> Report:
    """Check a bundle.

    Parameters
    ----------
    data
        The archive.
    name
        What to call it in messages.
    previous
        The bundle before it, or its seal.
    seal_sha256
        The seal that the bundle must have, from a statement or another copy.
    openings
        Contents of files that open commitments.

    Raises
    ------
    Damaged
        If it is no bundle, or damaged beyond reading.
    """
    try:
        return _verify(data, name, previous, seal_sha256, openings or [])
    except FAULTS as fault:
        raise Damaged(f"{name}: a file in it does not have the form it should have ({fault!r}).") from None


def _verify(
    data: bytes, name: str, previous: bytes | str | None, seal_sha256: str | None, openings: list[bytes]
) -> Report:
    report = Report()
    files = opened(data, name)
    if SEAL - set(files):
        raise Damaged(f"{name}: seal.sha256 is missing; this is no whole bundle.")
    seal = parsed(files["seal.json"], "seal.json")
    if not isinstance(seal, dict) or seal.get("format") != FORMAT:
        raise Damaged(f"{name}: it is of another format than this program knows ({FORMAT}); use the bundle's own.")
    report.check("The archive is as it was made, to the byte.", demand, packed(files) == data, "It was changed.")
    report.check("The seal fits seal.json.", seal_fits, files, seal_sha256)
    if seal_sha256 is None:
        report.unchecked.append(
            f"The seal is {sha(files['seal.json'])}; compare it with the one on your statement or in another copy."
        )
    older, before = None, previous
    if isinstance(previous, bytes):
        older = opened(previous, "the bundle before")
        before = sha(older["seal.json"])
        text = "The bundle before it fits its own seal."
        report.check(text, seal_fits, {"seal.sha256": b"", **older}, None)
    report.check("It follows the seal before it.", chained, seal, files, before, older)
    if {"own.json", "proof.json"} <= set(files) <= RESIDENT | SEAL:
        report.check("verify.py is the one that was sealed.", verifier_fits, files, seal)
        resident(files, seal, report)
        if openings:
            report.unchecked.append("Openings given beside a resident's own bundle were not used.")
        return report
    kind = seal.get("kind")
    wanted = CORPORATION if kind == "month" else {"correction.json", "salt.json", "verify.py"}
    if set(files) != wanted | SEAL:
        odd = ", ".join(sorted(set(files) ^ (wanted | SEAL)))
        raise Damaged(f"{name}: it has other files than a bundle of this format: {odd}.")
    salt = parsed(files["salt.json"], "salt.json")
    report.check("Every file is what was sealed.", files_fit, files, seal, salt.get("salt", ""))
    if kind == "month":
        corporation(files, seal, [parsed(one, "An opening") for one in openings], report)
    else:
        correction = parsed(files["correction.json"], "correction.json")
        report.check("The correction is that of the seal.", heads, correction, seal)
        report.check("Its differences add up, line by line, party by party and in the postings.", differs, correction)
        report.unchecked.append(
            "Why the month comes to other amounts than before was not recomputed; that takes the readings and a replay."
        )
    return report


def verifier_fits(files: dict[str, bytes], seal: dict[str, Any]) -> None:
    demand(sha(files["verify.py"]) == seal["files"]["verify.py"], "It was changed.")


def heads(correction: dict[str, Any], seal: dict[str, Any]) -> None:
    for name in ("community", "month", "revision"):
        demand(correction[name] == seal[name], f"They differ in {name}.")


def differs(correction: dict[str, Any]) -> None:
    """Original + difference = recomputed wherever all three stand, and what is due is what was booked."""
    due = 0
    for entry in correction["statements"]:
        changed = 0
        for line in entry["lines"]:
            for name in ("net_eur", "vat_eur", "amount_eur"):
                compared({which: line[which][name] for which in ("original", "recomputed", "difference")}, line["code"])
            for which in ("original", "recomputed", "difference"):
                net, vat, amount = (cents(line[which][f"{name}_eur"]) for name in ("net", "vat", "amount"))
                demand(net + vat == amount, f"{line['code']}: net and VAT are not the amount.")
            changed += cents(line["difference"]["amount_eur"])
        for name in ("total", "advance", "balance"):
            compared(entry[f"{name}_eur"], name)
        for which in ("original", "recomputed", "difference"):
            total, advance, rest = (cents(entry[f"{name}_eur"][which]) for name in ("total", "advance", "balance"))
            demand(total - advance == rest, f"The balance of {entry['party']} is another.")
        demand(cents(entry["total_eur"]["difference"]) == changed, f"The lines of {entry['party']} do not add up.")
        demand(cents(entry["due_eur"]) == cents(entry["balance_eur"]["difference"]), "What is due is another amount.")
        due += cents(entry["due_eur"])
    for one in correction["pools"]:
        compared(one["amount_eur"], one["code"])
    sums: dict[int, int] = {}
    owed = 0
    for posting in correction["postings"]:
        amount = cents(posting["eur"])
        sums[posting["transaction"]] = sums.get(posting["transaction"], 0) + amount
        owed += amount if posting["account"].startswith("party:") else 0
    demand(not any(sums.values()), "A transaction does not sum to zero.")
    demand(owed == due, "What parties are booked for is not what is due.")
    demand(all(one["holds"] is True for one in correction["checks"]), "It says itself that a check does not hold.")


def compared(three: dict[str, str], name: str) -> None:
    off = cents(three["original"]) + cents(three["difference"]) - cents(three["recomputed"])
    demand(not off, f"{name}: original + difference is not what was recomputed.")


def read(path: str) -> bytes:
    """Read a file, or say in a sentence why not."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Damaged(f"{path}: it cannot be read: {error.strerror}.") from None


def told(report: Report) -> list[str]:
    """Sentences of a report, and what they come to."""
    lines = [f"proved       {text}" for text in report.proved]
    lines += [f"not checked  {text}" for text in report.unchecked]
    lines += [f"WRONG        {text}" for text in report.wrong]
    count = len(report.wrong)
    return [*lines, f"{count} of the checks failed." if count else "Nothing is wrong with this bundle."]


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, check, print."""
    parser = argparse.ArgumentParser(prog="verify.py", description="Check a sealed month.")
    parser.add_argument("bundle", metavar="BUNDLE.zip")
    parser.add_argument("--previous", metavar="ZIP|HASH", help="the bundle before it, or its seal")
    parser.add_argument("--seal", metavar="HASH", help="the seal it must have")
    parser.add_argument("--opening", metavar="FILE", nargs="+", action="extend", default=[], help="opens a commitment")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    given = parser.parse_args(arguments)
    try:
        before = given.previous
        if before is not None and not is_hash(before):
            before = read(before)
        found = [read(path) for path in given.opening]
        data = read(given.bundle)
        report = verify(data, name=given.bundle, previous=before, seal_sha256=given.seal, openings=found)
    except Damaged as reason:
        print(reason, file=sys.stderr)
        return 2
    if given.json:
        print(json.dumps(vars(report), ensure_ascii=False, indent=2))
    else:
        print("\n".join(told(report)))
    return 1 if report.wrong else 0


def is_hash(text: str) -> bool:
    """Tell a seal from a path."""
    return len(text) == HASH_DIGITS and set(text) <= set("0123456789abcdef")


if __name__ == "__main__":
    sys.exit(main())
