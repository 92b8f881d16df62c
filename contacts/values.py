"""What may stand in a contact's own fields: shared by the APIs, the admin and imports. All raise `ValueError`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator
from django.utils.translation import gettext as _

from config.time_zones import time_zone_names
from contacts.models import Contact

NAME_LENGTH: Final = 160
EMAIL_LENGTH: Final = 254
TAG_LENGTH: Final = 40
MAX_TAGS: Final = 50
# BCP 47 as far as templates and texts are kept: a language, and maybe a script or region (fr, pt-BR, zh_Hans).
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,6})?")
_email_check = EmailValidator()
# Addresses that the validator takes for sure, at a tenth of its cost.
_PLAIN_EMAIL: Final = re.compile(
    r"[A-Za-z0-9_+-]{1,64}(?:\.[A-Za-z0-9_+-]{1,64}){0,3}@(?:[A-Za-z0-9]{1,63}\.){1,3}[A-Za-z]{2,63}"
)


def name_clean(value: str) -> str:
    """A name in one line of at most 160 characters."""
    text = " ".join(value.replace("\x00", "").split())
    if len(text) > NAME_LENGTH:
        raise ValueError(_("must have at most %(most)s characters") % {"most": NAME_LENGTH})
    return text


def email_clean(value: str) -> str:
    """An e-mail address, or nothing."""
    text = value.strip()
    if not text:
        return ""
    if len(text) <= EMAIL_LENGTH and _PLAIN_EMAIL.fullmatch(text):
        return text
    try:
        _email_check(text)
    except ValidationError as error:
        raise ValueError(_("is not an e-mail address")) from error
    if len(text) > EMAIL_LENGTH:
        raise ValueError(_("must have at most %(most)s characters") % {"most": EMAIL_LENGTH})
    return text


def status_clean(value: str) -> str:
    """`active` or `inactive`, in any case; nothing is active."""
    text = value.strip().lower() or str(Contact.Status.ACTIVE)
    if text not in Contact.Status.values:
        raise ValueError(_("must be one of %(choices)s") % {"choices": ", ".join(Contact.Status.values)})
    return text


def tags_clean(values: Iterable[str]) -> list[str]:
    """Tags without repetition, in alphabetical order."""
    tags = sorted({text for value in values if (text := " ".join(str(value).replace("\x00", "").split()))})
    if len(tags) > MAX_TAGS:
        raise ValueError(_("must be at most %(most)s") % {"most": MAX_TAGS})
    if any(len(tag) > TAG_LENGTH for tag in tags):
        raise ValueError(_("must have at most %(most)s characters each") % {"most": TAG_LENGTH})
    return tags


def language_clean(value: str) -> str:
    """A language code, or nothing."""
    text = value.strip()
    if text and not _LANGUAGE.fullmatch(text):
        raise ValueError(_("must be a language code such as fr or pt_BR"))
    return text


def timezone_clean(value: str) -> str:
    """The IANA name of a time zone, or nothing."""
    text = value.strip()
    if text and text not in time_zone_names():
        raise ValueError(_("must be the name of a time zone such as Africa/Porto-Novo"))
    return text
