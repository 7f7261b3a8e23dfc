"""The pages in a real browser: with and without scripts, on a phone, in the dark, with large text, by keyboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from api.access import COOKIE, new_sign_in_link
from core.db.connection import connect
from tests.support import house
from tests.support.house import NOW, SLUG
from tests.support.postgres import clone

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--no-first-run"]

PAGES = {
    "resident": ["/", "/statements", "/statements/2026-04", "/statements/2026-05", "/nothing", "/signout"],
    "newcomer": ["/", "/statements"],
    "volunteer": ["/work"],
    "corporation": ["/months", "/months/2026-04", "/months/2026-05"],
    "operator": ["/devices"],
    None: ["/", "/signin/unknown", "/signout"],
}
"""Every page, as somebody who sees it."""
EVERY_PAGE = [(person, path) for person, paths in PAGES.items() for path in paths]

Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("chromium is not installed (apt-get install chromium)")
    arguments = [*ARGUMENTS, "--no-sandbox"] if os.geteuid() == 0 else ARGUMENTS
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def url(server_url: str, house_name: str) -> Iterator[str]:
    with clone(server_url, house_name) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def address(url: str) -> Iterator[str]:
    with house.served(url) as served:
        yield served


@pytest.fixture
def task(url: str) -> Iterator[int]:
    """Open a refill for this test alone."""
    number = house.open_task(url)
    yield number
    with connect(url) as connection:
        connection.execute("DELETE FROM task_log")
        connection.execute("DELETE FROM task")
        connection.execute("DELETE FROM event WHERE kind = 'bags' AND key <> 'task 0'")


@pytest.fixture
def visit(browser: Browser, address: str, url: str) -> Iterator[Visit]:
    """Open a page as a person; what the browser complains about fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(person: str | None, path: str, *, width: int = 360, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": 760}, locale="nl-NL", **options)
        contexts.append(context)
        if person is not None:
            context.add_cookies([{"name": COOKIE, "value": house.session(url, person), "url": address}])
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(address + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # A page that answers 401 or 404 on purpose is reported by the browser too.
    assert [text for text in complaints if "status of 40" not in text] == []


@pytest.mark.parametrize(("person", "path"), EVERY_PAGE)
def test_a_page_fits_a_small_phone_and_its_skeleton_is_sound(visit: Visit, person: str | None, path: str) -> None:
    page = visit(person, path, width=320)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    assert page.get_attribute("html", "lang") in ("nl", "en")
    assert page.title().strip()
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert all(after - before <= 1 for before, after in zip([0, *levels], levels, strict=False)), levels
    assert page.locator("img:not([alt])").count() == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    dangling = page.evaluate(
        "[...document.querySelectorAll('[aria-labelledby]')].flatMap(e => e.getAttribute('aria-labelledby').split(' '))"
        ".filter(id => !document.getElementById(id))"
    )
    assert dangling == []
    assert page.locator("[style], style, script:not([src]), [onclick]").count() == 0


CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(("person", "path"), EVERY_PAGE)
def test_text_stands_out_from_its_ground_by_day_and_by_night(visit: Visit, person: str | None, path: str) -> None:
    page = visit(person, path)
    grounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(CONTRAST)
        assert found["checked"] > 3
        assert found["poor"] == [], scheme
        grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2


@pytest.mark.parametrize(
    ("person", "path"), [("resident", "/"), ("resident", "/statements/2026-04"), ("volunteer", "/work")]
)
def test_with_text_twice_as_large_nothing_is_cut_off(visit: Visit, task: int, person: str, path: str) -> None:
    page = visit(person, path)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


@pytest.mark.parametrize(
    ("person", "path"), [("resident", "/"), ("volunteer", "/work"), ("corporation", "/months/2026-04")]
)
def test_everything_can_be_reached_by_keyboard_and_shows_where_it_is(
    visit: Visit, task: int, person: str, path: str
) -> None:
    page = visit(person, path, width=1000)
    wanted = page.evaluate(
        "[...document.querySelectorAll('a[href], button:not([hidden]), input, summary')].filter(e => e.offsetParent"
        " || e.classList.contains('skip')).length"
    )
    seen = set()
    for _ in range(wanted + 10):
        page.keyboard.press("Tab")
        index, name, outline, width = page.evaluate(
            "(() => { const e = document.activeElement, s = getComputedStyle(e);"
            " return [[...document.querySelectorAll('*')].indexOf(e), e.outerHTML.slice(0, 200), s.outlineStyle,"
            " parseFloat(s.outlineWidth)]; })()"
        )
        if name.startswith("<body"):
            break
        seen.add(index)
        assert outline != "none", name
        assert width >= 2, name
    assert len(seen) >= wanted


def test_what_is_pressed_is_large_enough_for_a_thumb(visit: Visit, task: int) -> None:
    page = visit("volunteer", "/work")
    page.get_by_role("button", name="Ik doe het").click()
    expect(page.get_by_role("button", name="Gedaan")).to_be_visible()  # the answer has taken the place of the old page
    for element in page.locator("main button, main input").all():
        box = element.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44


def test_a_resident_comes_in_by_link_and_reads_one_plain_sentence(visit: Visit, url: str, address: str) -> None:
    with connect(url) as connection:
        link = new_sign_in_link(connection, "", SLUG, "resident", NOW)
    page = visit(None, link)
    page.get_by_role("button", name="Ga naar binnen").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(
        "Vandaag kwam 5 van de 10 delen van uw stroom van het dak."
    )
    expect(page.get_by_text("Bijgewerkt om 14:15.")).to_be_visible()
    expect(page.get_by_text("deels geschat")).to_be_visible()
    page.get_by_text("Toon de cijfers").first.click()
    row = page.get_by_role("row").filter(has_text="09:00\N{EN DASH}10:00")
    expect(row.first).to_contain_text("geschat")
    page.get_by_role("link", name="April 2026").click()
    expect(page.get_by_text("Zonnestroom van het dak").first).to_be_visible()
    page.get_by_role("button", name="Afmelden").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("U bent afgemeld")
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("U bent niet aangemeld")


def test_the_language_is_the_persons_until_they_choose_another(visit: Visit) -> None:
    page = visit("newcomer", "/")
    expect(page.get_by_text("Your electricity", exact=True)).to_be_visible()
    page.get_by_role("link", name="Nederlands").click()
    expect(page.get_by_text("Uw stroom", exact=True)).to_be_visible()
    assert page.get_attribute("html", "lang") == "nl"
    page.get_by_role("link", name="Afrekeningen", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Uw afrekeningen")


def test_a_statement_can_be_downloaded(visit: Visit, tmp_path: Path) -> None:
    page = visit("resident", "/statements/2026-04")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Downloaden als PDF").click()
    waiting.value.save_as(tmp_path / "own.pdf")
    assert (tmp_path / "own.pdf").read_bytes().startswith(b"%PDF-")
    page = visit("corporation", "/months/2026-04", width=1000)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Downloaden als CSV").click()
    assert waiting.value.suggested_filename == "de-ster-2026-04.csv"


@pytest.mark.parametrize("scripts", [True, False])
def test_a_volunteer_takes_a_task_and_writes_the_bags_down(visit: Visit, url: str, task: int, scripts: bool) -> None:
    page = visit("volunteer", "/work", java_script_enabled=scripts)
    loads = []
    page.on("domcontentloaded", lambda _: loads.append(page.url))
    page.get_by_role("button", name="Ik doe het").click()
    expect(page.get_by_role("status")).to_contain_text("U doet het.")
    bags = page.get_by_label("Hoeveel zakken?")
    expect(bags).to_have_value("6")
    if scripts:
        for _ in range(3):
            page.get_by_role("button", name="Eén zak meer").click()
        page.get_by_role("button", name="Eén zak minder").click()
        expect(bags).to_have_value("8")
        assert loads == []  # the page was never left
    else:
        expect(page.get_by_role("button", name="Eén zak meer")).to_have_count(0)
        bags.fill("8")
    page.get_by_role("button", name="Gedaan").click()
    expect(page.get_by_role("status")).to_contain_text("Het is genoteerd.")
    expect(page.get_by_role("listitem").filter(has_text="vrijwilliger deed het: 8 zakken")).to_have_count(1)
    with connect(url) as connection:
        events = connection.execute("SELECT body->>'bags' FROM event WHERE key = %s", (f"task {task}",)).fetchall()
    assert events == [("8",)]


def test_who_comes_second_is_thanked_and_sees_who_does_it(visit: Visit, task: int) -> None:
    second = visit("helper", "/work")
    visit("volunteer", "/work").get_by_role("button", name="Ik doe het").click()
    second.get_by_role("button", name="Ik doe het").click()
    expect(second.get_by_role("status")).to_have_text("Iemand anders doet het al. Toch bedankt.")
    expect(second.get_by_text("vrijwilliger doet het").first).to_be_visible()
    expect(second.get_by_role("button", name="Gedaan")).to_have_count(0)


def test_a_chart_is_named_and_told_in_words(visit: Visit) -> None:
    page = visit("resident", "/")
    chart = page.get_by_role("img", name="Vandaag per uur")
    expect(chart).to_be_visible()
    page.get_by_text("Toon de cijfers").first.click()
    assert page.locator("table tbody tr").count() > 14


def test_a_hopper_that_is_nearly_empty_is_said_so_and_is_work_for_today(
    browser: Browser, server_url: str, house_name: str
) -> None:
    with clone(server_url, house_name) as url:
        house.open_task(url)
        later = NOW + timedelta(days=5)
        with house.served(url, now=later) as address, browser.new_context(locale="nl-NL") as context:
            context.add_cookies([{"name": COOKIE, "value": house.session(url, "volunteer"), "url": address}])
            page = context.new_page()
            page.goto(f"{address}/work")
            expect(page.get_by_role("heading", level=1)).to_have_text("Het vulvat is bijna leeg.")
            expect(page.get_by_text("Graag vandaag nog.")).to_be_visible()
