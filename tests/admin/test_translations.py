"""French and Spanish are complete."""

from __future__ import annotations

from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.utils.translation import gettext, ngettext, override

LOCALE = Path(__file__).resolve().parents[2] / "locale"


def catalogue(language: str) -> Catalog:
    with (LOCALE / language / "LC_MESSAGES" / "django.po").open("rb") as file:
        return read_po(file, locale=language)


@pytest.mark.parametrize("language", ["fr", "es"])
def test_every_text_is_translated_and_none_is_a_guess(language: str) -> None:
    missing = []
    for message in catalogue(language):
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and (message.fuzzy or not all(forms[:2])):
            missing.append(message.id)

    assert missing == []


def test_both_catalogues_hold_the_same_texts() -> None:
    texts = {language: {message.id for message in catalogue(language)} for language in ("fr", "es")}

    assert texts["fr"] == texts["es"]


@pytest.mark.parametrize(
    ("language", "menu", "one", "many"),
    [
        ("fr", "Clés d'API", "%(count)s message échoué", "%(count)s messages échoués"),
        ("es", "Claves de API", "%(count)s mensaje fallido", "%(count)s mensajes fallidos"),
    ],
)
def test_the_compiled_catalogues_are_used(language: str, menu: str, one: str, many: str) -> None:
    with override(language):
        assert gettext("API keys") == menu
        assert ngettext("%(count)s failed message", "%(count)s failed messages", 1) == one
        assert ngettext("%(count)s failed message", "%(count)s failed messages", 2) == many
