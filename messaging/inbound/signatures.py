"""Whether a webhook really comes from Meta: the signature over the raw bytes, and the verification of the address."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.conf import settings
from django_tenants.utils import schema_context

from messaging.models import Channel
from tenants.models import Organization

HEADER: Final = "X-Hub-Signature-256"
_PREFIX: Final = "sha256="
# A new secret is known on every process after this time.
_KNOWN_SECONDS: Final = 2.0
_KNOWN_MAX: Final = 10_000


def signature_of(body: bytes, secret: str) -> str:
    """The header's value for `body`: `sha256=` and the hex HMAC-SHA256 of the raw bytes with the app secret."""
    return _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def signature_is_valid(body: bytes, given: str, secrets: Iterable[str]) -> bool:
    """Whether one of the secrets made the signature. No secret, no signature: False."""
    return any(hmac.compare_digest(signature_of(body, secret).encode(), given.encode()) for secret in secrets if secret)


def token_is_valid(given: str, tokens: Iterable[str]) -> bool:
    """Whether `given` is one of the verify tokens; empty ones never match."""
    return any(hmac.compare_digest(token.encode(), given.encode()) for token in tokens if token)


@dataclass(frozen=True, slots=True)
class Origin:
    """Who may post to an address: organisation (None = every one), app secrets and verify tokens."""

    organization_id: int | None
    secrets: tuple[str, ...]
    tokens: tuple[str, ...]


def origin_of_platform() -> Origin:
    """`/webhook/meta`: the platform's own app."""
    return Origin(None, (settings.META_APP_SECRET, settings.INSTAGRAM_APP_SECRET), (settings.META_VERIFY_TOKEN,))


def origin_of_organization(organization_uuid: UUID) -> Origin | None:
    """`/webhook/{org_id}`: the platform's app, and the apps of the organisation's own channels. None: no such one."""
    found = _known(organization_uuid)
    if found is None:
        return None
    organization_id, channels = found
    return Origin(
        organization_id,
        (settings.META_APP_SECRET, *(channel.secret for channel in channels if channel.secret)),
        (settings.META_VERIFY_TOKEN, *(channel.token for channel in channels if channel.token)),
    )


def origin_of_phone(organization_uuid: UUID, phone_id: str) -> Origin | None:
    """`/webhook/{org_id}/phone/{phone_id}`: the channel's own app if it has one, else the platform's.

    `phone_id` is the provider's id of the number or the channel's uuid. None: the organisation has no such channel.
    """
    found = _known(organization_uuid)
    if found is None:
        return None
    organization_id, channels = found
    for channel in channels:
        if phone_id in (channel.external_id, channel.uuid):
            return Origin(
                organization_id,
                (channel.secret or settings.META_APP_SECRET,),
                (channel.token or settings.META_VERIFY_TOKEN,),
            )
    return None


@dataclass(frozen=True, slots=True)
class _ChannelSecrets:
    uuid: str
    external_id: str
    secret: str
    token: str


_Known = tuple[int, tuple[_ChannelSecrets, ...]] | None
_cache: dict[UUID, tuple[float, _Known]] = {}


def _known(organization_uuid: UUID) -> _Known:
    """(organisation id, what its channels know), remembered for a moment: one POST must not cost a decryption each."""
    now = time.monotonic()
    hit = _cache.get(organization_uuid)
    if hit is not None and hit[0] > now:
        return hit[1]
    found = _load(organization_uuid)
    if found is not None:
        if len(_cache) >= _KNOWN_MAX:
            _cache.clear()
        _cache[organization_uuid] = (now + _KNOWN_SECONDS, found)
    return found


def _load(organization_uuid: UUID) -> _Known:
    organization = Organization.objects.filter(uuid=organization_uuid, is_template=False).first()
    if organization is None:
        return None
    with schema_context(organization.schema_name):
        channels = tuple(
            _ChannelSecrets(
                str(channel.uuid),
                channel.external_id,
                str(channel.secrets.get("app_secret") or ""),
                str(channel.secrets.get("verify_token") or ""),
            )
            for channel in Channel.objects.only("uuid", "external_id", "secrets").order_by("pk")
        )
    return organization.pk, channels


def cache_clear() -> None:
    """Forget what is remembered; for tests."""
    _cache.clear()
