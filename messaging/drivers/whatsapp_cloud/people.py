"""Contact cards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from messaging.drivers.problems import Problems
from messaging.drivers.texts import marked as _

# Meta: 257 cards in one message, 50 advised.
CARDS: Final = 257
_NAME_PARTS: Final = ("first_name", "last_name", "middle_name", "prefix", "suffix")
_BIRTHDAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_contacts(problems: Problems, content: Mapping[str, Any]) -> None:
    """`contacts`: a list of cards, each with at least a formatted name."""
    for path, card in problems.objects(content, "contacts", "", maximum=CARDS):
        _check_name(problems, card, path)
        _check_details(problems, card, path)


def _check_name(problems: Problems, card: Mapping[str, Any], path: str) -> None:
    name = problems.object(card, "name", path)
    if name is None:
        return
    problems.text(name, "formatted_name", f"{path}.name", maximum=512)
    for part in _NAME_PARTS:
        problems.text(name, part, f"{path}.name", maximum=512, required=False)


def _check_details(problems: Problems, card: Mapping[str, Any], path: str) -> None:
    for key, value in (("phones", "phone"), ("emails", "email"), ("urls", "url")):
        for where, entry in problems.objects(card, key, path, minimum=0, maximum=100):
            # A card may carry just the WhatsApp id of a person.
            problems.text(entry, value, where, maximum=2000, required="wa_id" not in entry)
            problems.text(entry, "type", where, maximum=40, required=False)
    problems.objects(card, "addresses", path, minimum=0, maximum=100)
    problems.object(card, "org", path, required=False)
    birthday = problems.text(card, "birthday", path, required=False)
    if birthday is not None and not _BIRTHDAY.fullmatch(birthday):
        problems.add(f"{path}.birthday", _("must be a date such as 1990-12-31"))
