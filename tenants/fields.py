"""Model fields shared by all apps: public ids that sort by time, and values encrypted at rest."""

from __future__ import annotations

import json
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import uuid_utils
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import models


def uuid7() -> uuid.UUID:
    """A UUIDv7 (RFC 9562): its first 48 bits are the time in ms, so that new rows land at the end of the index."""
    return uuid.UUID(int=uuid_utils.uuid7().int)


@lru_cache(maxsize=1)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(value: str) -> str:
    """`value` encrypted with the first of FIELD_ENCRYPTION_KEYS."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).encrypt(value.encode()).decode()


def decrypt(value: str) -> str:
    """The text behind `encrypt`, whichever of the keys wrote it. Raises `InvalidToken` when none fits."""
    return _fernet(tuple(settings.FIELD_ENCRYPTION_KEYS)).decrypt(value.encode()).decode()


if TYPE_CHECKING:
    _TextField = models.Field[Any, Any]
else:
    _TextField = models.TextField


class EncryptedJSONField(_TextField):
    """A JSON object stored as Fernet text: provider tokens and secrets, unreadable in dumps and backups."""

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else encrypt(json.dumps(value))

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        if value is None:
            return None
        try:
            return json.loads(decrypt(value))
        except InvalidToken as error:
            raise ValueError("a stored secret cannot be read: its key is missing from FIELD_ENCRYPTION_KEYS") from error

    def to_python(self, value: Any) -> Any:
        return json.loads(value) if isinstance(value, str) and value else value
