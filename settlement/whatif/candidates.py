"""The rules that are compared: every key with every surplus rule, as far as the file says what they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from core.community import Community, Sharing
from core.consistency import sharing_faults
from core.keys import KEYS, KeyName
from core.time import Month
from settlement.sharing import terms
from settlement.tariffs import stretches_between

Weights = Literal["file", "floor_area"]

SURPLUS: tuple[str, ...] = get_args(Sharing.model_fields["surplus"].annotation)


@dataclass(frozen=True)
class Candidate:
    """A sharing rule to try: it takes the place of every rule of the span; all else stays as the file says.

    Attributes
    ----------
    key, surplus
        As in a sharing rule.
    weights
        Whose weights: the file's own, or the floor areas; None under a key without weights.
    community
        The community with this rule.
    today
        Whether this is what the file says for the whole span.
    """

    key: str
    surplus: str
    weights: Weights | None
    community: Community
    today: bool = False

    @property
    def name(self) -> str:
        """Name of the candidate in files, for instance ``fixed-by-area/owner``."""
        return f"{self.division}/{self.surplus}"

    @property
    def division(self) -> str:
        """Name of how the sun is divided; candidates that share it differ in the surplus rule alone."""
        return f"{self.key}-by-area" if self.weights == "floor_area" else self.key


@dataclass(frozen=True)
class Impossible:
    """A key that cannot be tried, and what to add to the file so that it can."""

    division: str
    remedy: str


def candidates(community: Community, first: Month, last: Month) -> tuple[list[Candidate], list[Impossible]]:
    """List the rules that can be tried over a span of months, and those that cannot.

    Keys with weights are tried with the file's weights and, where every floor area is known, once more with the floor
    areas as weights under a name of their own (left out where those are the file's weights in other words).

    Parameters
    ----------
    first, last
        Both included.
    """
    rules = _rules(community, first, last)
    found: list[Candidate] = []
    impossible: list[Impossible] = []
    for key, weights in _divisions():
        if weights == "floor_area" and (not _areas_known(community) or _same_weights(community, rules)):
            continue
        tried = [_with(community, rule, key, weights) if rule in rules else rule for rule in community.sharing]
        faults = [
            f"{text} (in the sharing rule from {rule.start})"
            for rule in tried
            for text in sharing_faults(community, rule)
        ]
        if faults:
            impossible.append(Impossible(f"{key}-by-area" if weights == "floor_area" else key, faults[0] + "."))
            continue
        for surplus in SURPLUS:
            if surplus == "unused_share" and not KEYS[key].entitles:
                continue
            sharing = tuple(
                new.model_copy(update={"surplus": surplus}) if old in rules else old
                for old, new in zip(community.sharing, tried, strict=True)
            )
            today = all(terms(old) == terms(new) for old, new in zip(community.sharing, sharing, strict=True))
            changed = community.model_copy(update={"sharing": sharing})
            found.append(Candidate(key, surplus, weights, changed, today))
    return found, impossible


def _divisions() -> Iterator[tuple[KeyName, Weights | None]]:
    for key in KEYS:
        if KEYS[key].weights:
            yield key, "file"
            yield key, "floor_area"
        else:
            yield key, None


def _rules(community: Community, first: Month, last: Month) -> list[Sharing]:
    """Return the sharing rules that are in force on some day of the span."""
    return [stretch.sharing for stretch in stretches_between(community, first.first_day, last.end_day)]


def _with(community: Community, rule: Sharing, key: str, weights: Weights | None) -> Sharing:
    changes: dict[str, object] = {"key": key, "surplus": "owner"}
    if weights == "floor_area":
        changes["weights"] = {flat.id: flat.floor_area_m2 for flat in community.flats}
    return rule.model_copy(update=changes)


def _areas_known(community: Community) -> bool:
    return all(flat.floor_area_m2 is not None for flat in community.flats)


def _same_weights(community: Community, rules: Sequence[Sharing]) -> bool:
    """Tell whether the file's weights are the floor areas up to a factor, in every rule."""
    areas = {flat.id: flat.floor_area_m2 or Decimal(0) for flat in community.flats}
    some = next(iter(areas))
    return all(
        rule.weights is not None
        and set(rule.weights) == set(areas)
        and all(rule.weights[flat] * areas[some] == rule.weights[some] * areas[flat] for flat in areas)
        for rule in rules
    )
