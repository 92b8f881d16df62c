"""One-time passwords: send and verify."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, Literal
from uuid import UUID

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from config.postgresql.statements import statement_cursor
from contacts.phones import BadPhone, phone_normalise
from messaging.models import Channel, Message
from messaging.models.message import PRIORITY_OTP
from messaging.services.accept import Draft, message_accept
from messaging.services.channels import ChannelSnapshot
from otp.codes import MAX_LENGTH, MIN_LENGTH, code_hash, code_make, code_matches
from otp.limits import limits_check, prefix_of
from otp.models import OneTimePassword, OtpPolicy
from tenants.connection import connection as tenant_connection
from tenants.errors import InvalidInput, NotFound
from tenants.fields import uuid7
from tenants.services.keys import OrganizationSnapshot
from webhooks_app.outbox import filled
from webhooks_app.services.events import event_publish, events_told

MIN_SECONDS: Final = 30
MAX_SECONDS: Final = 3600
DEFAULT_TEXTS: Final = {
    "en": "Your {{brand}} verification code: {{code}}",
    "fr": "Votre code de vérification {{brand}} : {{code}}",
    "es": "Su código de verificación de {{brand}}: {{code}}",
}
_PLACE: Final = re.compile(r"\{\{\s*(.*?)\s*\}\}", re.DOTALL)
_PLACES: Final = {"brand", "code"}

Reason = Literal["wrong_code", "expired", "already_used", "too_many_attempts"]


@dataclass(frozen=True, slots=True)
class SentOtp:
    """A password on its way; the code itself leaves by the message only."""

    uuid: UUID
    message_uuid: UUID
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of a guess. `reason` and `attempts_left` are given when it was not valid."""

    valid: bool
    reason: Reason | None = None
    attempts_left: int | None = None


def otp_send(
    *,
    organization: OrganizationSnapshot,
    channel: ChannelSnapshot,
    phone: str,
    code_length: int = 6,
    expires_in: int = 300,
    brand_name: str | None = None,
    template: str | None = None,
    save_contact: bool = False,
    api_key_id: int | None = None,
) -> SentOtp:
    """Make a code and put its message first in the channel's queue, in one transaction.

    `expires_in` in seconds: the message is not sent after it either. Raises `InvalidInput`, `OtpLimitReached`, and what
    accepting a message raises.
    """
    _options_check(code_length, expires_in, template)
    try:
        digits = phone_normalise(phone, organization.default_country)
    except BadPhone as error:
        text = _("The number %(problem)s.") % {"problem": error}
        raise InvalidInput("invalid_phone", text, {"to": str(error)}) from error
    text = template or DEFAULT_TEXTS.get(organization.language, DEFAULT_TEXTS["en"])
    code = code_make(code_length)
    with transaction.atomic():
        policy = OtpPolicy.objects.order_by("pk").first() or OtpPolicy()
        limits_check(phone=digits, policy=policy, now=timezone.now())
        # After the limits: waiting for a lock must not shorten the life of the code.
        now = timezone.now()
        expires_at = now + timedelta(seconds=expires_in)
        accepted = message_accept(
            draft=Draft(
                to=f"+{digits}",
                content={"type": "text", "text": {"body": text}},
                variables={"brand": brand_name or organization.name, "code": code},
            ),
            organization=organization,
            channel=channel,
            origin=Message.Origin.OTP,
            priority=PRIORITY_OTP,
            expires_at=expires_at,
            save_contact=save_contact,
            api_key_id=api_key_id,
            is_sensitive=True,
        )
        otp_uuid = uuid7()
        OneTimePassword.objects.create(
            uuid=otp_uuid,
            phone=digits,
            prefix=prefix_of(digits),
            code_hash=code_hash(otp_uuid, code),
            channel_id=channel.id,
            message_uuid=accepted.uuid,
            api_key_id=api_key_id,
            max_attempts=policy.max_attempts,
            created_at=now,
            expires_at=expires_at,
        )
        data = {"id": str(otp_uuid), "message_id": str(accepted.uuid), "phone": digits}
        event_publish(type="otp.sent", data={"otp": data}, key=str(otp_uuid), channel_id=channel.id)
    return SentOtp(otp_uuid, accepted.uuid, expires_at)


def otp_verify(*, otp_uuid: UUID, code: str, sandbox_only: bool = False) -> Verification:
    """Check a guess. It is counted before it is compared, by one guarded UPDATE: parallel guesses stay below the cap.

    `sandbox_only`: passwords of live channels do not exist for the caller. Raises `NotFound` (`otp_not_found`).
    """
    now = timezone.now()
    claimed = _attempt_claim(otp_uuid, now, sandbox_only)
    if claimed is None:
        return _why_not(otp_uuid, now, sandbox_only)
    pk, expected_hash, attempts_left = claimed
    if not code_matches(otp_uuid, code, expected_hash):
        if attempts_left == 0:
            _failed_tell(pk)
        return Verification(False, "wrong_code", attempts_left)
    return Verification(True) if _verified_set(pk, now) else Verification(False, "already_used", 0)


# One statement, so that the event is in the transaction of the change and other guesses wait no longer than before.
_VERIFIED = """
WITH changed AS (
    UPDATE {schema}.otp_onetimepassword SET verified_at = %(now)s WHERE id = %(id)s AND verified_at IS NULL
    RETURNING uuid, message_uuid, phone, channel_id),
news AS (
    SELECT 0 AS place, 'otp.verified' AS type, uuid::text AS key, channel_id, false AS is_test, jsonb_build_object(
        'otp', jsonb_build_object('id', uuid, 'message_id', message_uuid, 'phone', phone)) AS data
    FROM changed),
{any_events}
SELECT (SELECT count(*) FROM changed), {woken}
"""


@lru_cache(maxsize=4096)
def _verified_statement(schema: str) -> bytes:
    return filled(_VERIFIED, schema)


def _verified_set(pk: int, now: datetime) -> bool:
    """Whether this guess is the one that counts; `otp.verified` is published with it."""
    with statement_cursor() as cursor:
        cursor.execute(
            _verified_statement(tenant_connection.schema_name),
            {"id": pk, "now": now},
            prepare=settings.DATABASE_PREPARE,
        )
        changed, endpoint_ids = cursor.fetchone() or (0, None)
    events_told(endpoint_ids=endpoint_ids)
    return bool(changed)


def _failed_tell(pk: int) -> None:
    """Publish that no guess is left."""
    otp = OneTimePassword.objects.only("uuid", "message_uuid", "phone", "channel_id").get(pk=pk)
    data = {
        "id": str(otp.uuid),
        "message_id": str(otp.message_uuid),
        "phone": otp.phone,
        "reason": "too_many_attempts",
    }
    event_publish(type="otp.failed", data={"otp": data}, key=str(otp.uuid), channel_id=otp.channel_id)


def _options_check(code_length: int, expires_in: int, template: str | None) -> None:
    wrong: dict[str, str] = {}
    if not MIN_LENGTH <= code_length <= MAX_LENGTH:
        wrong["codeLength"] = f"{MIN_LENGTH} to {MAX_LENGTH} digits are possible."
    if not MIN_SECONDS <= expires_in <= MAX_SECONDS:
        wrong["expiresIn"] = f"{MIN_SECONDS} to {MAX_SECONDS} seconds are possible."
    if template is not None and (problem := _template_problem(template)):
        wrong["template"] = problem
    if wrong:
        raise InvalidInput(
            "template_invalid" if set(wrong) == {"template"} else "otp_invalid", " ".join(wrong.values()), wrong
        )


def _template_problem(template: str) -> str:
    places = set(_PLACE.findall(template))
    if unknown := places - _PLACES:
        return f"Only {{{{brand}}}} and {{{{code}}}} are possible, not {{{{{min(unknown)[:64]}}}}}."
    return "" if "code" in places else "The text must contain {{code}}."


def _attempt_claim(otp_uuid: UUID, now: datetime, sandbox_only: bool) -> tuple[int, str, int] | None:
    """Use up one attempt: (primary key, hash of the code, attempts left), or None when no guess is possible."""
    visible = "AND channel_id IN (SELECT id FROM messaging_channel WHERE is_sandbox)" if sandbox_only else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""UPDATE otp_onetimepassword SET attempts = attempts + 1
                WHERE uuid = %(uuid)s AND verified_at IS NULL AND expires_at > %(now)s
                  AND attempts < max_attempts {visible}
                RETURNING id, code_hash, max_attempts - attempts""",  # noqa: S608 `visible` is one of two constants
            {"uuid": otp_uuid, "now": now},
        )
        row: tuple[int, str, int] | None = cursor.fetchone()
    return row


def _why_not(otp_uuid: UUID, now: datetime, sandbox_only: bool) -> Verification:
    rows = OneTimePassword.objects.filter(uuid=otp_uuid)
    if sandbox_only:
        rows = rows.filter(channel_id__in=Channel.objects.filter(is_sandbox=True).values("pk"))
    otp = rows.first()
    if otp is None:
        raise NotFound("otp_not_found", _("There is no one-time password with this id."))
    if otp.verified_at is not None:
        return Verification(False, "already_used", 0)
    if otp.attempts >= otp.max_attempts:
        return Verification(False, "too_many_attempts", 0)
    return Verification(False, "expired", 0)
