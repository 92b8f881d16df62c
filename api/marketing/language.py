"""The language of answers: French unless Accept-Language asks for English or Spanish."""

from __future__ import annotations

from typing import Final

from django.http import HttpRequest
from django.utils.translation import get_supported_language_variant
from django.utils.translation.trans_real import parse_accept_lang_header

DEFAULT: Final = "fr"


def language_of(request: HttpRequest) -> str:
    """The first language of the request that there are texts in; French when it names none."""
    for code, _quality in parse_accept_lang_header(request.META.get("HTTP_ACCEPT_LANGUAGE", "")):
        if code == "*":
            return DEFAULT
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return DEFAULT
