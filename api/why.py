"""Why a household's month is different from earlier ones, from the statements that were settled."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from api.statements import month_statement
from core.community import Community
from core.db.connection import Connection
from core.errors import BadInput
from core.time import Month, local_day
from settlement.derived.store import series
from settlement.readings import boundaries
from settlement.why.answer import answer
from settlement.why.facts import Facts
from settlement.why.samerule import Divided, redivided


def why(
    connection: Connection, community: Community, month: str, household: str, now: datetime
) -> dict[str, Any] | None:
    """Return what changed, or None if the household has no statement of that month (or it is no month)."""
    try:
        wanted = Month.parse(month)
    except BadInput:
        return None

    @cache
    def document(of: Month) -> dict[str, Any] | None:
        return month_statement(connection, community.community, str(of))

    def redivide(earlier: Month, after: Facts) -> Divided | None:
        """By the intervals that the worker derived: the pages' own, which say the same as the readings."""
        meters = [meter.id for meter in community.meters_of("electricity", "solar_generation")]
        found = series(connection, community.community, meters, boundaries(community, after.month))
        return redivided(community, earlier, after, found, household)

    running = Month.of(local_day(now, community.zone))
    return answer(wanted, document, community, household, running, redivide)
