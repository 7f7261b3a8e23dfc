"""What the watch over devices must know of each: its kind, how long it may be silent, and whether money hangs on it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from collector.profile import Profile
from core.community import Community, Device

_MISSED: Final = 3
"""So many readings in a row may fail before a device counts as silent."""


class Watched(NamedTuple):
    """A device, as its profile and the community file describe it."""

    device: str
    kind: str
    silent_after: timedelta
    feeds_settlement: bool


def watched(device: Device, profile: Profile, community: Community) -> Watched:
    """Describe a device for the watch.

    It may be silent for as long as its profile says, or for three times as long as it or a meter it feeds is normally
    read, whichever is longer. Settlement needs it when it feeds any meter but a pellet level, which decides nothing.
    """
    fed = [meter for meter in community.meters if meter.id in device.feeds.values()]
    spans = [_MISSED * meter.every for meter in fed if meter.every is not None]
    silent_after = max(profile.silence, _MISSED * device.every, *spans)
    return Watched(device.id, profile.kind, silent_after, any(meter.measures != "pellet_stock" for meter in fed))
