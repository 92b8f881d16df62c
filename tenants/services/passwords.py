"""Which passwords are taken where the settings' own rules (AUTH_PASSWORD_VALIDATORS) do not apply."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from django.contrib.auth.password_validation import get_password_validators

PasswordRules = Sequence[Any]


@cache
def marketing_password_rules() -> PasswordRules:
    """The marketing API's: eight characters that are not the person's own name or address.

    Its document shows passwords (`password123`, `secure123`) that the usual rules refuse as short or common. Logins
    are throttled, and everybody may choose a better one.
    """
    return get_password_validators(
        [
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
            {
                "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
                "OPTIONS": {"min_length": 8},
            },
        ]
    )
