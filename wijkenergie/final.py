"""``settle`` of months that are final, or become so: seals, corrections, and who goes over which gate."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.db.connection import Connection
from core.errors import BadInput
from core.time import Month, utc_now
from settlement.final import issue, store
from settlement.final.store import Sealed
from settlement.replay import write_files
from wijkenergie import tables

HOUSE = "operator"
"""Who decides at the command line, unless somebody is named."""


def reasons_of(despite: Sequence[str], by: str | None) -> dict[str, str]:
    """Read ``GATE=reason`` options.

    Raises
    ------
    BadInput
        If one is not written like that, names a gate twice, or nobody is named.
    """
    found: dict[str, str] = {}
    for text in despite:
        gate, equals, reason = text.partition("=")
        if not equals or not gate:
            raise BadInput(f"'{text}' is not an override; write it as --despite GATE='the reason'.")
        if gate in found:
            raise BadInput(f"Gate '{gate}' is given twice; give one reason.")
        found[gate] = reason
    if found and not by:
        raise BadInput("An override names who decided it; add --by.")
    return found


def is_final(connection: Connection, slug: str, month: Month) -> bool:
    """Tell whether a month is final."""
    return bool(store.of_month(connection, slug, str(month)))


def show(connection: Connection, slug: str, month: Month, out: Path | None, *, as_json: bool) -> None:
    """Print what is sealed of a final month, and what would change today; nothing is written to the database."""
    documents = store.of_month(connection, slug, str(month))
    waiting = issue.candidate(connection, slug, month)
    _written(connection, slug, out, documents)
    if as_json:
        rows = [{"number": one.number, "revision": one.revision, "seal_sha256": one.seal_sha256} for one in documents]
        _print_json({"month": str(month), "status": "final", "documents": rows, "correction": waiting})
        return
    print(_sealed(documents))
    if waiting is None:
        print("Settled today it would come out the same, to the cent.")
    else:
        tables.show_correction(waiting)
        print(f"Nothing was changed; 'wijkenergie settle {month} --final' issues this correction.")


def finalise(
    connection: Connection,
    slug: str,
    month: Month,
    despite: dict[str, str],
    by: str | None,
    out: Path | None,
    *,
    as_json: bool,
) -> None:
    """Make a month final, or issue the correction of one that is; a second time nothing happens."""
    corrects = is_final(connection, slug, month)
    decide = issue.correct if corrects else issue.finalise
    issued = decide(connection, slug, month, utc_now(), by or HOUSE, despite)
    documents = store.of_month(connection, slug, str(month))
    _written(connection, slug, out, documents)
    if issued is None:
        show(connection, slug, month, None, as_json=as_json)
    elif as_json:
        _print_json(issued.document)
    else:
        (tables.show_correction if corrects else tables.show_month)(issued.document)
        for one in issued.sealed.despite:
            print(f"Gate '{one['gate']}' was overridden by {one['by']}: {one['reason']}")
        print(_sealed(documents))


def _sealed(documents: Sequence[Sealed]) -> str:
    lines = [
        f"{one.month} {'is final' if one.revision == 1 else 'was corrected'}: document {one.number},"
        f" revision {one.revision}, seal {one.seal_sha256}."
        for one in documents
    ]
    return "\n".join(lines)


def _written(connection: Connection, slug: str, out: Path | None, documents: Sequence[Sealed]) -> None:
    """Write every sealed document of a month, and its bundle, into a folder."""
    if out is None:
        return
    contents: dict[str, bytes] = {}
    for one in documents:
        name = "statement.json" if one.revision == 1 else f"correction-{one.revision}.json"
        contents[name] = one.document.encode()
        contents[f"{one.number}.zip"] = store.bundle(connection, slug, one.number) or b""
    write_files(out, contents)


def _print_json(tree: dict[str, Any]) -> None:
    text = json.dumps(tree, ensure_ascii=False, indent=2, sort_keys=True)
    sys.stdout.buffer.write(f"{text}\n".encode())
