"""``wijkenergie event``: put right what was recorded wrongly, each step with who and why.

The record itself stays. Open months follow with the next run of the worker; a final month is corrected by a document.
"""

from __future__ import annotations

from typing import Annotated

import typer

from core.db import amend
from core.errors import BadInput
from core.settings import load_settings
from core.time import utc_now
from core.yamltext import Tree
from wijkenergie.wiring import session, slug_of

app = typer.Typer(
    help="Households, deliveries, counts, costs, advances: list, change, withdraw.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Kind = Annotated[str, typer.Argument(metavar="KIND", help="as 'list' prints it")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="as 'list' prints it")]
By = Annotated[str, typer.Option("--by", help="who decided this: a role or a short name")]
Why = Annotated[str, typer.Option("--why", help="the reason, one sentence without a full stop")]


@app.command(name="list")
def list_events() -> None:
    """List what is recorded, with the kind and key that `change` and `withdraw` take."""
    with session(load_settings()) as connection:
        for one in amend.listed(connection, slug_of(connection, load_settings())):
            state = "withdrawn" if one.withdrawn else f"changed {one.amended} times" if one.amended else "-"
            print("\t".join([one.kind, one.key, state, _short(one.body)]))


@app.command()
def change(
    kind: Kind,
    key: Key,
    fields: Annotated[list[str], typer.Argument(metavar="FIELD=VALUE...", help="FIELD= takes a field away")],
    by: By,
    why: Why,
) -> None:
    """Let an event count with other values, for instance `event change household h-002 until=2026-02-15`."""
    changes: Tree = {}
    for text in fields:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise BadInput(f"'{text}' is not FIELD=VALUE; write it like eur=330.00.")
        changes[name] = value
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        before = amend.amend(connection, slug, kind, key, changes, by, why, utc_now())
    print(f"Changed: {kind} {key}; it was {_short(before.body)}.")


@app.command()
def withdraw(kind: Kind, key: Key, by: By, why: Why) -> None:
    """Let an event count for nothing; the record of both stays."""
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        amend.withdraw(connection, slug, kind, key, by, why, utc_now())
    print(f"Withdrawn: {kind} {key}.")


def _short(body: Tree) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(body.items()))
