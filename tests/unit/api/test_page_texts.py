"""Every text of the pages exists in every language, with the same blanks to fill in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import api.pages
from core.words import LANGUAGES, translations

PAGES = Path(api.pages.__file__).parent
CATALOGUES = PAGES.parents[1] / "core" / "translations"


def used() -> set[object]:
    methods = [("**.py", "python"), ("templates/**.html", "jinja2")]
    return {message for _, _, message, _, _ in extract_from_dir(str(PAGES), methods)}


def catalogue(language: str) -> dict[object, Message]:
    with (CATALOGUES / language / "pages.po").open("rb") as file:
        return {message.id: message for message in read_po(file, locale=language) if message.id}


def every(text: object) -> list[str]:
    return [str(one or "") for one in (text if isinstance(text, (tuple, list)) else [text])]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogue_holds_exactly_the_texts_the_pages_use(language: str) -> None:
    assert set(catalogue(language)) == used()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_and_keeps_its_blanks(language: str) -> None:
    for message in catalogue(language).values():
        sources, targets = every(message.id), every(message.string)
        assert all(targets), f"{message.id!r} has no translation in {language}"
        assert not message.fuzzy
        for source, target in zip(sources, targets, strict=True):
            assert sorted(re.findall(r"%\((\w+)\)s", source)) == sorted(re.findall(r"%\((\w+)\)s", target)), source


def test_dutch_sentences_are_short() -> None:
    for message in catalogue("nl").values():
        for text in every(message.string):
            for sentence in re.split(r"[.!?:]\s", text):
                assert len(sentence.split()) <= 15, sentence


def test_one_and_many_differ() -> None:
    words = translations("nl", "pages")
    assert words.ungettext("%(num)s bag", "%(num)s bags", 1) == "%(num)s zak"
    assert words.ungettext("%(num)s bag", "%(num)s bags", 2) == "%(num)s zakken"
