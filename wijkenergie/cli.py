"""The command line. Errors are one or two plain sentences on standard error and an exit code, never a traceback."""

from __future__ import annotations

import errno
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from core.communityfile import CommunityFile, load
from core.db import config, timescale, transfer
from core.db.connection import connect, in_words
from core.db.migrate import migrate as migrate_schema
from core.errors import BadInput, CheckFailed, Unavailable, WijkError
from core.settings import Settings, load_settings
from core.time import Month, utc_now
from wijkenergie import device, event, files, gaps, person, proof, reading, tables, whatif, year
from wijkenergie.wiring import absolute, configure_log, database, session, slug_of

app = typer.Typer(
    name="wijkenergie",
    help="Reads the meters of a block of flats, divides sun and heat fairly, keeps the boiler fed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(device.app, name="device")
app.add_typer(person.app, name="person")
app.add_typer(reading.app, name="reading")
app.add_typer(event.app, name="event")
app.command(name="gaps")(gaps.show)
app.command(name="whatif")(whatif.show)
app.command(name="year")(year.show)

CommunityPath = Annotated[Path, typer.Argument(metavar="COMMUNITY.yaml", help="the community file")]
ReadingsPath = Annotated[Path, typer.Argument(metavar="READINGS.csv", help="the readings file")]
MonthText = Annotated[str, typer.Argument(metavar="MONTH", help="YYYY-MM, local time")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="folder to write to")]
AsJson = Annotated[bool, typer.Option("--json", help="machine-readable output")]


@app.command()
def check(path: CommunityPath) -> None:
    """Validate a community file."""
    _checked(path)


def _checked(path: Path) -> CommunityFile:
    """Load a community file whose devices fit their profiles too, and say that it is in order."""
    from collector.feeds import feed_faults  # noqa: PLC0415 - profiles are read only here

    file = load(path)
    faults = [file.message(where, text) for where, text in feed_faults(file.community)]
    if faults:
        raise BadInput("\n".join(faults))
    community = file.community
    print(
        f"{path.name} is in order: {community.name}, {len(community.flats)} flats,"
        f" {len(community.meters)} meters, {len(community.devices)} devices."
    )
    return file


@app.command()
def apply(path: CommunityPath) -> None:
    """Bring the database in line with a community file; shows the difference first."""
    file = _checked(path)
    with session(load_settings()) as connection:
        difference = config.compare(connection, file)
        connection.rollback()
        for line in difference.lines():
            print(line)
        if difference.changes:
            config.apply(connection, file, utc_now(), "file")
            print(f"Applied to {file.community.community}.")
        else:
            print("The database is in line with the file.")


@app.command()
def migrate() -> None:
    """Bring the database schema up to date."""
    with database(load_settings()) as url:
        for line in migrate_schema(url) or ["The schema is up to date."]:
            print(line)
        with connect(url) as connection:
            if reason := timescale.obstacle(connection):
                print(reason)


@app.command()
def settle(
    month: MonthText,
    *,
    final: Annotated[bool, typer.Option("--final", help="make the month final, or issue its correction")] = False,
    despite: Annotated[
        list[str] | None, typer.Option("--despite", metavar="GATE=REASON", help="go over a gate; the seal keeps why")
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", help="who decides: a role or a short name; the seal keeps it")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="also write the documents here")] = None,
    as_json: AsJson = False,
) -> None:
    """Settle a month from the database and keep it as provisional; of a final month show what would change."""
    from settlement import replay, run  # noqa: PLC0415 - keeps other commands quick
    from wijkenergie import final as finals  # noqa: PLC0415 - see above

    wanted = Month.parse(month)
    reasons = finals.reasons_of(despite or [], by)
    if (reasons or by) and not final:
        raise BadInput("--despite and --by go with --final.")
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        if final:
            finals.finalise(connection, slug, wanted, reasons, by, out, as_json=as_json)
            return
        if finals.is_final(connection, slug, wanted):
            finals.show(connection, slug, wanted, out, as_json=as_json)
            return
        result = run.settle(connection, slug, wanted, utc_now())
    if out is not None:
        replay.write(out, result.settled, result.document)
    if as_json:
        sys.stdout.buffer.write(result.document)
    else:
        tables.show_month(result.statement)


@app.command()
def replay(
    community: CommunityPath,
    readings: ReadingsPath,
    month: Annotated[str, typer.Option("--month", metavar="MONTH", help="YYYY-MM, local time")],
    out: Out,
    key: Annotated[str | None, typer.Option("--key", help="another sharing key than the file's")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Settle a month from files: no database, no network."""
    from settlement import replay as replaying  # noqa: PLC0415 - see settle

    settled, document = replaying.replay(community, readings, Month.parse(month), key)
    replaying.write(out, settled, document)
    statement: dict[str, Any] = json.loads(document)
    if as_json:
        sys.stdout.buffer.write(document)
    else:
        tables.show_month(statement)
        print(f"Written to {out}: statement.json and quarters.csv.")


@app.command()
def export(month: MonthText, out: Out) -> None:
    """Write the month's community.yaml and readings.csv as the database knows them."""
    wanted = Month.parse(month)
    with session(load_settings()) as connection:
        written = files.export(connection, slug_of(connection, load_settings()), wanted, out)
    print(f"Written to {out}: {', '.join(path.name for path in written)}.")


@app.command(name="import")
def import_readings(
    readings: Annotated[Path | None, typer.Argument(metavar="[READINGS.csv]")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    undo: Annotated[int | None, typer.Option("--undo", metavar="BATCH", help="take an imported batch back")] = None,
) -> None:
    """Load readings by file: shows what would happen, then asks; a batch can be undone."""
    if (readings is None) == (undo is None):
        raise BadInput("Give either a readings file, or --undo with the number of a batch.")
    with session(load_settings()) as connection:
        slug = slug_of(connection, load_settings())
        if undo is not None:
            print(files.undo(connection, slug, undo, utc_now()))
        elif readings is not None:
            plan = files.preview(connection, slug, readings)
            for line in plan.lines():
                print(line)
            if plan.new and not yes and not _confirmed():
                raise CheckFailed("Nothing was imported.")
            print(files.take_in(connection, plan, utc_now()) if plan.new else "There is nothing new in the file.")


@app.command()
def verify(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE.zip", help="a sealed month, or a resident's own bundle")],
    *,
    previous: Annotated[
        str | None, typer.Option("--previous", metavar="ZIP|HASH", help="the bundle before it, or its seal")
    ] = None,
    seal: Annotated[str | None, typer.Option("--seal", metavar="HASH", help="the seal it must have")] = None,
    opening: Annotated[
        list[Path] | None, typer.Option("--opening", metavar="FILE", help="opens a commitment; may be repeated")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a sealed month: no database, no network."""
    proof.check(bundle, previous, seal, opening or [], as_json=as_json)


@app.command()
def backup(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a new or empty folder")]) -> None:
    """Write every table to a folder, as of one moment; loads into plain PostgreSQL and TimescaleDB alike."""
    with session(load_settings()) as connection:
        rows = transfer.dump(connection, folder)
    print(f"Written to {folder}: {sum(rows.values())} rows of {len(rows)} tables.")


@app.command()
def restore(folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that backup wrote")]) -> None:
    """Fill a migrated, empty database from a backup; all of it or nothing."""
    with database(load_settings()) as url:
        migrate_schema(url)
        with connect(url) as connection:
            rows = transfer.load(connection, folder)
            timescale.refresh(connection)
    print(f"Restored {sum(rows.values())} rows of {len(rows)} tables.")


@app.command()
def collect(
    *,
    share: Annotated[
        str | None, typer.Option("--share", metavar="NAME", help="share the messages with other collectors, as NAME")
    ] = None,
    polls: Annotated[
        bool, typer.Option("--polls", help="with --share: also poll the devices; for one of the members")
    ] = False,
    leave: Annotated[
        bool, typer.Option("--leave", help="store what the broker keeps for this collector, and end that for good")
    ] = False,
) -> None:
    """Read the devices (runs until stopped)."""
    from collector import service  # noqa: PLC0415 - keeps other commands quick
    from collector.collector import Share  # noqa: PLC0415 - see above
    from collector.sources.broker import Broker  # noqa: PLC0415 - see above

    settings = load_settings()
    if polls and share is None:
        raise BadInput("--polls goes with --share; a collector that is alone polls anyhow.")
    member = None if share is None else Share(share, polls=polls)
    configure_log(settings.log)
    data_dir = absolute(settings.data_dir)
    with database(settings) as url:
        slug = _collected(url, settings, service.spools(data_dir))
        if leave:
            service.leave(url, Broker.of(settings), slug, member, data_dir)
            print("The broker keeps nothing for this collector any more.")
            return
        # On one machine `serve` has the default port, so the collector takes the next.
        listen = settings.metrics_listen if "metrics_listen" in settings.model_fields_set else "127.0.0.1:9465"
        spool_bytes = settings.spool_mb * 1_000_000
        service.run(url, Broker.of(settings), slug, listen, data_dir, spool_bytes, share=member)


@app.command()
def serve() -> None:
    """Serve the pages and the API (runs until stopped)."""
    from api import serve as serving  # noqa: PLC0415 - keeps other commands quick

    settings = load_settings()
    configure_log(settings.log)
    with session(settings) as connection:
        slug = slug_of(connection, settings)
    with database(settings) as url:
        serving.run(url, settings, slug)


@app.command()
def work(
    *, any_hour: Annotated[bool, typer.Option("--any-hour", help="send messages at night too (for trying out)")] = False
) -> None:
    """Settle, forecast, alert and send messages (runs until stopped)."""
    from collector.sources.broker import Broker  # noqa: PLC0415 - keeps other commands quick
    from settlement import jobs  # noqa: PLC0415 - see above
    from wijkenergie.alerts import publisher  # noqa: PLC0415 - see above

    settings = load_settings()
    configure_log(settings.log)
    with session(settings) as connection:
        slug = slug_of(connection, settings)
    with database(settings) as url:
        publish = publisher(Broker.of(settings))
        jobs.run_worker(url, settings, slug, publish=publish, quiet_hours=not any_hour)


@app.command()
def demo(
    port: Annotated[int, typer.Option("--port", help="where the pages are served")] = 8000,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="folder of the demo's data")] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="compare a minute and a month with the truth, then end")] = False,
    seed: Annotated[int, typer.Option("--seed", help="which simulated building")] = 1,
) -> None:
    """Run a whole simulated building on this machine."""
    from wijkenergie.demo import run  # noqa: PLC0415 - the simulators are heavy

    settings = load_settings()
    configure_log(settings.log)
    run(data or settings.data_dir, port, seed, once=once)


def _collected(url: str, settings: Settings, spools: Path) -> str:
    """Tell which community to collect: as for every command, or without the database the one collected before."""
    from collector import lastknown  # noqa: PLC0415 - see collect

    if settings.community is not None:
        return load(settings.community).community.community
    try:
        with connect(url) as connection:
            return slug_of(connection, settings)
    except Unavailable:
        before = lastknown.remembered(spools)
        if len(before) != 1:
            raise
        return before[0]


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise BadInput("There is nobody to ask; add --yes to import.")
    return typer.confirm("Import?")


def main() -> None:
    """Run a command; every foreseen failure becomes a sentence and an exit code."""
    try:
        with in_words():
            app()
    except WijkError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        print(f"There is no space left on the disk ({error.filename}); make room and try again.", file=sys.stderr)
        sys.exit(Unavailable.exit_code)
