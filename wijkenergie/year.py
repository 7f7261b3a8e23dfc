"""``wijkenergie year``: the yearly statement from what is final, as documents; nothing is booked or changed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.settings import load_settings
from core.time import Month
from wijkenergie import tables
from wijkenergie.wiring import session, slug_of

if TYPE_CHECKING:
    from settlement.final.years import Made


def show(
    year: Annotated[str, typer.Argument(metavar="YEAR", help="YYYY, a calendar year in local time")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write to")],
    until: Annotated[
        str | None, typer.Option("--until", metavar="MONTH", help="last month, where the building ended in the year")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable output")] = False,
) -> None:
    """Write the yearly statement: year.json, year.csv to book, and a PDF for each party."""
    from settlement.final import years  # noqa: PLC0415 - keeps other commands quick
    from settlement.replay import write_files  # noqa: PLC0415 - see above

    last = None if until is None else Month.parse(until)
    with session(load_settings()) as connection:
        made = years.make(connection, slug_of(connection, load_settings()), year, last)
    contents = files(made)
    write_files(out, contents)
    if as_json:
        sys.stdout.buffer.write(contents["year.json"])
        return
    tables.show_year(made.document)
    for month in made.waiting:
        print(
            f"A correction of {month} waits and does not count: 'wijkenergie settle {month} --final' issues it;"
            " then make the year again."
        )
    print(f"Written to {out}: year.json, year.csv and {len(contents) - 2} PDFs.")


def files(made: Made) -> dict[str, bytes]:
    """Write a year as files, by name: a PDF is called by flat and party, the owner's own by the owner."""
    from settlement.documents.csv import year_csv  # noqa: PLC0415 - keeps other commands quick
    from settlement.documents.pdf import year_pdf  # noqa: PLC0415 - see above
    from settlement.statement import dump  # noqa: PLC0415 - see above

    contents = {"year.json": dump(made.document), "year.csv": year_csv(made.document).encode()}
    for entry in made.document["statements"]:
        # No name of a flat or party has a plus in it.
        name = f"{entry['flat']}+{entry['party']}.pdf" if entry["flat"] else f"{entry['party']}.pdf"
        contents[name] = year_pdf(made.document, entry, made.language, made.name)
    return contents
