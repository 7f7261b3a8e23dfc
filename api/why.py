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
from settlement.why.answer import answer


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

    running = Month.of(local_day(now, community.zone))
    return answer(wanted, document, community, household, running)
