"""What a final month was settled from, and in words what is different today: the reasons of a correction."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from core.community import Community
from core.time import Month, from_microseconds, rfc3339
from settlement import selection
from settlement.model import Readings

_NAMED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "flats": ("id",),
    "households": ("id",),
    "meters": ("id",),
    "replacements": ("meter", "at"),
    "edits": ("meter", "at"),
    "sharing": ("from",),
    "tariffs": ("from",),
    "heat": ("from",),
    "costs": ("pool", "invoice"),
    "advances": ("household", "from"),
    "work": ("household", "task", "at"),
    "work_credits": ("from",),
    "pellets.deliveries": ("invoice",),
    "pellets.counts": ("at",),
}
"""Fields that name an entry of a list; entries of other lists are told by their whole text."""

Kind = Literal["readings", "added", "removed", "changed"]


class Late(NamedTuple):
    """Readings of a meter that became known after a month was final: how many, and of when [microseconds UTC]."""

    number: int
    first: int
    last: int


class Meter(NamedTuple):
    """Readings of a meter that were used: how many, and the SHA-256 of their canonical lines."""

    readings: int
    sha256: str


@dataclass(frozen=True)
class Inputs:
    """Everything a month was settled from: the canonical line of rules and events, and each meter's readings."""

    configuration: str
    meters: Mapping[str, Meter]

    @property
    def tree(self) -> dict[str, Any]:
        """As it is stored with a sealed document."""
        meters = {name: {"readings": one.readings, "sha256": one.sha256} for name, one in sorted(self.meters.items())}
        return {"configuration": json.loads(self.configuration), "meters": meters}

    @classmethod
    def of_tree(cls, tree: Mapping[str, Any]) -> Inputs:
        """Inverse of `tree`."""
        meters = {name: Meter(one["readings"], one["sha256"]) for name, one in tree["meters"].items()}
        return cls(_text(tree["configuration"]), meters)


@dataclass(frozen=True)
class Reason:
    """One thing that is different: readings of a meter, or an entry of a section of the community."""

    kind: Kind
    what: str
    name: str
    text: str

    @property
    def tree(self) -> dict[str, str]:
        """As it stands in a document."""
        return {"kind": self.kind, "what": self.what, "name": self.name, "text": self.text}


def inputs_of(community: Community, month: Month, selected: Readings) -> Inputs:
    """Describe what a month is settled from, meter by meter, from the canonical form that its hash is over."""
    lines = selection.canonical(community, month, selected)
    configuration = next(lines).rstrip("\n")
    digests, counts = {name: hashlib.sha256() for name in selected}, dict.fromkeys(selected, 0)
    for line in lines:
        name = line.partition(",")[0]
        digests[name].update(line.encode())
        counts[name] += 1
    return Inputs(configuration, {name: Meter(counts[name], digests[name].hexdigest()) for name in selected})


def reasons(before: Inputs, after: Inputs, late: Mapping[str, Late]) -> list[Reason]:
    """Tell what is different, events and rules first, then readings.

    Parameters
    ----------
    before, after
        What the month was settled from then, and would be today.
    late
        By meter, readings that became known since; only those of meters whose readings differ are told.
    """
    return [*_entries(before, after), *_readings(before, after, late)]


def _readings(before: Inputs, after: Inputs, late: Mapping[str, Late]) -> Iterator[Reason]:
    for name in sorted({*before.meters, *after.meters}):
        was, now = before.meters.get(name), after.meters.get(name)
        if was == now:
            continue
        gone = (was.readings if was else 0) - (now.readings if now else 0)
        if name in late:
            number, first, last = late[name]
            span = f"from {rfc3339(from_microseconds(first))} to {rfc3339(from_microseconds(last))}"
            text = (
                f"{number} reading{'s' * (number != 1)} of meter {name} {span} became known after the month was final."
            )
        elif gone > 0:
            text = f"{gone} reading{'s' * (gone != 1)} fewer of meter {name} count than when the month became final."
        else:
            text = f"Other readings of meter {name} count than when the month became final."
        yield Reason("readings", "readings", name, text)


def _entries(before: Inputs, after: Inputs) -> Iterator[Reason]:
    was, now = _flat(before.configuration), _flat(after.configuration)
    for section in sorted({*was, *now}):
        old, new = _named(section, was.get(section)), _named(section, now.get(section))
        for name in [*old, *(one for one in new if one not in old)]:
            where = f"{section} {name}".rstrip()
            if name not in new:
                yield Reason("removed", section, name, f"{where} was taken back: {_shown(old[name])}.")
            elif name not in old:
                yield Reason("added", section, name, f"{where} was added: {_shown(new[name])}.")
            elif old[name] != new[name]:
                yield Reason("changed", section, name, f"{where} changed: {_change(old[name], new[name])}.")


def _flat(configuration: str) -> dict[str, Any]:
    """Sections of the canonical line; those of the pellets each by themselves."""
    tree: dict[str, Any] = json.loads(configuration)
    pellets = tree.pop("pellets", None) or {}
    return tree | {f"pellets.{name}": value for name, value in pellets.items()}


def _named(section: str, value: Any) -> dict[str, Any]:
    """Entries of a section by name; what is no list is one entry without a name, null is none."""
    if value is None:
        return {}
    if not isinstance(value, list):
        return {"": value}
    fields = _NAMED_BY.get(section)
    found: dict[str, Any] = {}
    for entry in value:
        name = " ".join(str(entry[field]) for field in fields) if fields else _text(entry)
        while name in found:
            name += "'"
        found[name] = entry
    return found


def _change(old: Any, new: Any) -> str:
    if not (isinstance(old, dict) and isinstance(new, dict)):
        return f"{_shown(old)} -> {_shown(new)}"
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return ", ".join(f"{name} {_shown(old.get(name))} -> {_shown(new.get(name))}" for name in sorted(names))


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items() if inner is not None)
    return "none" if value is None else value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
