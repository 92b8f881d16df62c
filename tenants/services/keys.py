"""API keys: making, revoking, and checking them quickly enough for every request.

A key reads `rf_live_<key id>_<secret>`. The key id finds the row, the secret is compared with its SHA-256. The secret
has 238 random bits, so that a slow password hash would only cost time: nobody can try them out.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from audit.services.recording import audit_record
from tenants.errors import Forbidden, InvalidInput
from tenants.models import ApiKey, Organization, User

# Surface -> scope -> what it allows. One table: read by the form, the command, the views and the docs page.
SCOPES: Final[Mapping[str, Mapping[str, str | Promise]]] = {
    ApiKey.Surface.TRANSACTIONAL: {
        "providers:read": gettext_lazy("List the channels and their figures of the day"),
        "messages:send": gettext_lazy("Send messages"),
        "messages:read": gettext_lazy("Read the status of messages"),
        "otp:send": gettext_lazy("Send one-time passwords"),
        "otp:verify": gettext_lazy("Verify one-time passwords"),
    },
    ApiKey.Surface.GATEWAY: {
        "keys": gettext_lazy("List keys and make new ones"),
        "channels:read": gettext_lazy("List the channels"),
        "channels:write": gettext_lazy("Connect channels and make setup links"),
        "customers": gettext_lazy("List and add customers"),
        "messages:send": gettext_lazy("Send messages"),
        "messages:read": gettext_lazy("Read messages, with what they say"),
        "templates:read": gettext_lazy("List templates"),
        "templates:write": gettext_lazy("Submit and delete templates"),
        "webhooks": gettext_lazy("Manage webhooks and see their deliveries"),
    },
}
PREFIXES: Final[Mapping[str, str]] = {ApiKey.Surface.TRANSACTIONAL: "rf", ApiKey.Surface.GATEWAY: "iq"}
MAX_RATE_PER_MINUTE: Final = 1_000_000
# What is revoked, suspended or changed must be effective within one second on every process.
CACHE_SECONDS: Final = 0.8
CACHE_ENTRIES: Final = 10_000
LAST_USED_EVERY: Final = timedelta(minutes=1)

_KEY_ID_ALPHABET: Final = string.ascii_lowercase + string.digits
_SECRET_ALPHABET: Final = string.ascii_letters + string.digits
_KEY_ID_LENGTH: Final = 12
_SECRET_LENGTH: Final = 40
_FORMAT: Final = re.compile(r"([a-z]{2})_(live|test)_([a-z0-9]{12})_([A-Za-z0-9]{32,64})")


@dataclass(frozen=True, slots=True)
class OrganizationSnapshot:
    """What a request needs of its organisation, without a query. Serves as django-tenants' tenant (`schema_name`)."""

    id: int
    uuid: UUID
    schema_name: str
    name: str
    slug: str
    default_country: str
    time_zone: str
    language: str

    @property
    def pk(self) -> int:
        """The primary key, by the name that models use."""
        return self.id


@dataclass(frozen=True, slots=True)
class Credential:
    """A key that has been checked: who calls, and what it may do."""

    api_key_id: int
    key_id: str
    name: str
    surface: str
    mode: str
    scopes: frozenset[str]
    rate_per_minute: int
    expires_at: datetime | None
    organization: OrganizationSnapshot

    @property
    def is_test(self) -> bool:
        """Whether it reaches sandbox channels only."""
        return self.mode == ApiKey.Mode.TEST

    @property
    def caller_id(self) -> int:
        """Under which number repeated requests and messages are kept."""
        return self.api_key_id


def api_key_create(
    *,
    organization: Organization,
    name: str,
    surface: str = ApiKey.Surface.TRANSACTIONAL,
    mode: str = ApiKey.Mode.TEST,
    scopes: Iterable[str],
    rate_per_minute: int = 600,
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """A new key, and its text, which is not stored and cannot be shown again. Raises `InvalidInput`."""
    wanted = sorted(set(scopes))
    _creation_check(name, surface, mode, wanted, rate_per_minute, expires_at)
    key_id = "".join(secrets.choice(_KEY_ID_ALPHABET) for _i in range(_KEY_ID_LENGTH))
    secret = "".join(secrets.choice(_SECRET_ALPHABET) for _i in range(_SECRET_LENGTH))
    with transaction.atomic():
        api_key = ApiKey.objects.create(
            organization=organization,
            surface=surface,
            name=name.strip(),
            mode=mode,
            key_id=key_id,
            secret_hash=_hash(secret),
            scopes=wanted,
            rate_per_minute=rate_per_minute,
            expires_at=expires_at,
            created_by=created_by,
        )
        shown = {"name": api_key.name, "surface": surface, "mode": mode, "key_id": key_id, "scopes": wanted}
        audit_record(action="api_key.created", subject=api_key, new=shown, schema=organization.schema_name)
    return api_key, f"{PREFIXES[surface]}_{mode}_{key_id}_{secret}"


def _creation_check(
    name: str, surface: str, mode: str, scopes: list[str], rate_per_minute: int, expires_at: datetime | None
) -> None:
    wrong: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= 80:
        wrong["name"] = _("1 to 80 characters are needed.")
    if mode not in ApiKey.Mode.values:
        wrong["mode"] = _one_of(ApiKey.Mode.values)
    if not 1 <= rate_per_minute <= MAX_RATE_PER_MINUTE:
        wrong["rate_per_minute"] = _("1 to %(most)s requests per minute are possible.") % {"most": MAX_RATE_PER_MINUTE}
    if expires_at is not None and expires_at <= timezone.now():
        wrong["expires_at"] = _("The expiry is in the past.")
    if surface not in SCOPES:
        wrong["surface"] = _one_of(SCOPES)
    elif not scopes:
        wrong["scopes"] = _("At least one scope is needed.")
    elif unknown := [scope for scope in scopes if scope not in SCOPES[surface]]:
        wrong["scopes"] = _("Unknown: %(unknown)s. Known: %(known)s.") % {
            "unknown": ", ".join(unknown),
            "known": ", ".join(SCOPES[surface]),
        }
    if wrong:
        text = _("The key cannot be created: %(problems)s") % {"problems": " ".join(wrong.values())}
        raise InvalidInput("api_key_invalid", text, wrong)


def _one_of(names: Iterable[str]) -> str:
    return _("One of %(names)s is needed.") % {"names": ", ".join(names)}


def api_key_revoke(*, api_key: ApiKey) -> bool:
    """Stop the key for good, within a second on every process. False when it was revoked before."""
    now = timezone.now()
    with transaction.atomic():
        done = ApiKey.objects.filter(pk=api_key.pk, revoked_at__isnull=True).update(revoked_at=now)
        if done:
            shown = {"name": api_key.name, "key_id": api_key.key_id}
            schema = api_key.organization.schema_name
            audit_record(action="api_key.revoked", subject=api_key, old=shown, schema=schema)
    if done:
        api_key.revoked_at = now
        _cache.clear()
    return bool(done)


def api_key_authenticate(plain: str, surface: str) -> Credential:
    """The credential behind `plain`. Raises `Forbidden` with a code: `api_key_unknown`, `api_key_revoked`,
    `api_key_expired`, `organization_suspended`.

    Answers come from a cache of this process for `CACHE_SECONDS` at most; the time counts from before the query.
    """
    found = _FORMAT.fullmatch(plain)
    if found is None or found[1] != PREFIXES[surface]:
        raise _unknown()
    digest = _hash(plain)
    outcome = _cache.get(digest)
    if outcome is None:
        asked_at = time.monotonic()
        outcome = _look_up(key_id=found[3], mode=found[2], secret=found[4], surface=surface)
        _cache.put(digest, outcome, asked_at)
    if isinstance(outcome, Forbidden):
        raise Forbidden(outcome.code, outcome.message)
    if outcome.expires_at is not None and outcome.expires_at <= timezone.now():
        raise _expired()
    return outcome


def _look_up(*, key_id: str, mode: str, secret: str, surface: str) -> Credential | Forbidden:
    api_key = ApiKey.objects.select_related("organization").filter(key_id=key_id, surface=surface, mode=mode).first()
    # Compared even for an unknown id, so that the time says nothing.
    stored = api_key.secret_hash if api_key else "0" * 64
    if not secrets.compare_digest(_hash(secret), stored) or api_key is None:
        return _unknown()
    if api_key.revoked_at is not None:
        return Forbidden("api_key_revoked", _("This API key has been revoked."))
    if api_key.expires_at is not None and api_key.expires_at <= timezone.now():
        return _expired()
    if not api_key.organization.is_usable:
        return Forbidden("organization_suspended", _("This organisation is suspended: its API keys do not work."))
    _last_used_record(api_key)
    return _snapshot(api_key)


def _last_used_record(api_key: ApiKey) -> None:
    now = timezone.now()
    due = now - LAST_USED_EVERY
    if api_key.last_used_at is not None and api_key.last_used_at > due:
        return
    # Guarded: many processes come here at once, one of them writes.
    unwritten = Q(last_used_at__isnull=True) | Q(last_used_at__lte=due)
    ApiKey.objects.filter(unwritten, pk=api_key.pk).update(last_used_at=now)


def organization_snapshot(organization: Organization) -> OrganizationSnapshot:
    """The organisation as requests carry it."""
    return OrganizationSnapshot(
        id=organization.pk,
        uuid=organization.uuid,
        schema_name=organization.schema_name,
        name=organization.name,
        slug=organization.slug,
        default_country=organization.default_country,
        time_zone=organization.time_zone,
        language=organization.language,
    )


def _snapshot(api_key: ApiKey) -> Credential:
    return Credential(
        api_key_id=api_key.pk,
        key_id=api_key.key_id,
        name=api_key.name,
        surface=api_key.surface,
        mode=api_key.mode,
        scopes=frozenset(api_key.scopes),
        rate_per_minute=api_key.rate_per_minute,
        expires_at=api_key.expires_at,
        organization=organization_snapshot(api_key.organization),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unknown() -> Forbidden:
    return Forbidden("api_key_unknown", _("This API key is not known here."))


def _expired() -> Forbidden:
    return Forbidden("api_key_expired", _("This API key has expired."))


class _Cache:
    """Recent outcomes by the hash of the whole key, good and bad ones, bounded; the least recently added goes first."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, tuple[float, Credential | Forbidden]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str) -> Credential | Forbidden | None:
        entry = self._entries.get(digest)
        return entry[1] if entry is not None and entry[0] > time.monotonic() else None

    def put(self, digest: str, outcome: Credential | Forbidden, asked_at: float) -> None:
        with self._lock:
            self._entries.pop(digest, None)
            self._entries[digest] = (asked_at + CACHE_SECONDS, outcome)
            while len(self._entries) > CACHE_ENTRIES:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


_cache = _Cache()
