"""People who use the service. Their data lives in the database only, never in the community file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from core.db.connection import Connection

ROLES: Final = ("resident", "volunteer", "corporation", "operator")
"""What a person may be; one may be several."""


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in; ``household`` None for people who are no residents."""

    id: str
    name: str
    roles: Sequence[str]
    household: str | None = None
    email: str | None = None
    language: str = "nl"


def save_person(connection: Connection, community: str, person: Person) -> None:
    """Add a person, or bring what is known of them up to date."""
    connection.execute(
        "INSERT INTO person (community, id, name, email, language, household, roles)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (community, id) DO UPDATE"
        " SET (name, email, language, household, roles)"
        " = (EXCLUDED.name, EXCLUDED.email, EXCLUDED.language, EXCLUDED.household, EXCLUDED.roles)",
        (
            community,
            person.id,
            person.name,
            person.email,
            person.language,
            person.household,
            list(person.roles),
        ),
    )


def remove_person(connection: Connection, community: str, person: str) -> bool:
    """Forget a person, their links and sessions; False if there was none."""
    return bool(connection.execute("DELETE FROM person WHERE (community, id) = (%s, %s)", (community, person)).rowcount)


def people(connection: Connection, community: str) -> list[Person]:
    """Return everyone, by id."""
    rows = connection.execute(
        "SELECT id, name, roles, household, email, language FROM person WHERE community = %s ORDER BY id", (community,)
    ).fetchall()
    return [Person(*row) for row in rows]
