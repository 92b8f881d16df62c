"""Short-lived links to files: a signed token that names the organisation, the file and when it ends. No login."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django.core import signing

_SALT: Final = "griot.media"
_TOKEN_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class MediaToken:
    """What a valid token says."""

    organization_uuid: UUID
    file_uuid: UUID


def media_url(*, organization_uuid: UUID, file_uuid: UUID, seconds: int | None = None) -> str:
    """An absolute link to a stored file, valid for `seconds` (default `MEDIA_URL_SECONDS`)."""
    until = int(time.time()) + (settings.MEDIA_URL_SECONDS if seconds is None else seconds)
    value = f"{organization_uuid.hex}.{file_uuid.hex}.{until}"
    token = signing.Signer(salt=_SALT).sign(value)
    return f"{settings.PUBLIC_BASE_URL}/media/{token.replace(':', '~')}"


def token_read(token: str) -> MediaToken | None:
    """The token's content, or None when it is forged, damaged or too old."""
    if len(token) > _TOKEN_LENGTH:
        return None
    try:
        organization, file, until = signing.Signer(salt=_SALT).unsign(token.replace("~", ":")).split(".")
        return MediaToken(UUID(organization), UUID(file)) if int(until) > time.time() else None
    except (signing.BadSignature, ValueError):
        return None
