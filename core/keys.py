"""Sharing keys by name, and what each needs from the community file and allows.

A key itself is one class (`settlement.sharing`); its name stands here once more because the file is checked before
anything is settled. A test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

KeyName = Literal["fixed", "equal", "proportional", "optimal", "hybrid", "priority"]


class Needs(NamedTuple):
    """What a sharing rule with this key says, and what it can decide.

    ``weights``: one for every flat. ``order``: every flat once. ``entitles``: every flat is entitled to a part of the
    sun before anyone uses any, so that the surplus can follow what was not used (``unused_share``).
    """

    weights: bool = False
    order: bool = False
    entitles: bool = False


KEYS: Final[Mapping[KeyName, Needs]] = {
    "fixed": Needs(weights=True, entitles=True),
    "equal": Needs(entitles=True),
    "proportional": Needs(),
    "optimal": Needs(weights=True, entitles=True),
    "hybrid": Needs(weights=True, entitles=True),
    "priority": Needs(order=True),
}
