from __future__ import annotations

import gettext
import os
from pathlib import Path

import pytest

from config.stack.catalogues import catalogue_mistakes, catalogues_compile
from config.stack.errors import StackError

HEADER = r"""msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\n"

"""


def write_catalogue(root: Path, body: str) -> Path:
    source = root / "locale" / "fr" / "LC_MESSAGES" / "django.po"
    source.parent.mkdir(parents=True)
    source.write_text(HEADER + body, encoding="utf-8")
    return source


def test_catalogue_is_compiled_with_plurals_and_contexts(tmp_path: Path) -> None:
    source = write_catalogue(
        tmp_path,
        'msgid "Sent"\nmsgstr "Envoyé"\n\nmsgctxt "verb"\nmsgid "Order"\nmsgstr "Commander"\n\n'
        'msgid "%d message"\nmsgid_plural "%d messages"\nmsgstr[0] "%d message"\nmsgstr[1] "%d messages envoyés"\n\n'
        '#, fuzzy\nmsgid "Draft"\nmsgstr "Peut-être"\n',
    )
    assert catalogues_compile(tmp_path) == [source.with_suffix(".mo")]
    with source.with_suffix(".mo").open("rb") as file:
        french = gettext.GNUTranslations(file)
    assert french.gettext("Sent") == "Envoyé"
    assert french.pgettext("verb", "Order") == "Commander"
    assert french.ngettext("%d message", "%d messages", 2) == "%d messages envoyés"
    assert french.gettext("Draft") == "Draft"


def test_catalogue_is_compiled_again_only_when_its_source_changed(tmp_path: Path) -> None:
    source = write_catalogue(tmp_path, 'msgid "Sent"\nmsgstr "Envoyé"\n')
    target = source.with_suffix(".mo")
    assert catalogues_compile(tmp_path) == [target]
    assert catalogues_compile(tmp_path) == []
    later = target.stat().st_mtime + 5
    os.utime(source, (later, later))
    assert catalogues_compile(tmp_path) == [target]


def test_placeholder_that_the_translation_lost_is_reported(tmp_path: Path) -> None:
    write_catalogue(tmp_path, '#, python-format\nmsgid "%(name)s sent"\nmsgstr "%(nom)s envoyé"\n')
    (mistake,) = catalogue_mistakes(tmp_path)
    assert mistake.startswith("locale/fr/LC_MESSAGES/django.po: line 7: ")


@pytest.mark.parametrize("line", ["msgstr Envoyé", 'msgstr "Envoyé', 'msgstr "En"voyé"', "oops", 'msgtext "Envoyé"'])
def test_broken_catalogue_is_reported_with_its_line_and_not_compiled(tmp_path: Path, line: str) -> None:
    source = write_catalogue(tmp_path, f'msgid "Sent"\n{line}\n')
    assert catalogue_mistakes(tmp_path) == [f"{source}: line 7: expected a keyword and a text in double quotes"]
    with pytest.raises(StackError, match="line 7"):
        catalogues_compile(tmp_path)
    assert not source.with_suffix(".mo").exists()


def test_text_without_a_translation_entry_is_a_mistake(tmp_path: Path) -> None:
    write_catalogue(tmp_path, 'msgid "Sent"\n')
    assert len(catalogue_mistakes(tmp_path)) == 1
