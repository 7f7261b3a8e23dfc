"""Words in the reader's language: one place for pages, messages and documents.

Catalogues are the ``.po`` files under ``core/translations/<language>/<domain>.po``; the source texts are English.
They are read as they are, so that nothing has to be compiled before a start.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

LANGUAGES = ("nl", "en")
_FOLDER = Path(__file__).parent / "translations"


@cache
def translations(language: str, domain: str) -> Translations:
    """Return the catalogue of a language; its ``gettext`` and ``ngettext`` translate.

    Parameters
    ----------
    language
        One of ``LANGUAGES``; any other is served in Dutch.
    domain
        ``pages``, ``messages`` or ``documents``.
    """
    file = _FOLDER / (language if language in LANGUAGES else "nl") / f"{domain}.po"
    compiled = BytesIO()
    with file.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled, domain)
