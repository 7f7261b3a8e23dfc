"""Take the pictures of the pages that the README shows: ``python -m tests.browser.screens``.

Everything in them comes from the small community of the tests, so that a picture can be taken again at any time.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from api.access import COOKIE
from core.db.server import temporary
from tests.support import house
from tests.support.postgres import clone, template

TARGET = Path(__file__).parents[2] / "docs" / "screens"
SHOTS = (
    ("resident", "resident", "/", 390, 844, "light"),
    ("resident-dark", "resident", "/", 390, 844, "dark"),
    ("statement", "resident", "/statements/2026-04", 390, 844, "light"),
    ("volunteer", "volunteer", "/work", 390, 844, "light"),
    ("corporation", "corporation", "/months/2026-04", 1100, 900, "light"),
    ("resident-wide", "resident", "/", 1100, 900, "light"),
)
"""Name, person, page, width, height [px], colours."""


def main() -> int:
    """Take every picture; the exit code says whether Chromium was there."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        print("chromium is not installed (apt-get install chromium)", file=sys.stderr)
        return 3
    TARGET.mkdir(parents=True, exist_ok=True)
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with (
        temporary() as server,
        template(server.url_of("postgres")) as name,
        clone(server.url_of("postgres"), name) as url,
        sync_playwright() as playwright,
    ):
        house.seed(url)
        house.open_task(url)
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        with house.served(url) as address:
            for shot in SHOTS:
                take(browser, address, url, *shot)
        browser.close()
    return 0


def take(
    browser: Browser, address: str, url: str, name: str, person: str, path: str, width: int, height: int, scheme: str
) -> None:
    """Take one picture, of a phone's or a screen's first view."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        device_scale_factor=2 if width < 500 else 1.5,
    )
    context.add_cookies([{"name": COOKIE, "value": house.session(url, person), "url": address}])
    page = context.new_page()
    page.goto(address + path)
    if path == "/work":
        page.get_by_role("button", name="Ik doe het").click()
        page.get_by_label("Hoeveel zakken?").wait_for()
    page.screenshot(path=TARGET / f"{name}.png")
    context.close()


if __name__ == "__main__":
    sys.exit(main())
