"""``wijkenergie device``: profiles, decoding of recorded data, reading and recording real devices."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

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
def read(profile: ProfileName, link: Link) -> None:
    """Read a real device once and print the readings."""
    from collector import commands  # noqa: PLC0415 - see list_profiles

    for item in commands.read_once(profile, link):
        print(json.dumps(item, ensure_ascii=False))


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
