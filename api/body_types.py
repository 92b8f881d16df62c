"""The field types of `api.bodies`: text, numbers, dates, addresses, lists. Each one reads and describes itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import validate_email

from api.bodies import MISSING, Body, FieldType, Problems

# RFC 3339 section 5.6; the zone is required: a time without one means nothing to a server.
_RFC3339: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def uuid_read(value: str) -> UUID | None:
    """The UUID in its 36-character form; None for anything else (Python's own reader takes braces and urn: too)."""
    return UUID(value) if _UUID.fullmatch(value) else None


@dataclass(frozen=True, slots=True)
class Text(FieldType):
    """A string of `least` to `most` characters (code points), no NUL; `strip`: outer white space is not counted."""

    least: int = 1
    most: int = 4096
    strip: bool = False
    # Text of white space alone is refused: no provider sends it.
    blank: bool = False

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return problems.add(path, "invalid_type", "A string is expected.")
        if self.strip:
            value = value.strip()
        if len(value) < self.least:
            text = "This must not be empty." if self.least == 1 else f"At least {self.least} characters are needed."
            return problems.add(path, "too_short", text)
        if len(value) > self.most:
            return problems.add(
                path, "too_long", f"At most {self.most} characters are possible, these are {len(value)}."
            )
        if "\0" in value:
            return problems.add(path, "invalid_characters", "NUL characters are not possible.")
        if not self.blank and self.least and value.isspace():
            return problems.add(path, "blank", "Text of white space alone is not possible.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": self.least, "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Identifier(FieldType):
    """A UUID in its 36-character form."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return problems.add(path, "invalid_type", "A string with a UUID is expected.")
        found = uuid_read(value)
        return found or problems.add(path, "invalid_format", "This is not a UUID.")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uuid"}


@dataclass(frozen=True, slots=True)
class Flag(FieldType):
    """true or false."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        return value if isinstance(value, bool) else problems.add(path, "invalid_type", "true or false is expected.")

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole(FieldType):
    """A whole number from `least` to `most`; 6.0 is one (JSON Schema, "integer"), true is not."""

    least: int
    most: int

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
            return problems.add(path, "invalid_type", "A whole number is expected.")
        if not self.least <= value <= self.most:
            return problems.add(path, "out_of_range", f"{self.least} to {self.most} is possible.")
        return int(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Choice(FieldType):
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return problems.add(path, "invalid_type", "A string is expected.")
        if value not in self.words:
            return problems.add(path, "not_possible", f"One of {', '.join(self.words)} is expected.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Word(FieldType):
    """A word that the provider's rules know; `words` only describe it.

    Those rules name it together with everything else that is wrong, so it is not refused alone.
    """

    words: tuple[str, ...]
    most: int = 32

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        return Text(1, self.most).read(value, path, problems)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class EmailAddress(FieldType):
    """An e-mail address as Django's user model takes it, without white space around it."""

    most: int = 254

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        text = Text(1, self.most, strip=True).read(value, path, problems)
        if text is MISSING:
            return MISSING
        try:
            validate_email(text)
        except ValidationError:
            return problems.add(path, "invalid_format", "This is not an e-mail address.")
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "email", "maxLength": self.most}


@dataclass(frozen=True, slots=True)
class Upload(FieldType):
    """A file of a form; what may be in it is checked by whoever keeps it."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, UploadedFile):
            return problems.add(path, "invalid_type", "A file is expected.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Moment(FieldType):
    """A date and time with a zone (RFC 3339), given back in UTC."""

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return problems.add(path, "invalid_type", "A string with a date and time is expected.")
        if not _RFC3339.fullmatch(value):
            text = "A date and time with a zone is expected, for instance 2027-01-31T09:00:00+01:00."
            return problems.add(path, "invalid_format", text)
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            return problems.add(path, "invalid_format", "There is no such date or time.")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class WebAddress(FieldType):
    """An absolute http or https URL, without user name and password."""

    most: int = 2048

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str):
            return problems.add(path, "invalid_type", "A string with a URL is expected.")
        if len(value) > self.most:
            return problems.add(path, "too_long", f"At most {self.most} characters are possible.")
        if not _is_web_address(value):
            return problems.add(path, "invalid_format", "An absolute http or https URL is expected.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "format": "uri", "maxLength": self.most}


def _is_web_address(value: str) -> bool:
    # urlsplit drops tabs and newlines without a word.
    if any(character <= " " or character == "\x7f" for character in value):
        return False
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 reading it raises for a port that is not a number or too large
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None


@dataclass(frozen=True, slots=True)
class TextMap(FieldType):
    """An object whose values are strings, such as the variables of a text."""

    most_entries: int = 100
    most_key: int = 64
    most_value: int = 4096

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return problems.add(path, "invalid_type", "An object with strings is expected.")
        if len(value) > self.most_entries:
            return problems.add(path, "too_long", f"At most {self.most_entries} entries are possible.")
        before = len(problems.found)
        for key, text in value.items():
            self._check(key, text, f"{path}.{key[: self.most_key]}", problems)
        return value if len(problems.found) == before else MISSING

    def _check(self, key: str, text: Any, path: str, problems: Problems) -> None:
        if not isinstance(text, str):
            problems.add(path, "invalid_type", "A string is expected.")
        elif not 1 <= len(key) <= self.most_key:
            problems.add(path, "too_long", f"Names have 1 to {self.most_key} characters.")
        elif len(text) > self.most_value:
            problems.add(path, "too_long", f"At most {self.most_value} characters are possible.")
        elif "\0" in text or "\0" in key:
            problems.add(path, "invalid_characters", "NUL characters are not possible.")

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "maxProperties": self.most_entries,
            "additionalProperties": {"type": "string", "maxLength": self.most_value},
        }


@dataclass(frozen=True, slots=True)
class ListOf(FieldType):
    """A list of `least` to `most` bodies."""

    body: type[Body]
    least: int
    most: int

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            return problems.add(path, "invalid_type", "A list is expected.")
        if len(value) < self.least:
            return problems.add(path, "too_short", f"At least {self.least} is needed.")
        if len(value) > self.most:
            return problems.add(
                path, "too_long", f"At most {self.most} are possible in one request, these are {len(value)}."
            )
        return [self.body.read_at(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]

    def schema(self) -> dict[str, Any]:
        reference = {"$ref": f"#/components/schemas/{self.body.component}"}
        return {"type": "array", "items": reference, "minItems": self.least, "maxItems": self.most}

    def nested(self) -> list[type[Body]]:
        return [self.body]


@dataclass(frozen=True, slots=True)
class WholeText(FieldType):
    """A whole number from `least` to `most` written as text, as query parameters are."""

    least: int
    most: int

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, str) or not value.isascii() or not value.isdigit() or len(value) > 18:
            return problems.add(path, "invalid_type", "A whole number is expected.")
        if not self.least <= int(value) <= self.most:
            return problems.add(path, "out_of_range", f"{self.least} to {self.most} is possible.")
        return int(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


# Deeper than anything that a provider takes, and shallow enough for every reader behind.
MAX_DEPTH: Final = 32


@dataclass(frozen=True, slots=True)
class Structure(FieldType):
    """An object that goes to the provider as it is, whose rules the driver knows; `properties` only describe it."""

    properties: tuple[tuple[str, dict[str, Any]], ...] = ()

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, dict):
            return problems.add(path, "invalid_type", "A JSON object is expected.")
        if _is_deep(value):
            return problems.add(path, "too_deep", f"At most {MAX_DEPTH} levels are possible.")
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "object"} | ({"properties": dict(self.properties)} if self.properties else {})


@dataclass(frozen=True, slots=True)
class Structures(FieldType):
    """A list of `least` to `most` objects that go to the provider as they are."""

    least: int
    most: int

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            return problems.add(path, "invalid_type", "A list is expected.")
        if not self.least <= len(value) <= self.most:
            return problems.add(path, "out_of_range", f"{self.least} to {self.most} entries are possible.")
        read = [Structure().read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]
        return MISSING if any(item is MISSING for item in read) else value

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "object"}, "minItems": self.least, "maxItems": self.most}


@dataclass(frozen=True, slots=True)
class Words(FieldType):
    """A list of `least` to `most` texts."""

    least: int
    most: int
    word: Text = Text(1, 120)

    def read(self, value: Any, path: str, problems: Problems) -> Any:
        if not isinstance(value, list):
            return problems.add(path, "invalid_type", "A list is expected.")
        if not self.least <= len(value) <= self.most:
            return problems.add(path, "out_of_range", f"{self.least} to {self.most} entries are possible.")
        read = [self.word.read(item, f"{path}[{index}]", problems) for index, item in enumerate(value)]
        return MISSING if any(item is MISSING for item in read) else read

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": "string"}, "minItems": self.least, "maxItems": self.most}


def _is_deep(value: Any) -> bool:
    """Whether lists and objects are nested more than MAX_DEPTH levels; without recursion of its own."""
    level = [value]
    for _depth in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
