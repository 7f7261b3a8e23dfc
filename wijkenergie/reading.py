"""``wijkenergie reading``: what a coordinator does by hand about readings, each step with who and why.

Nothing here changes a stored reading. A value read from a display, a wrong value set aside and a swapped meter are
events of their own, which can be withdrawn; what depends on them is worked out anew.
"""

from __future__ import annotations

from typing import Annotated

import typer

from core.communityfile import CommunityFile
from core.db import byhand, config
from core.db.connection import Connection
from core.errors import BadInput
from core.settings import load_settings
from core.time import from_microseconds, microseconds, parse_time, rfc3339, utc_now
from core.yamltext import Tree
from settlement import store
from wijkenergie.wiring import session, slug_of

app = typer.Typer(
    help="Readings by hand: add, exclude, replace, list, withdraw.", no_args_is_help=True, rich_markup_mode=None
)

MeterId = Annotated[str, typer.Argument(metavar="METER", help="id of the meter, as in the community file")]
At = Annotated[str, typer.Option("--at", help="when, with a zone, like 2026-01-14T10:30:00+01:00")]
By = Annotated[str, typer.Option("--by", help="who decided this: a role or a short name, it stands on statements")]
Why = Annotated[str, typer.Option("--why", help="the reason, one sentence without a full stop")]
Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


@app.command()
def add(
    meter: MeterId,
    value: Annotated[str, typer.Argument(metavar="VALUE", help="what the display showed, in the meter's unit")],
    at: At,
    by: By,
    why: Why,
    photo: Annotated[str | None, typer.Option("--photo", help="name of the photo of the display")] = None,
    *,
    yes: Yes = False,
) -> None:
    """Add a value that was read from the display; it counts instead of a stored one of that very instant."""
    body = {"meter": meter, "at": at, "value": value, "by": by, "why": why}
    _record("edits", body | ({"photo": photo} if photo else {}), yes=yes)


@app.command()
def exclude(
    meter: MeterId,
    at: At,
    by: By,
    why: Why,
    until: Annotated[str | None, typer.Option("--until", help="up to and including this instant")] = None,
    *,
    yes: Yes = False,
) -> None:
    """Set readings aside: they stay stored, and count for nothing."""
    body = {"meter": meter, "at": at, "exclude": "true", "by": by, "why": why}
    _record("edits", body | ({"until": until} if until else {}), yes=yes)


@app.command()
def replace(
    meter: MeterId,
    at: At,
    old_end: Annotated[str, typer.Option("--old-end", help="last value of the old meter, in the meter's unit")],
    new_start: Annotated[str, typer.Option("--new-start", help="first value of the new meter")],
    by: By,
    why: Why,
    *,
    yes: Yes = False,
) -> None:
    """Declare that a meter was swapped for another that goes on under the same id."""
    body = {"meter": meter, "at": at, "old_end": old_end, "new_start": new_start, "by": by, "why": why}
    _record("replacements", body, yes=yes)


@app.command(name="list")
def list_edits(meter: Annotated[str | None, typer.Argument(metavar="[METER]")] = None) -> None:
    """List what was done by hand, with the key that `withdraw` takes."""
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        for row in byhand.listed(connection, slug):
            if meter in (None, row.body["meter"]):
                print("\t".join([row.kind, row.key, rfc3339(row.recorded_at), row.withdrawn or "-", _short(row.body)]))


@app.command()
def withdraw(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="edit or replacement, as 'list' prints it")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="as 'list' prints it")],
    by: By,
    why: Why,
) -> None:
    """Take back what was done by hand; the record of both stays."""
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        byhand.withdraw(connection, slug, kind, key, by, why, utc_now())
    print(f"Withdrawn: {kind} {key}.")


def _record(section: str, body: Tree, *, yes: bool) -> None:
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        file = config.load(connection, slug)
        wanted = byhand.with_entry(file, section, body)
        for line in _around(connection, file, body):
            print(line)
        print(f"{section}: {_short(body)}")
        if not yes and not typer.confirm("Write this down?"):
            raise typer.Exit(1)
        config.apply(connection, wanted, utc_now(), str(body["by"]))
    print("Written down. Open months follow with the next run of the worker; 'wijkenergie settle' does it at once.")


def _around(connection: Connection, file: CommunityFile, body: Tree) -> list[str]:
    """Show the stored readings on either side of an instant, so that a slip of the pen is seen."""
    meter = next((one for one in file.community.meters if one.id == body["meter"]), None)
    if meter is None:
        raise BadInput(f"There is no meter '{body['meter']}' in {file.community.community}; correct the name.")
    instant = microseconds(parse_time(body["at"]))
    until = microseconds(parse_time(str(body.get("until", body["at"]))))
    known = store.readings_between(connection, file.community.community, meter.id, instant, until)
    if known is None:
        return [f"Meter {meter.id} has no stored readings."]
    rows = list(zip(known.times, known.values, strict=True))
    shown = rows if len(rows) <= 6 else [*rows[:3], *rows[-3:]]  # noqa: PLR2004 - a screenful
    left_out = len(rows) - len(shown)
    lines = [f"{rfc3339(from_microseconds(time))}  {value:f} {meter.unit}" for time, value in shown]
    heading = f"Stored readings of {meter.id} around it{f' ({left_out} not shown)' if left_out else ''}:"
    return [heading, *lines]


def _short(body: Tree) -> str:
    return ", ".join(f"{name} {value}" for name, value in body.items())
