"""``wijkenergie person``: who may sign in. Personal data goes to the database only, never into the community file."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from core.db import config
from core.db.people import ROLES, Person, people, remove_person, save_person
from core.errors import BadInput
from core.settings import load_settings
from core.time import utc_now
from core.words import LANGUAGES
from wijkenergie.wiring import session, slug_of

app = typer.Typer(help="People who may sign in: add, list, link, remove.", no_args_is_help=True, rich_markup_mode=None)

Id = Annotated[str, typer.Argument(metavar="ID", help="short name, like bewoner-A01")]


@app.command()
def add(
    person: Id,
    role: Annotated[list[str], typer.Option("--role", help=f"one of {', '.join(ROLES)}; may be repeated")],
    household: Annotated[str | None, typer.Option("--household", help="of a resident, as in the file")] = None,
    name: Annotated[str, typer.Option("--name", help="how others see this person in the work log")] = "",
    email: Annotated[str | None, typer.Option("--email", help="where messages go")] = None,
    language: Annotated[str, typer.Option("--language", help=f"one of {', '.join(LANGUAGES)}")] = "nl",
) -> None:
    """Add a person, or bring what is known up to date."""
    for one in role:
        if one not in ROLES:
            raise BadInput(f"There is no role '{one}'; choose from {', '.join(ROLES)}.")
    if language not in LANGUAGES:
        raise BadInput(f"There is no language '{language}' yet; choose from {', '.join(LANGUAGES)}.")
    if ("resident" in role) != (household is not None):
        raise BadInput("A resident has a household and others have none; give --household with --role resident only.")
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        known = {one.id for one in config.load(connection, slug).community.households}
        if household is not None and household not in known:
            raise BadInput(f"There is no household '{household}' in {slug}; correct the name.")
        save_person(connection, slug, Person(person, name or person, role, household, email, language))
    print(f"{person} may sign in; 'wijkenergie person link {person}' makes a link.")


@app.command(name="list")
def list_people() -> None:
    """List the people."""
    with session(load_settings()) as connection:
        for one in people(connection, slug_of(connection, load_settings())):
            print("\t".join([one.id, ",".join(one.roles), one.household or "-", one.email or "-", one.language]))


@app.command()
def link(
    person: Id, hours: Annotated[int, typer.Option("--hours", min=1, max=24 * 30, help="how long it is valid")] = 48
) -> None:
    """Make a link that signs a person in once."""
    from api.access import new_sign_in_link  # noqa: PLC0415 - keeps other commands quick

    settings = load_settings()
    with session(settings) as connection:
        slug = slug_of(connection, settings)
        print(new_sign_in_link(connection, settings.base_url, slug, person, utc_now(), timedelta(hours=hours)))


@app.command()
def remove(person: Id) -> None:
    """Forget a person, their links and sessions."""
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        if not remove_person(connection, slug, person):
            raise BadInput(f"There is no person '{person}' in {slug}.")
    print(f"{person} was removed.")
