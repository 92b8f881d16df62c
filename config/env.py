"""Strict reading of settings from the environment.

django-environ reads `yes-please` as False and `12x` as a crash with a traceback. Here every reader names the variable
and says what it expected, so that a bad value stops the start with one clear line. A secret may come from a file:
`DJANGO_SECRET_KEY_FILE=/run/secrets/key` stands for `DJANGO_SECRET_KEY`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off"}


def text(name: str, default: str | None = None) -> str:
    """The variable's value, from `NAME` or the file named by `NAME_FILE`. Required when `default` is None."""
    value = os.environ.get(name)
    file_name = os.environ.get(f"{name}_FILE")
    if value is not None and file_name:
        raise ImproperlyConfigured(f"{name} and {name}_FILE are both set: keep one of them")
    if file_name:
        try:
            value = Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE: cannot read {file_name}: {error.strerror}") from error
    if value is None or value == "":
        if default is None:
            raise ImproperlyConfigured(f"{name} is required")
        return default
    return value


def boolean(name: str, default: bool) -> bool:
    """True for 1/true/yes/on, False for 0/false/no/off, in any case; anything else is refused."""
    value = text(name, "true" if default else "false").lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name}={value!r}: expected true or false")


def integer(name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
    """A whole number within [minimum, maximum]."""
    value = text(name, str(default))
    try:
        number = int(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name}={value!r}: expected a whole number") from None
    if not minimum <= number <= maximum:
        raise ImproperlyConfigured(f"{name}={number}: expected {minimum} to {maximum}")
    return number


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of the allowed words."""
    value = text(name, default)
    if value not in allowed:
        raise ImproperlyConfigured(f"{name}={value!r}: expected one of {', '.join(allowed)}")
    return value


def url(name: str, default: str | None = None, *, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """An absolute URL without a trailing slash."""
    value = text(name, default)
    parts = urlsplit(value)
    expected = " or ".join(f"{scheme}://" for scheme in schemes)
    if parts.scheme not in schemes or not (parts.hostname or parts.path):
        raise ImproperlyConfigured(f"{name}={value!r}: expected a URL that starts with {expected}")
    return value.rstrip("/")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list; empty items are dropped."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def pairs(name: str, default: str = "", *, pattern: str) -> dict[str, str]:
    """A comma-separated list of `key:value`, each of which must match the regular expression `pattern` as a whole."""
    items = words(name, default)
    for item in items:
        if not re.fullmatch(pattern, item):
            raise ImproperlyConfigured(f"{name}: {item!r} is not what is expected there ({pattern})")
    return {key: value for key, _, value in (item.partition(":") for item in items)}


def database(name: str, default: str | None = None) -> dict[str, Any]:
    """Django's database settings from a postgresql:// URL."""
    value = text(name, default)
    if urlsplit(value).scheme not in {"postgres", "postgresql"}:
        raise ImproperlyConfigured(f"{name}: expected a postgresql:// URL, PostgreSQL is the only database supported")
    try:
        return dict(environ.Env.db_url_config(value))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from error


def fernet_keys(name: str) -> list[str]:
    """Comma-separated Fernet keys, at least one; a key that is none stops the start, not the first secret."""
    keys = [item.strip() for item in text(name).split(",") if item.strip()]
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}: key {number} is not 32 bytes in url-safe base64") from error
    return keys


def days(name: str, defaults: Mapping[str, int | None]) -> dict[str, int | None]:
    """`defaults` with what the variable changes: `messages=365,otp=keep`. `keep` is for ever; 1 day is the least."""
    found = dict(defaults)
    for word in words(name):
        kind, _, value = word.partition("=")
        if kind not in found:
            raise ImproperlyConfigured(f"{name}: {kind!r} is none of {', '.join(sorted(found))}")
        if value != "keep" and not (value.isascii() and value.isdigit() and 1 <= int(value) <= 36_500):
            raise ImproperlyConfigured(f"{name}: {word!r}: expected {kind}=<days, 1 to 36500> or {kind}=keep")
        found[kind] = None if value == "keep" else int(value)
    return found
