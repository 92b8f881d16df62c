"""The drivers named in settings, by kind."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from messaging.drivers.base import Driver


@cache
def drivers() -> dict[str, Driver]:
    """kind -> driver. Two drivers of one kind are a configuration mistake."""
    found: dict[str, Driver] = {}
    for path in settings.MESSAGING_DRIVERS:
        driver: Driver = import_string(path)()
        if driver.kind in found:
            raise ImproperlyConfigured(f"MESSAGING_DRIVERS: two drivers of kind {driver.kind!r}")
        found[driver.kind] = driver
    return found


def driver_of(kind: str) -> Driver:
    """The driver of a channel kind. Raises `KeyError` for a kind that is not configured."""
    return drivers()[kind]


def driver_choices() -> list[tuple[str, str]]:
    """Choices of `Channel.kind`; a callable, so that a new driver needs no migration."""
    return [(driver.kind, driver.label) for driver in drivers().values()]
