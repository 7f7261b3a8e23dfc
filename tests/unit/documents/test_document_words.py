"""Every text that messages and documents can say is in the catalogues of both languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from core.words import LANGUAGES

ROOT = Path(__file__).parents[3]
CATALOGUES = {"messages": ROOT / "settlement" / "tasks", "documents": ROOT / "settlement" / "documents"}


def used(folder: Path) -> set[str]:
    keywords = {"gettext": None, "ngettext": (1, 2), "say": None}
    found = extract_from_dir(folder, method_map=[("**.py", "python")], keywords=keywords)
    return {text if isinstance(text, str) else text[0] for _, _, text, _, _ in found}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", CATALOGUES)
def test_every_text_is_translated_and_none_is_left_over(domain: str, language: str) -> None:
    path = ROOT / "core" / "translations" / language / f"{domain}.po"
    with path.open("rb") as source:
        catalogue = read_po(source, locale=language)
    known = {
        message.id if isinstance(message.id, str) else message.id[0]: message for message in catalogue if message.id
    }
    assert set(known) == used(CATALOGUES[domain])
    for message in known.values():
        translated = [message.string] if isinstance(message.string, str) else message.string or ()
        assert translated, message.id
        assert all(translated), message.id
        assert not message.fuzzy
        assert not list(message.check(catalogue)), message.id
