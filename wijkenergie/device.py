"""``wijkenergie device``: profiles, decoding of recorded data, reading and recording real devices."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from core.errors import CheckFailed
from core.settings import load_settings
from core.time import utc_now

app = typer.Typer(
    help="Device profiles: list, show, decode, read, record, draft.", no_args_is_help=True, rich_markup_mode=None
)

ProfileName = Annotated[str, typer.Argument(metavar="PROFILE")]
Link = Annotated[str, typer.Argument(metavar="LINK", help="like modbus-tcp://192.168.1.20:502/1 or mqtt:flats/A01")]


@app.command(name="list")
def list_profiles() -> None:
    """List the device profiles."""
    from collector import commands  # noqa: PLC0415 - keeps other commands quick

    for line in commands.list_profiles():
        print(line)


@app.command()
def show(profile: ProfileName) -> None:
    """Show one profile: what it reads, from where it is known, what to watch."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    for line in commands.show(profile):
        print(line)


@app.command()
def decode(profile: ProfileName, file: Annotated[Path, typer.Argument(metavar="FILE.json")]) -> None:
    """Decode recorded raw data; no device is needed."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    for item in commands.decode_file(profile, file):
        print(json.dumps(item, ensure_ascii=False))


@app.command()
def read(
    profile: ProfileName,
    link: Link,
    meter: Annotated[str | None, typer.Option("--meter", metavar="ID", help="the meter it would fill")] = None,
    pause: Annotated[float, typer.Option("--pause", metavar="SECONDS", min=0, help="time between the two looks")] = 10,
    *,
    check: Annotated[bool, typer.Option("--check/--no-check", help="tell whether the profile fits")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print the check as JSON, after the readings")] = False,
) -> None:
    """Read a real device, print the readings, and tell whether the profile fits what it says (exit code 1: no)."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    if not check:
        for item in commands.read_once(profile, link):
            print(json.dumps(item, ensure_ascii=False))
        return
    from wijkenergie.surroundings import look_around  # noqa: PLC0415 - see list_profiles
    from wijkenergie.verdict import show_check  # noqa: PLC0415 - see list_profiles

    known = look_around(load_settings(), profile, link, meter, utc_now())
    raw, items = commands.first_contact(profile, link)
    for item in items:
        print(json.dumps(item, ensure_ascii=False), flush=True)
    found = commands.look_again(profile, link, raw, known.building, pause, lambda text: print(text, file=sys.stderr))
    if as_json:
        print(json.dumps({"check": {**found.tree(), "building": known.told}}, ensure_ascii=False))
    else:
        show_check(found, known.told)
    if found.verdict == "does not fit":
        raise typer.Exit(CheckFailed.exit_code)


@app.command()
def record(profile: ProfileName, link: Link, out: Annotated[Path, typer.Argument(metavar="OUT.json")]) -> None:
    """Save raw data of a real device as a fixture."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    commands.record(profile, link, out)
    print(f"Written to {out}.")


@app.command()
def draft(
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="a recording of the topics homeassistant/#")],
    device: Annotated[str | None, typer.Option(help="which one, where the file announces several")] = None,
) -> None:
    """Print a draft profile from what a device announced about itself."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    for line in commands.draft_file(file, device):
        print(line)
