"""How long what opens a sealed month's quarter-hours is kept: so many months after the month's last document.

The community decides (``final: openings_kept_months``); without that nothing is destroyed by itself. A correction is a
new document, and begins the time anew: so long somebody may want to check it. What destroying takes away, and what
it does not, is in docs/decisions/0012-seal.md.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from core.community import Community
from core.db.connection import Connection
from core.time import Month, local_day
from settlement.final import store


def kept_through(sealed_at: datetime, months: int, zone: ZoneInfo) -> date:
    """Return the last local day on which openings are kept: the day of the seal, so many months later.

    Where that month is too short for the day, its last one.
    """
    day = local_day(sealed_at, zone)
    last = Month.of(day).shift(months)
    return last.first_day.replace(day=min(day.day, last.days))


def due(connection: Connection, community: Community, now: datetime) -> list[Month]:
    """Return the final months whose openings are kept no longer, oldest first; none where nothing is agreed on."""
    months = community.final.openings_kept_months
    if months is None:
        return []
    today = local_day(now, community.zone)
    newest = store.newest_of_opened(connection, community.community)
    return [month for month, sealed_at in newest.items() if kept_through(sealed_at, months, community.zone) < today]
