"""``wijkenergie whatif``: every sharing key and surplus rule side by side over a span of months, from files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.communityfile import load
from core.time import Month
from wijkenergie import tables


def show(
    community: Annotated[Path, typer.Argument(metavar="COMMUNITY.yaml", help="the community file")],
    readings: Annotated[Path, typer.Argument(metavar="READINGS.csv", help="the readings file")],
    first: Annotated[str, typer.Option("--from", metavar="MONTH", help="first month, YYYY-MM, local time")],
    last: Annotated[str, typer.Option("--until", metavar="MONTH", help="last month, included")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write to")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="machine-readable output")] = False,
) -> None:
    """Compare every sharing key and surplus rule over whole months, from files."""
    from settlement import readingsfile, replay  # noqa: PLC0415 - keeps other commands quick
    from settlement.documents.whatif import drawing  # noqa: PLC0415 - see above
    from settlement.documents.wording import Wording  # noqa: PLC0415 - see above
    from settlement.whatif import document  # noqa: PLC0415 - see above
    from settlement.whatif.compare import compare  # noqa: PLC0415 - see above

    file = load(community)
    span = Month.parse(first), Month.parse(last)
    comparison = compare(file.community, *span, readingsfile.read(readings, file.community))
    written = document.document(comparison)
    contents = {
        "whatif.json": document.dump(written),
        "whatif.csv": document.table(comparison).encode(),
        "whatif.svg": drawing(comparison, Wording(file.community.language)).encode(),
    }
    replay.write_files(out, contents)
    if as_json:
        sys.stdout.buffer.write(contents["whatif.json"])
    else:
        tables.show_rules(json.loads(contents["whatif.json"]))
        print(f"Written to {out}: {', '.join(contents)}.")
