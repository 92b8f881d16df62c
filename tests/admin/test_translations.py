"""French and Spanish are complete."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.utils.translation import gettext, ngettext, override

from messaging.admin.driver_texts import DRIVER_TEXTS
from messaging.drivers.registry import drivers

ROOT = Path(__file__).resolve().parents[2]
LOCALE = ROOT / "locale"
PARTS = [
    "api",
    "audit",
    "automation",
    "campaigns",
    "config",
    "contacts",
    "conversations",
    "messaging",
    "otp",
    "tenants",
    "webhooks_app",
]


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


def test_no_text_is_marked_inside_an_f_string_where_makemessages_does_not_find_it() -> None:
    names = {"_", "gettext", "gettext_lazy", "ngettext", "pgettext"}
    hidden = []
    for path in (path for part in PARTS for path in (ROOT / part).rglob("*.py")):
        for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(outer, ast.JoinedStr):
                calls = [node for node in ast.walk(outer) if isinstance(node, ast.Call)]
                hidden += [f"{path}:{call.lineno}" for call in calls if getattr(call.func, "id", "") in names]

    assert hidden == []


def test_the_texts_of_every_driver_setting_are_in_the_catalogues() -> None:
    settings = [setting for driver in drivers().values() for setting in driver.channel_settings]
    shown = {text for setting in settings for text in (setting.label, setting.help) if text}
    shown |= {label for setting in settings for _value, label in setting.choices}

    assert set(DRIVER_TEXTS) == shown


def reasons_noted(path: Path) -> list[ast.expr]:
    """The second argument of each `problems.add(place, reason)` and `problems.unique(values, reason)`."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    noted = [call for call in calls if getattr(call.func, "attr", "") in ("add", "unique") and len(call.args) == 2]
    return [call.args[1] for call in noted]


def test_every_reason_why_content_cannot_be_sent_is_in_the_catalogues() -> None:
    texts = {message.id for message in catalogue("fr")}
    missing = []
    for path in (ROOT / "messaging" / "drivers").rglob("*.py"):
        for reason in reasons_noted(path):
            is_marked = isinstance(reason, ast.Call) and getattr(reason.func, "id", "") == "_"
            text = reason.args[0] if is_marked else reason
            # A name stands for a text that a function returned, or that was given to this one: marked there.
            if not isinstance(text, ast.Name) and getattr(text, "value", None) not in texts:
                missing.append(f"{path}:{reason.lineno} {ast.unparse(reason)}")

    assert missing == []
