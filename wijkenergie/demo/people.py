"""Who may sign in to the demo: a resident per household, a volunteer, the corporation's bookkeeper."""

from __future__ import annotations

from datetime import datetime

from core.community import Community
from core.db.connection import Connection
from core.db.people import Person, save_person
from core.time import local_day

_MAIL = "{}@flat-de-ster.example"
RESIDENT = "bewoner-A01"
VOLUNTEER = "vrijwilliger"
CORPORATION = "corporatie"
SHOWN = (("resident", RESIDENT), ("volunteer", VOLUNTEER), ("corporation", CORPORATION))
"""Role and person of the sign-in links the demo prints."""


def enrol(connection: Connection, community: Community, now: datetime) -> None:
    """Enrol everyone who lives in the building today, and the two others."""
    today = local_day(now, community.zone)
    with connection.transaction():
        for household in community.households:
            if household.start <= today and (household.until is None or today < household.until):
                person = f"bewoner-{household.flat}"
                save_person(
                    connection,
                    community.community,
                    Person(person, household.flat, ["resident"], household.id, _MAIL.format(household.flat.lower())),
                )
        for person, role in ((VOLUNTEER, "volunteer"), (CORPORATION, "corporation")):
            save_person(connection, community.community, Person(person, person, [role], None, _MAIL.format(person)))
