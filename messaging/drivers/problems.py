"""Collects everything that is wrong with a message's content, each problem under its dotted path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self
from urllib.parse import urlsplit

from messaging.drivers.texts import marked as _

_URL_LENGTH: Final = 2000
_UNSENDABLE: Final = re.compile("[\x00\ud800-\udfff]")


class Reason(str):
    """A reason in English that can be said in another language: its `pattern`, and the `values` in it by name."""

    __slots__ = ("pattern", "values")
    pattern: str
    values: dict[str, object]

    def __new__(cls, pattern: str, **values: object) -> Self:
        reason = super().__new__(cls, pattern % values if values else pattern)
        reason.pattern, reason.values = pattern, values
        return reason


class Problems:
    """`fields` maps dotted paths to reasons. Readers return the value, or None after noting what is wrong."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}

    def add(self, path: str, reason: str, **values: object) -> None:
        """Note a problem; the first one of a path stays. `values`: what stands in `reason` as `%(name)s`."""
        self.fields.setdefault(path, Reason(reason, **values))

    def text(
        self, owner: Mapping[str, Any], key: str, path: str, *, maximum: int | None = None, required: bool = True
    ) -> str | None:
        """A string of at most `maximum` characters; required ones must have more than white space."""
        value = owner.get(key)
        where = f"{path}.{key}"
        if value is None:
            if required:
                self.add(where, _("is required"))
            return None
        if not isinstance(value, str):
            self.add(where, _("must be a text"))
            return None
        if required and not value.strip():
            self.add(where, _("must not be empty"))
        elif maximum is not None and len(value) > maximum:
            self.add(where, _("has %(count)s characters, at most %(most)s are allowed"), count=len(value), most=maximum)
        return value

    def object(
        self, owner: Mapping[str, Any], key: str, path: str, *, required: bool = True
    ) -> Mapping[str, Any] | None:
        """A JSON object."""
        value = owner.get(key)
        where = f"{path}.{key}" if path else key
        if value is None:
            if required:
                self.add(where, _("is required"))
            return None
        if not isinstance(value, Mapping):
            self.add(where, _("must be an object"))
            return None
        return value

    def objects(
        self, owner: Mapping[str, Any], key: str, path: str, *, minimum: int = 1, maximum: int
    ) -> list[tuple[str, Mapping[str, Any]]]:
        """The objects of a list with `minimum` to `maximum` entries, each with its path; what is no object is noted."""
        where = f"{path}.{key}" if path else key
        value = owner.get(key)
        if value is None:
            if minimum:
                self.add(where, _("is required"))
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.add(where, _("must be a list"))
            return []
        if not minimum <= len(value) <= maximum:
            self.add(
                where,
                _("has %(count)s entries, %(least)s to %(most)s are allowed"),
                count=len(value),
                least=minimum,
                most=maximum,
            )
        found = []
        for index, entry in enumerate(value[:maximum]):
            if isinstance(entry, Mapping):
                found.append((f"{where}.{index}", entry))
            else:
                self.add(f"{where}.{index}", _("must be an object"))
        return found

    def choice(
        self, owner: Mapping[str, Any], key: str, path: str, allowed: Sequence[str], *, required: bool = True
    ) -> str | None:
        """One of the allowed words."""
        value = owner.get(key)
        if value is None and not required:
            return None
        if not isinstance(value, str) or value not in allowed:
            self.add(f"{path}.{key}", _("must be one of: %(names)s"), names=", ".join(allowed))
            return None
        return value

    def flag(self, owner: Mapping[str, Any], key: str, path: str) -> None:
        """An optional true or false."""
        if not isinstance(owner.get(key, False), bool):
            self.add(f"{path}.{key}", _("must be true or false"))

    def url(self, owner: Mapping[str, Any], key: str, path: str) -> None:
        """An absolute http or https URL."""
        value = self.text(owner, key, path, maximum=_URL_LENGTH)
        if value is not None and f"{path}.{key}" not in self.fields and not is_web_url(value):
            self.add(f"{path}.{key}", _("must be a URL that starts with http:// or https://"))

    def file_source(self, media: Mapping[str, Any], path: str, allowed: Sequence[str]) -> None:
        """Where a file comes from, exactly one of `allowed`: `link`, `id` (at the provider), `file` (uploaded here)."""
        given = [key for key in ("id", "link", "file") if media.get(key) is not None]
        if len(given) > 1:
            self.add(path, _("needs one of %(names)s, not several"), names=", ".join(allowed))
        elif not given:
            self.add(path, _("needs one of %(names)s"), names=", ".join(allowed))
        elif given == ["link"]:
            self.url(media, "link", path)
        else:
            self.text(media, given[0], path, maximum=128)

    def unique(self, values: Sequence[tuple[str, str | None]], reason: str) -> None:
        """Note `reason` for each value that occurred before. `values`: (path, value)."""
        seen: set[str] = set()
        for path, value in values:
            if value is not None and value in seen:
                self.add(path, reason)
            seen.add(value or "")

    def sendable(self, value: Any, path: str) -> None:
        """Note texts with NUL or half a surrogate pair: neither JSON in the database nor Meta can carry them."""
        if isinstance(value, str):
            if _UNSENDABLE.search(value):
                self.add(path, _("has a character that cannot be sent"))
        elif isinstance(value, Mapping):
            for key, entry in value.items():
                self.sendable(entry, f"{path}.{key}" if path else str(key))
        elif isinstance(value, Sequence):
            for index, entry in enumerate(value):
                self.sendable(entry, f"{path}.{index}")


def is_web_url(value: str) -> bool:
    """Whether `value` is an absolute http(s) URL without spaces and credentials."""
    if any(character.isspace() for character in value):
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
